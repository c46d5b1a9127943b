#!/usr/bin/env python
"""Django's command line; every door of swapstats is a command here."""

import os
import sys

from swapstats.domain.errors import ConfigError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except ConfigError as error:
        sys.exit(f"The configuration is wrong.\n{error}")
    except BrokenPipeError:
        # Who read us has enough, as `head` has; what is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
