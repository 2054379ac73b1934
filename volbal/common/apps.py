"""The plumbing as a Django application."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class CommonConfig(AppConfig):
    """Install the database's own guards and the schedules after every migrate, and check that the guards are there.

    Queries get their lookup for many ids.
    """

    name = "volbal.common"

    def ready(self) -> None:
        """Connect the guards of append-only tables and the schedules."""
        from volbal.common import append_only, lookups, schedules

        post_migrate.connect(append_only.install_after_migrate, dispatch_uid="append_only")
        append_only.register_check()
        lookups.register_lookups()
        beat = apps.get_app_config("django_celery_beat")
        post_migrate.connect(schedules.install_after_migrate, sender=beat, dispatch_uid="schedules")
