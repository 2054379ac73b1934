"""Servers that trade: PostgreSQL, Redis, TLS in front, live brokers allowed. Everything secret is required."""

from volbal.settings.base import *  # noqa: F403  # settings modules build on each other by design
from volbal.settings.base import env

ENVIRONMENT = "production"
LIVE_TRADING_ALLOWED = True
SECRET_KEY = env.str("SECRET_KEY")
CREDENTIALS_KEYS = env.list("CREDENTIALS_KEYS")
DATABASE_URL = env.str("DATABASE_URL")
REDIS_URL = env.str("REDIS_URL")

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
