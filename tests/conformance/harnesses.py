"""The adapters that are put to the suite, in the order of the table's columns."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.alpaca import AlpacaHarness
from tests.conformance.api import ApiHarness
from tests.conformance.harness import Harness
from tests.conformance.interactive_brokers import InteractiveBrokersHarness
from tests.conformance.paper import PaperHarness

HARNESSES: dict[str, Callable[[], Harness]] = {
    "paper": PaperHarness,
    "api": ApiHarness,
    "alpaca": AlpacaHarness,
    "interactive_brokers": InteractiveBrokersHarness,
}
