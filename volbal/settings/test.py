"""Tests: quick hashing, nothing shared with a running installation, services only where they are named."""

import tempfile
from pathlib import Path

from volbal.settings.base import *  # noqa: F403  # settings modules build on each other by design
from volbal.settings.base import DATABASES, STORAGES, env

ENVIRONMENT = "test"
SECRET_KEY = "only-for-tests"  # noqa: S105  # signs nothing outside a test run
CREDENTIALS_KEYS = ["b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtLTA="]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATA_DIR = Path(tempfile.gettempdir()) / "volbal-tests"
MEDIA_ROOT = DATA_DIR / "files"
STATIC_ROOT = None
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
CELERY_TASK_ALWAYS_EAGER = env.bool("CELERY_TASK_ALWAYS_EAGER", default=True)
CELERY_TASK_EAGER_PROPAGATES = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["NAME"] = ":memory:"
