"""Sockets: a person watches a portfolio of their tenant."""

from __future__ import annotations

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from portfolios.models import Membership, Portfolio
from volbal.common.realtime import portfolio_group
from volbal.common.tenancy import tenants_scope

FORBIDDEN = 4403


class PortfolioConsumer(AsyncWebsocketConsumer):
    """Pass a portfolio's updates to its page. Whoever may not see the portfolio is closed with 4403."""

    group = ""

    async def connect(self) -> None:
        """Join the portfolio's group if the person belongs to its tenant."""
        await self.accept()
        group = await self._group_for(self.scope["user"], self.scope["url_route"]["kwargs"]["portfolio_id"])
        if group is None:
            await self.close(code=FORBIDDEN)
            return
        self.group = group
        await self.channel_layer.group_add(self.group, self.channel_name)

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def push(self, message: dict[str, Any]) -> None:
        """Pass on what `publish_on_commit` sent."""
        await self.send(text_data=message["text"])

    @database_sync_to_async
    def _group_for(self, user: Any, portfolio_id: int) -> str | None:
        if not user.is_authenticated:
            return None
        tenant_ids = Membership.objects.filter(user=user, is_active=True).exclude(role=Membership.Role.BROKER)
        with tenants_scope(tenant_ids.values_list("tenant_id", flat=True)):
            portfolio = Portfolio.objects.filter(pk=portfolio_id).first()
        return None if portfolio is None else portfolio_group(portfolio.tenant_id, portfolio.pk)
