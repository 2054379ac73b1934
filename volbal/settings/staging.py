"""As production, with real prices and paper orders only."""

from volbal.settings.production import *  # noqa: F403  # settings modules build on each other by design

ENVIRONMENT = "staging"
LIVE_TRADING_ALLOWED = False
