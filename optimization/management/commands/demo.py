"""Load the demonstration and say who can sign in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from optimization.services.demonstration import demonstration_backtest
from portfolios.models import Portfolio, Tenant
from trading.services.demonstration import SLUG, demonstration_load, sign_ins, synthetic_load
from trading.services.replay_runs import replay_run_steps
from volbal.common.tenancy import tenant_scope


class Command(BaseCommand):
    help = "Load the demonstration (once): tenant, people, prices, replays, a backtest; print the sign-ins."

    def add_arguments(self, parser: CommandParser) -> None:
        """Let the replays be some way in when they are first seen."""
        parser.add_argument("--steps", type=int, default=40, help="sessions to pass at once before the clock starts")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load what is missing."""
        for run in demonstration_load():
            with tenant_scope(run.tenant_id):
                replay_run_steps(run=run, steps=options["steps"])
        tenant = Tenant.objects.get(slug=SLUG)
        with tenant_scope(tenant.pk):
            demonstration_backtest(tenant=tenant)
        if getattr(settings, "SEED_SYNTHETIC_PRICES", False):
            self._seed_synthetic(tenant)
        for one in sign_ins():
            self.stdout.write(f"  {one.role:<18} {one.email:<24} {one.password}")

    def _seed_synthetic(self, tenant: Tenant) -> None:
        with tenant_scope(tenant.pk):
            present = Portfolio.objects.filter(feed="synthetic").exists()
        if not present:
            synthetic_load(tenant=tenant)
