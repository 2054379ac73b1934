"""The Celery application."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "volbal.settings.development")

app = Celery("volbal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def keep_what_is_loaded(**_: Any) -> None:
    """Take what a worker has loaded out of the garbage collector's rounds, which take a tick a third of its time."""
    gc.collect()
    gc.freeze()
