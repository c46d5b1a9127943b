"""`manage.py doctor`: looks at everything a system is made of and says what is wrong, and what to do about it.

Each part has a module here with a function `examine` that asks the real thing and gives findings. To look at one more
part, write such a module and name it in `examination.py`.
"""
