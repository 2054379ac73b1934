"""The plumbing as a Django application."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CommonConfig(AppConfig):
    """Install the database's own guards after every migrate and check that they are there."""

    name = "volbal.common"

    def ready(self) -> None:
        """Connect the guards of append-only tables."""
        from volbal.common import append_only

        post_migrate.connect(append_only.install_after_migrate, dispatch_uid="append_only")
        append_only.register_check()
