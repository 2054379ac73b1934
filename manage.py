#!/usr/bin/env python
"""Run volbal's commands."""

import os
import sys


def main() -> None:
    """Hand the command line to Django, in development settings unless told otherwise."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "volbal.settings.development")
    from django.core.management import execute_from_command_line

    import volbal.celery  # noqa: F401  # what commands start reaches the configured broker

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
