"""Django's command line, as a shell uses it."""

import os
import subprocess
import sys

from settings.config.values import PROJECT_DIR


def test_who_reads_no_further_is_not_shown_a_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        command = [sys.executable, "manage.py", "help"]
        done = subprocess.run(command, cwd=PROJECT_DIR, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
