"""What every test may use."""

import os
import signal
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import volbal.celery  # noqa: F401  # tasks bind to the configured application

pytest_plugins = ["tests.live", "tests.plugins.append_only"]

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback"}

# A deadline measures the machine, not the code. `deep` is what `make verify` runs.
hypothesis_settings.register_profile("usual", deadline=None)
hypothesis_settings.register_profile(
    "deep", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
# A shell that runs the tests in the background ignores Ctrl-C for them, and their servers would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the database, and leave out those whose ground is missing here."""
    on_services = settings.DATABASES["default"]["ENGINE"].endswith("postgresql") and bool(settings.REDIS_URL)
    for item in items:
        if item.get_closest_marker("django_db") or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")
        if "shared" in item.keywords and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the reference data is not beside the project"))
        if "services" in item.keywords and not on_services:
            item.add_marker(pytest.mark.skip(reason="DATABASE_URL and REDIS_URL name no PostgreSQL and Redis"))
