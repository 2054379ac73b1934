"""Choosing a place in the console: everywhere, a broker, a firm, an account, a portfolio or a cell."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms

from portfolios.admin.forms import OwnedForm
from portfolios.models import BrokerAccount, Cell, Portfolio, Tenant, TradingRestriction
from portfolios.standings import Place, broker_place, everywhere, place_of
from trading.brokers.registry import broker_names
from volbal.common.admin import is_platform_operator
from volbal.common.errors import Refused

Level = TradingRestriction.Level


class PlaceChoice(OwnedForm):
    """Ask for a level and for what stands there; everything and brokers are the platform operator's."""

    level = forms.ChoiceField(choices=())
    broker = forms.ChoiceField(required=False, choices=(), help_text="With level broker: accounts of all firms there")
    tenant = forms.ModelChoiceField(queryset=Tenant.objects.none(), required=False, label="Firm")
    account = forms.ModelChoiceField(queryset=BrokerAccount.objects.none(), required=False)
    portfolio = forms.ModelChoiceField(queryset=Portfolio.objects.none(), required=False)
    cell = forms.ModelChoiceField(queryset=Cell.objects.none(), required=False)

    def prepare(self) -> None:
        """Offer the levels and rows the person acts on."""
        shared = is_platform_operator(self.request)
        levels = [one for one in Level if shared or one not in TradingRestriction.SHARED_LEVELS]
        self._choose("level", [(one.value, one.label) for one in levels], self.request.GET.get("level", levels[0]))
        self._choose("broker", [("", "—"), *((name, name) for name in broker_names())], "")
        if not shared:
            del self.fields["broker"]
        self.narrow("tenant", Tenant.objects.filter(self.within_reach("pk")))
        self.narrow("account", BrokerAccount.objects.filter(self.within_reach("tenant")))
        self.narrow("portfolio", Portfolio.objects.filter(self.within_reach("tenant"), is_archived=False))
        cells = Cell.objects.filter(self.within_reach("tenant")).exclude(status=Cell.Status.ARCHIVED)
        self.narrow("cell", cells.select_related("instrument", "portfolio"))

    def _choose(self, name: str, choices: Sequence[tuple[str, str]], initial: str) -> None:
        field = self.fields[name]
        field.choices = list(choices)  # type: ignore[attr-defined]  # a ChoiceField, as declared above
        field.initial = initial

    def place(self) -> Place:
        """Return what was chosen. Raises Refused where nothing stands at the level that was chosen."""
        level = self.cleaned_data["level"]
        if level == Level.EVERYWHERE:
            return everywhere()
        chosen = self.cleaned_data.get(level)
        if not chosen:
            raise Refused(f"No {level} was chosen for the level {level}; nothing was changed.", code="no_place")
        return broker_place(chosen) if level == Level.BROKER else place_of(chosen)
