"""Pages and API for a WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "volbal.settings.production")

application = get_wsgi_application()

import volbal.celery  # noqa: E402, F401  # after the settings are chosen; pages reach the configured broker by it
