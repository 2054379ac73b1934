#!/usr/bin/env python
"""Run volbal's commands."""

import os
import sys
from importlib import import_module

# Commands that only compute: they start without loading the applications, and so cannot reach a database.
COMPUTING = {
    "backtest": "optimization.management.commands.backtest",
    "sweep": "optimization.management.commands.sweep",
}


def main() -> None:
    """Hand the command line to Django, in development settings unless told otherwise."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "volbal.settings.development")
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in COMPUTING:
        import_module(COMPUTING[command]).Command().run_from_argv(sys.argv)
        return
    from django.core.management import execute_from_command_line

    import volbal.celery  # noqa: F401  # what commands start reaches the configured broker

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
