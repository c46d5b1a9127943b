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
    except ConfigError as error:
        sys.exit(f"The configuration is wrong.\n{error}")


if __name__ == "__main__":
    main()
