"""Tenant scope: a query without one raises.

Pages get theirs from the session, jobs and sockets open one from an id, the console from its user's memberships.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

from django.db import models
from django.db.models.sql import Query

Row = TypeVar("Row", bound=models.Model, covariant=True)

# The ids of the tenants in scope; None where no scope is open, and every tenant where the flag is set.
_tenant_ids: ContextVar[tuple[int, ...] | None] = ContextVar("tenant_ids", default=None)
_every_tenant: ContextVar[bool] = ContextVar("every_tenant", default=False)


class ScopeError(RuntimeError):
    """A tenant's rows were asked for without saying which tenant."""


@contextmanager
def tenants_scope(tenant_ids: Iterable[int]) -> Iterator[None]:
    """Open the scope of several tenants at once: an operator's memberships."""
    chosen, everyone = _tenant_ids.set(tuple(tenant_ids)), _every_tenant.set(False)
    try:
        yield
    finally:
        _every_tenant.reset(everyone)
        _tenant_ids.reset(chosen)


@contextmanager
def tenant_scope(tenant_id: int) -> Iterator[None]:
    """Open the scope of one tenant."""
    with tenants_scope((tenant_id,)):
        yield


@contextmanager
def every_tenant() -> Iterator[None]:
    """Open all tenants: for a platform operator, dispatchers and integrity checks only."""
    everyone = _every_tenant.set(True)
    try:
        yield
    finally:
        _every_tenant.reset(everyone)


def require_tenant(tenant_id: int | None) -> None:
    """Raise ScopeError unless the tenant is in scope: for writes, which no query narrows.

    None is what the whole installation shares, and asks for the scope of every tenant.
    """
    tenant_ids = _tenant_ids.get()
    if _every_tenant.get():
        return
    if tenant_id is None:
        raise ScopeError("What every firm shares is changed in the scope of every tenant only.")
    if tenant_ids is None or tenant_id not in tenant_ids:
        raise ScopeError(f"Tenant {tenant_id} is not in scope; open it with tenant_scope({tenant_id}).")


def _refuse(model: Any) -> NoReturn:
    raise ScopeError(f"{model._meta.label} was queried without a tenant scope; open one with tenant_scope(tenant_id).")


class _UnscopedQuery(Query):
    """A query that cannot become SQL, alone or inside another: whatever executes asks for its compiler."""

    def get_compiler(self, *_: Any, **__: Any) -> NoReturn:
        _refuse(self.model)

    def resolve_expression(self, *_: Any, **__: Any) -> NoReturn:
        _refuse(self.model)

    def chain(self, klass: type[Query] | None = None) -> Query:
        """Refuse to become an UPDATE; anything else may still be built upon."""
        if klass is not None:
            _refuse(self.model)
        return super().chain()


class _Unscoped(models.QuerySet[Any]):
    """What a manager gives without a scope. It may be built upon, as forms do at import; running it raises."""

    def __init__(self, model: Any = None, query: Query | None = None, **options: Any) -> None:
        super().__init__(model, query=_UnscopedQuery(model) if query is None else query, **options)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        _refuse(self.model)

    # These go past the query's compiler, or would do nothing at all for an empty list.
    delete = _raw_delete = raw = create = bulk_create = bulk_update = _insert = in_bulk = _refuse


class TenantManager(models.Manager[Row]):
    """Narrow every query to the tenants in scope."""

    path = "tenant_id"

    def get_queryset(self) -> models.QuerySet[Row]:
        """Return the rows of the tenants in scope; without a scope, rows that raise when they are read."""
        rows = super().get_queryset()
        if _every_tenant.get():
            return rows
        tenant_ids = _tenant_ids.get()
        if tenant_ids is None:
            return _Unscoped(self.model, using=self._db)
        if len(tenant_ids) == 1:
            return rows.filter(**{self.path: tenant_ids[0]})
        return rows.filter(**{f"{self.path}__in": tenant_ids})


class InstallationManager(TenantManager[Row]):
    """Narrow to the tenants in scope and to rows without a tenant, which the whole installation shares."""

    def get_queryset(self) -> models.QuerySet[Row]:
        """Return the rows in scope and those of the installation; without a scope, rows that raise when read."""
        rows = models.Manager.get_queryset(self)
        if _every_tenant.get():
            return rows
        tenant_ids = _tenant_ids.get()
        if tenant_ids is None:
            return _Unscoped(self.model, using=self._db)
        owner = self.path.removesuffix("_id")
        return rows.filter(models.Q(**{f"{self.path}__in": tenant_ids}) | models.Q(**{f"{owner}__isnull": True}))
