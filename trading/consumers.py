"""Sockets: a person watches a portfolio of their tenant."""

from __future__ import annotations

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from portfolios.models import Membership, Portfolio
from volbal.common.realtime import halts_group, portfolio_group
from volbal.common.tenancy import tenants_scope

FORBIDDEN = 4403


class PortfolioConsumer(AsyncWebsocketConsumer):
    """Pass a portfolio's updates, and that halts changed, to its page.

    Whoever may not see the portfolio is closed with 4403.
    """

    # Those of the portfolio, and of halts in its tenant and above every tenant.
    joined: tuple[str, ...] = ()

    async def connect(self) -> None:
        """Join the portfolio's groups if the person belongs to its tenant."""
        await self.accept()
        groups = await self._groups_for(self.scope["user"], self.scope["url_route"]["kwargs"]["portfolio_id"])
        if not groups:
            await self.close(code=FORBIDDEN)
            return
        self.joined = groups
        for group in self.joined:
            await self.channel_layer.group_add(group, self.channel_name)

    async def disconnect(self, code: int) -> None:
        """Leave the groups."""
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def push(self, message: dict[str, Any]) -> None:
        """Pass on what `publish_on_commit` sent, gzipped as it is."""
        await self.send(bytes_data=message["packed"])

    @database_sync_to_async
    def _groups_for(self, user: Any, portfolio_id: int) -> tuple[str, ...]:
        if not user.is_authenticated:
            return ()
        tenant_ids = Membership.objects.filter(user=user, is_active=True).exclude(role=Membership.Role.BROKER)
        with tenants_scope(tenant_ids.values_list("tenant_id", flat=True)):
            portfolio = Portfolio.objects.filter(pk=portfolio_id).first()
        if portfolio is None:
            return ()
        tenant_id = portfolio.tenant_id
        return portfolio_group(tenant_id, portfolio.pk), halts_group(tenant_id), halts_group(None)
