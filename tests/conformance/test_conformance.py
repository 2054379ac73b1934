"""Every broker does what the protocol says; what one does not support is named and not passed over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.bench import Bench
from tests.conformance.cases import CASES, title_of
from tests.conformance.harness import NotSupportedError
from tests.conformance.harnesses import HARNESSES

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_the_broker_conforms(adapter: str, case: str, record_property: Any) -> None:
    why = ""
    with HARNESSES[adapter]() as harness:
        try:
            CASES[case](Bench(harness))
        except NotSupportedError as absence:
            why = str(absence)
    record_property("conformance", (harness.name, case, why))
    assert why == harness.lacks.get(case, "")


def test_every_case_has_a_row_of_its_own() -> None:
    titles = [title_of(case) for case in CASES.values()]
    assert len(set(titles)) == len(titles) > 30
    assert all(titles)


@pytest.mark.parametrize("adapter", list(HARNESSES))
def test_what_an_adapter_lacks_is_a_case(adapter: str) -> None:
    assert set(HARNESSES[adapter]().lacks) <= set(CASES)
