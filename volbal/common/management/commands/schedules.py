"""manage.py schedules"""

from typing import Any

from django.core.management.base import BaseCommand

from volbal.common.schedules import schedules_install


class Command(BaseCommand):
    """Write the schedules that are missing, as every migrate does."""

    help = "Write the schedules that are missing; those that are there stay as they were set in the console."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say which were written."""
        written = schedules_install()
        self.stdout.write("\n".join(f"Written: {name}" for name in written) or "Every schedule is there.")
