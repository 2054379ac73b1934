"""Which brokers answer."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import ReasonForm
from trading.models import BrokerLine
from trading.services.broker_lines import line_retry
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin


class RetryForm(ReasonForm):
    """Call a silent broker again at once."""

    def perform(self, row: BrokerLine) -> Model:
        """Call the service; the sweeper calls the broker within seconds."""
        return line_retry(line=row, origin=self.origin)


@admin.register(BrokerLine)
class BrokerLineAdmin(OperationsAdmin, TenantAdmin):
    """Whether each account's broker answers."""

    list_display = ("account", "failed_in_a_row", "silent_since", "next_attempt_at", "last_error")
    list_filter = (("silent_since", admin.EmptyFieldListFilter),)
    list_select_related = ("account",)
    search_fields = ("account__name", "last_error")
    operations = (Operation("retry", "Call it now", RetryForm, possible=lambda line: line.next_attempt_at is not None),)
