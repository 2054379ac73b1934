"""Replays in the console: start, pause, step, speed, again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import PlainForm
from trading.models import ReplayRun
from trading.services import replays
from trading.services.manual_ticks import tick_now
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin


class StartForm(PlainForm):
    """Let replays go on."""

    def perform(self, row: ReplayRun) -> Model:
        """Call the service."""
        replays.replay_start(run=row, origin=self.origin)
        return row


class PauseForm(PlainForm):
    """Hold replays where they are."""

    def perform(self, row: ReplayRun) -> Model:
        """Call the service."""
        replays.replay_pause(run=row, origin=self.origin)
        return row


class StepForm(PlainForm):
    """Take one step."""

    def perform(self, row: ReplayRun) -> Model:
        """Call the service."""
        tick_now(portfolio=row.portfolio)
        return row


class SpeedForm(PlainForm):
    """Change the speed."""

    steps_per_second = forms.DecimalField(
        min_value=ReplayRun.MINIMUM_SPEED, max_value=ReplayRun.MAXIMUM_SPEED, max_digits=5, decimal_places=2
    )

    def prepare(self) -> None:
        """Show the present speed."""
        if isinstance(self.row, ReplayRun):
            self.fields["steps_per_second"].initial = self.row.steps_per_second

    def perform(self, row: ReplayRun) -> Model:
        """Call the service."""
        replays.replay_set_speed(run=row, steps_per_second=self.cleaned_data["steps_per_second"], origin=self.origin)
        return row


class AgainForm(PlainForm):
    """Start the same replay in a fresh portfolio."""

    path = forms.ChoiceField(
        choices=[("", "As before"), *ReplayRun.Path.choices],
        required=False,
        help_text="How orders that rest meet a bar's prices",
    )

    def perform(self, row: ReplayRun) -> Model:
        """Call the service."""
        return replays.replay_start_again(run=row, origin=self.origin, path=self.cleaned_data["path"])


@admin.register(ReplayRun)
class ReplayRunAdmin(OperationsAdmin, TenantAdmin):
    """Replays and how far they are."""

    list_display = ("portfolio", "status", "position", "step_count", "steps_per_second", "path", "as_of", "created_at")
    list_filter = ("status",)
    list_select_related = ("portfolio",)
    search_fields = ("portfolio__name",)
    operations = (
        Operation("start", "Start", StartForm),
        Operation("pause", "Pause", PauseForm),
        Operation("step", "Take one step", StepForm),
        Operation("speed", "Change speed", SpeedForm),
        Operation(
            "again", "Start again", AgainForm, harm="The portfolio is archived, to be read; a fresh one starts over."
        ),
    )

    def describe(self, row: Any) -> str:
        """Say which replay it is and how far."""
        return f"{row.portfolio}: {row.get_status_display().lower()}, step {row.position:,} of {row.step_count:,}"
