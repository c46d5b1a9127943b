"""The whole system on one machine: which processes it is made of, how they are started, watched and stopped.

What `bootstrap` is to the objects of one process, this is to the processes of one system.
"""
