"""What becomes of a log line on its way out: context is added, floods are thinned, secrets are taken out.

Code logs through the standard `logging`; `settings/logs.py` puts these together with structlog's formatter.
"""
