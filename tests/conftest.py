"""What every test may use."""

from pathlib import Path

import pytest

import volbal.celery  # noqa: F401  # tasks bind to the configured application

pytest_plugins = ["tests.plugins.append_only"]

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests of the reference data where it is not beside the project."""
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason="the reference data is not beside the project")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(absent)
