"""What a cell was worth at the end of each exchange day."""

from __future__ import annotations

from django.db import models

from portfolios.models import Cell, TenantOwned
from portfolios.models.fields import money_field, price_field


class DailyMark(TenantOwned):
    """The newest mark of a cell in one exchange day; once the day is over, its close.

    The closes feed adaptive triggers (strategy 13); the values are the cell's daily equity.
    """

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="daily_marks")
    day = models.DateField()
    close = price_field()
    value = money_field(help_text="Stock, cash and receivable at the close")

    class Meta:
        ordering = ["cell_id", "day"]
        constraints = [models.UniqueConstraint(fields=["cell", "day"], name="daily_mark_once")]

    def __str__(self) -> str:
        return f"{self.cell_id} {self.day} {self.value}"
