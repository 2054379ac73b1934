"""What every broker must do, case by case. The first line of a case is its row in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance.bench import Bench
from tests.conformance.cases import cancels, orders, refusals, reports, silence

Case = Callable[[Bench], None]
MODULES: tuple[Any, ...] = (orders, refusals, cancels, reports, silence)
CASES: dict[str, Case] = {
    name.removeprefix("case_"): case
    for module in MODULES
    for name, case in vars(module).items()
    if name.startswith("case_")
}


def title_of(case: Case) -> str:
    """Return a case's row in the table."""
    return (case.__doc__ or "").strip().splitlines()[0]
