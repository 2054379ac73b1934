"""One machine, one process: SQLite, an in-process broker, replayed or synthetic prices, paper orders."""

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


def _secret_key() -> str:
    """Return this machine's own key, made on first use and kept beside its database."""
    path = DATA_DIR / "secret_key"
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        path.write_text(get_random_secret_key())
        path.chmod(0o600)
    return path.read_text()


SECRET_KEY = env.str("SECRET_KEY", default="") or _secret_key()

if DEBUG:
    INSTALLED_APPS += ["debug_toolbar"]
    MIDDLEWARE.insert(1, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1", "::1"]
    # Opened by who wants it; it covers a third of a page otherwise.
    DEBUG_TOOLBAR_CONFIG = {"SHOW_COLLAPSED": True}
