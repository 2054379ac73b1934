"""Fetching history in the console: for instruments, for several at once, and how far each fetch is."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from unfold import widgets

from portfolios.admin.accounts import InstrumentAdmin
from portfolios.admin.forms import OwnedForm, PlainForm
from portfolios.models import Instrument
from trading import tasks
from trading.marketdata.history import DAILY, MINUTE, source_names
from trading.models import Backfill
from trading.services.backfills import backfill_cancel, backfill_create
from volbal.common import clock
from volbal.common.admin import SharedAdmin
from volbal.common.operations import Operation, OperationsAdmin
from volbal.common.starting import task_start

ACTIONS_ONLY = "none"


class BackfillForm(OwnedForm):
    """Fetch the history of instruments."""

    source = forms.ChoiceField(help_text="Where it comes from")
    start = forms.DateField(widget=widgets.UnfoldAdminTextInputWidget, help_text="YYYY-MM-DD, the exchange's day")
    end = forms.DateField(widget=widgets.UnfoldAdminTextInputWidget, help_text="The last day, included")
    resolution = forms.ChoiceField(
        choices=[(DAILY, "Daily bars"), (MINUTE, "Minute bars"), (ACTIONS_ONLY, "Dividends and splits alone")],
        help_text="Dividends and splits come with the bars.",
    )

    def prepare(self) -> None:
        """Offer the sources there are, and the last year."""
        source, today = self.fields["source"], clock.now().date()
        if isinstance(source, forms.ChoiceField):
            source.choices = [(name, name) for name in source_names()]
        self.fields["start"].initial, self.fields["end"].initial = today - dt.timedelta(days=365), today

    def perform(self, row: Instrument) -> Model:
        """Call the service and wake a worker."""
        self.ask([row.symbol])
        return row

    def ask(self, symbols: list[str]) -> Backfill:
        """Queue a fetch."""
        given = self.cleaned_data
        job = backfill_create(
            source=given["source"],
            symbols=symbols,
            start=given["start"],
            end=given["end"],
            resolution="" if given["resolution"] == ACTIONS_ONLY else given["resolution"],
            origin=self.origin,
        )
        task_start(tasks.backfill_job, job.pk)
        return job


class SymbolsForm(BackfillForm):
    """Fetch the history of several instruments in one job."""

    symbols = forms.CharField(help_text="Separated by commas")
    field_order = ("source", "symbols", "start", "end", "resolution")

    def perform(self, row: Any) -> Model:
        """Call the service and wake a worker."""
        return self.ask(self.cleaned_data["symbols"].split(","))


class StopForm(PlainForm):
    """Stop a fetch."""

    def perform(self, row: Backfill) -> Model:
        """Call the service."""
        return backfill_cancel(backfill=row, origin=self.origin)


@admin.register(Backfill)
class BackfillAdmin(OperationsAdmin, SharedAdmin):
    """Fetches of history, newest first."""

    list_display = (
        "created_at", "source", "resolution", "start", "end", "state", "progress_text", "created_by", "finished_at",
    )  # fmt: skip
    list_filter = ("state", "source", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("source", "symbols")
    create_form = SymbolsForm
    operations = (
        Operation(
            "cancel",
            "Stop",
            StopForm,
            harm="It stops after the symbol at hand; what was kept stays.",
            possible=lambda job: not job.is_finished,
        ),
    )

    def describe(self, row: Any) -> str:
        """Say which fetch it is and how far."""
        return f"{row}: {row.get_state_display().lower()}, {row.progress_text}"


class KnownInstrumentAdmin(InstrumentAdmin):
    """What can be held, with its history to fetch."""

    operations = (*InstrumentAdmin.operations, Operation("backfill", "Fetch history", BackfillForm))


admin.site.unregister(Instrument)
admin.site.register(Instrument, KnownInstrumentAdmin)
