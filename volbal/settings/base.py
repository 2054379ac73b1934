"""What every environment shares. Addresses and secrets come from the environment (see .env.example)."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.templatetags.static import static

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# Where this installation keeps what it makes: database, bar files, workbooks.
DATA_DIR = Path(env.str("VOLBAL_DATA_DIR", default=str(BASE_DIR / "var")))
REDIS_URL = env.str("REDIS_URL", default="")
ENVIRONMENT = "base"
# Whether orders may reach a broker that moves real money.
LIVE_TRADING_ALLOWED = False
# What encrypts brokers' keys at rest: the first encrypts, all of them read.
CREDENTIALS_KEYS: list[str] = []
# Whether a demonstration gets made-up prices beside its replay (make dev).
SEED_SYNTHETIC_PRICES = False

# How far prices are trusted, where it differs from strategy 9: max_quote_age_seconds=20,quarantine_ratio=0.3
PRICE_LIMITS: dict[str, float] = env.dict("PRICE_LIMITS", cast={"value": float}, default={})
# Where other programs drop files of quotes, and whether those prices are invented.
# History: files that the source `folder` reads, and the source asked each day for dividends and splits of what is held.
HISTORY_FOLDER = Path(env.str("HISTORY_FOLDER", default=str(DATA_DIR / "history")))
HISTORY_SOURCE = env.str("HISTORY_SOURCE", default="")
QUOTES_FOLDER: Path | None = env("QUOTES_FOLDER", cast=Path, default=None)
QUOTES_FOLDER_IS_SYNTHETIC = env.bool("QUOTES_FOLDER_IS_SYNTHETIC", default=False)

# Invented prices: the same seed gives the same prices; the spread around each.
SYNTHETIC_SEED = env.int("SYNTHETIC_SEED", default=1)
SYNTHETIC_SPREAD_BPS = env.float("SYNTHETIC_SPREAD_BPS", default=4.0)

DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "volbal.common",
    "portfolios",
    "trading",
    "optimization",
    "reporting",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_celery_beat",
    "django_htmx",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "volbal.common.static_files.StaticFilesMiddleware",
    "csp.middleware.CSPMiddleware",
    "volbal.common.middleware.ConsolePolicyMiddleware",
    "volbal.common.middleware.RequestIdMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portfolios.middleware.TenantMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "volbal.urls"
WSGI_APPLICATION = "volbal.wsgi.application"
ASGI_APPLICATION = "volbal.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portfolios.context_processors.page",
            ],
            "builtins": ["volbal.common.templatetags.figures"],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'volbal.sqlite3'}"),
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Readers never wait for the writer, and a writer takes its lock when it starts, not halfway.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "portfolios.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "sign-in"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "volbal.formats"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT: Path | None = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = DATA_DIR / "files"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
# A socket waits for its next message five seconds at a time; the client must not give up at the same moment.
_CHANNEL_HOST = {"address": REDIS_URL, "socket_timeout": 30}
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "volbal.common.redis_layer.RedisLayer",
        # What is published on a server is heard in all its numbered databases: the prefix keeps them apart.
        "CONFIG": {"hosts": [_CHANNEL_HOST], "prefix": f"volbal{urlsplit(REDIS_URL).path.strip('/')}"},
    }
    if REDIS_URL
    else {"BACKEND": "volbal.common.realtime.EmbeddedChannelLayer"},
}

# A tick is missed this many intervals and so many seconds after the last; quotes wake a portfolio at most so often.
TICK_MISSED_AFTER_INTERVALS = env.int("TICK_MISSED_AFTER_INTERVALS", default=3)
TICK_GRACE_SECONDS = env.int("TICK_GRACE_SECONDS", default=5)
TICKS_PER_SECOND_ON_QUOTES = env.float("TICKS_PER_SECOND_ON_QUOTES", default=2.0)

# Alpaca's market data for the whole installation; iex is free of charge, sip needs a subscription.
ALPACA_DATA_KEY_ID = env.str("ALPACA_DATA_KEY_ID", default="")
ALPACA_DATA_SECRET_KEY = env.str("ALPACA_DATA_SECRET_KEY", default="")
ALPACA_DATA_FEED = env.str("ALPACA_DATA_FEED", default="iex")
ALPACA_DATA_REQUESTS_A_MINUTE = env.int("ALPACA_DATA_REQUESTS_A_MINUTE", default=200)
# Another address than Alpaca's own is for tests.
ALPACA_DATA_URL = ""
ALPACA_STREAM_URL = ""

# Celery: a message only says that there is work; the work itself is a row.
CELERY_BROKER_URL = REDIS_URL or "memory://embedded"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"visibility_timeout": 300} if REDIS_URL else {"polling_interval": 0.01}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "ticks"
# Queues of their own, so that research never delays trading; the first pattern that fits counts.
CELERY_TASK_ROUTES = {
    "trading.tasks.send_*": {"queue": "orders"},
    # Apart from the ticks it watches.
    "trading.tasks.watch_*": {"queue": "orders"},
    "trading.tasks.backfill_*": {"queue": "research"},
    "trading.tasks.archive_*": {"queue": "reports"},
    "trading.tasks.reconcile_*": {"queue": "orders"},
    "trading.tasks.*": {"queue": "ticks"},
    "optimization.tasks.*": {"queue": "research"},
    "reporting.tasks.*": {"queue": "reports"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# What runs beside the workers in the one process: threads with `start`, `end` and `join`.
EMBEDDED_THREADS = ["trading.streams.runner.StreamRunner", "trading.streams.alpaca_prices.AlpacaPrices"]
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# The console's scripts and styles need more than the rest and get it by path (CONSOLE_SECURITY_POLICY).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
    },
}

CONSOLE_PATH = "/admin/"
# Unfold writes its colours and Alpine's expressions into the page; Alpine evaluates them.
CONSOLE_SECURITY_POLICY = {
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "volbal console",
    "SITE_HEADER": "volbal",
    "SITE_SUBHEADER": "Operator's console",
    "SITE_URL": "/",
    "SITE_SYMBOL": "balance",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("icon.svg")}],
    "STYLES": [lambda _: static("css/console.css")],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "volbal.common.admin.environment_badge",
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "base": {
            "50": "#fbfbfa", "100": "#f3f3f1", "200": "#e4e4e1", "300": "#cfd3d6", "400": "#9aa4ae", "500": "#5d656d",
            "600": "#474e55", "700": "#2a3036", "800": "#20262b", "900": "#171b1f", "950": "#0f1214",
        },
        "primary": {
            "50": "#eef3ff", "100": "#dbe6ff", "200": "#bed1ff", "300": "#9dbbff", "400": "#7aa2ff", "500": "#4b7cf0",
            "600": "#2457d6", "700": "#1d47b0", "800": "#193a8c", "900": "#152f70", "950": "#0d1e49",
        },
    },
    "DASHBOARD_CALLBACK": "volbal.common.console.dashboard",
    "SIDEBAR": {
        "show_search": True, "show_all_applications": False, "navigation": "volbal.common.console.navigation",
    },
}  # fmt: skip

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # The one process stops its workers this way each time; it is no warning.
    "loggers": {"celery.worker.control": {"level": "ERROR"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
}
