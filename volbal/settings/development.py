"""One machine, one process: SQLite, an in-process broker, replayed or synthetic prices, paper orders."""

import base64
import secrets
from collections.abc import Callable

from django.core.management.utils import get_random_secret_key

from volbal.settings.base import *  # noqa: F403  # settings modules build on each other by design
from volbal.settings.base import DATA_DIR, INSTALLED_APPS, MIDDLEWARE, STORAGES, env

ENVIRONMENT = "development"
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
STATIC_ROOT = None  # static files come from where they stand; nothing is collected
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
SEED_SYNTHETIC_PRICES = env.bool("SEED_SYNTHETIC_PRICES", default=False)


def _kept(name: str, make: Callable[[], str]) -> str:
    """Return a secret of this machine's own, made on first use and kept beside its database."""
    path = DATA_DIR / name
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(make())
    return path.read_text()


def _encryption_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


SECRET_KEY = env.str("SECRET_KEY", default="") or _kept("secret_key", get_random_secret_key)
CREDENTIALS_KEYS = env.list("CREDENTIALS_KEYS", default=[]) or [_kept("credentials_key", _encryption_key)]

if DEBUG:
    INSTALLED_APPS += ["debug_toolbar"]
    MIDDLEWARE.insert(1, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1", "::1"]
    # Opened by who wants it; it covers a third of a page otherwise.
    DEBUG_TOOLBAR_CONFIG = {"SHOW_COLLAPSED": True}
