"""Each case with each adapter, as a test of its own."""

from __future__ import annotations

import pytest

from tests.conformance.cases import CASES
from tests.conformance.harnesses import HARNESSES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if {"adapter", "case"} <= set(metafunc.fixturenames):
        pairs = [(adapter, case) for adapter in HARNESSES for case in CASES]
        metafunc.parametrize("adapter,case", pairs, ids=[f"{adapter}-{case}" for adapter, case in pairs])
