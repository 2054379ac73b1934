"""Lets a TransactionTestCase flush the append-only tables of its own database.

Django's flush would be stopped by the guards; they are lifted for it alone and are back before the next test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.test import TransactionTestCase

from volbal.common import append_only


@pytest.fixture(autouse=True, scope="session")
def _guards_lifted_for_flush() -> Iterator[None]:
    flush = TransactionTestCase._fixture_teardown

    def lifted_flush(case: Any) -> None:
        with ExitStack() as stack:
            for name in case._databases_names(include_mirrors=False):
                stack.enter_context(append_only.lifted(name))
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lifted_flush)
        yield
