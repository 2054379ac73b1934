"""Booking what dividends and splits give: entries, applications, cells and events, each kind in one statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from portfolios.models import Cell, LedgerEntry
from portfolios.services.changes import ManyChanges
from portfolios.services.ledger import Movement, entry_make
from portfolios.services.origin import Origin
from trading.models import ActionApplication, CorporateAction
from trading.services.entitlements import Plan, Step
from trading.services.positions import position_of
from trading.services.pricing import MarketPrice
from trading.services.recounts import costs_and_fills
from volbal.common import clock, numbers
from volbal.common.numbers import MICRO, ZERO
from volbal.strategy.corporate_actions import apply_reinvestment

Kind = LedgerEntry.Kind
NO_ANCHOR = "left no anchor above 0: set a new one."
_COLUMNS = (
    "revision", "booking", "shares", "gross", "tax", "net", "withholding_rate", "anchor_before", "anchor_after",
    "anchor_base", "anchor_set_at", "pay_date", "paid_at", "corrected_at",
)  # fmt: skip


class ActionBook:
    """What is booked at one moment for many cells, which the caller holds locked."""

    def __init__(self, *, origin: Origin, as_of: dt.datetime) -> None:
        self._origin, self._as_of = origin, as_of
        self._changes: ManyChanges[Cell] = ManyChanges(origin=origin, as_of=as_of)
        self._entries: list[LedgerEntry] = []
        self._fresh: list[ActionApplication] = []
        self._changed: dict[int, ActionApplication] = {}
        self._reinvested_at: dict[int, Decimal] = {}

    def take(self, plans: Sequence[Plan]) -> None:
        """Book each plan's steps in order, then what is left of its anchor."""
        booked = _booked([step for plan in plans for step in plan.steps])
        recounted = costs_and_fills([plan for plan in plans if plan.recounts])
        for plan in plans:
            for step in plan.steps:
                if step.application is None:
                    self._take(plan, step)
                elif _is_dated_anew(step, step.application, plan.facts.day):
                    self._date_anew(plan.cell, step, step.application)
                else:
                    self._correct(plan, step, step.application, booked)
            self._finish(plan, recounted.get(plan.cell.pk, {}))

    def pay(
        self,
        unpaid: Iterable[ActionApplication],
        cells: Sequence[Cell],
        *,
        days: Mapping[int, dt.date],
        through: Mapping[int, dt.date | None],
        prices: Mapping[int, MarketPrice],
    ) -> None:
        """Pay every dividend whose date has come: those of earlier ticks, and those just taken or corrected.

        One whose pay date comes now is reinvested at this price where the cell does that; one whose date had passed
        when it was learned is paid in cash. `through` is the day each cell had looked through before.
        """
        by_id = {cell.pk: cell for cell in cells}
        stored = {one.pk: one for one in unpaid} | self._changed
        for one in sorted([*stored.values(), *self._fresh], key=_pay_order):
            cell = by_id.get(one.cell_id)
            if cell is None or one.paid_at is not None or one.pay_date is None or one.pay_date > days[cell.pk]:
                continue
            looked, price = through.get(cell.pk), self._reinvested_at.get(one.pk)
            if (looked is None or one.pay_date > looked) and cell.instrument_id in prices:
                price = prices[cell.instrument_id].accepted
            self._pay(cell, one, price)

    def reinvest(self, paid: Iterable[ActionApplication], cells: Sequence[Cell], prices: Mapping[int, Decimal]) -> None:
        """Put dividends that were paid at this moment into shares at `prices`, by instrument id."""
        by_id = {cell.pk: cell for cell in cells}
        for one in sorted(paid, key=_pay_order):
            cell = by_id[one.cell_id]
            with self._changes.changing(cell, kind="cell.dividend_reinvested") as change:
                self._reinvest(cell, one, prices[cell.instrument_id])
                change.details |= {"action": one.action_id}

    def write(self) -> None:
        """Write all of it, in a number of statements that does not grow with the cells."""
        LedgerEntry.objects.bulk_create(self._entries)
        ActionApplication.objects.bulk_create(self._fresh)
        if self._changed:
            ActionApplication.objects.bulk_update(self._changed.values(), _COLUMNS, batch_size=500)
        self._changes.write()

    def _take(self, plan: Plan, step: Step) -> None:
        action, cell = step.action, plan.cell
        with self._changes.changing(cell, kind=f"cell.{action.kind}") as change:
            one = ActionApplication(
                tenant_id=cell.tenant_id,
                cell=cell,
                action=action,
                as_of=self._as_of,
                paid_at=None if action.kind == CorporateAction.Kind.DIVIDEND else self._as_of,
                learned_late=step.learned_late,
            )
            self._describe(one, plan, step)
            self._give(cell, one, step)
            self._move_with(plan, step)
            self._fresh.append(one)
            change.details |= {"action": action.pk, "learned_late": step.learned_late, **_told(step)}

    def _correct(self, plan: Plan, step: Step, one: ActionApplication, booked: Mapping[str, LedgerEntry]) -> None:
        """Book the opposite of what was booked, then what is right."""
        cell = plan.cell
        with self._changes.changing(cell, kind="cell.action_corrected") as change:
            change.details |= {
                "action": one.action_id,
                "was": {"gross": one.gross, "tax": one.tax, "paid": one.paid_at},
            }
            for key in _keys(one):
                if key in booked:
                    self._reverse(cell, one, booked[key])
            one.booking += 1
            one.corrected_at = clock.now()
            one.paid_at = None if step.action.kind == CorporateAction.Kind.DIVIDEND else one.paid_at
            self._describe(one, plan, step)
            self._give(cell, one, step)
            self._move_with(plan, step)
            self._changed[one.pk] = one
            change.details |= _told(step)

    def _date_anew(self, cell: Cell, step: Step, one: ActionApplication) -> None:
        """Change the date it is paid on and keep what is booked."""
        with self._changes.changing(cell, kind="cell.dividend_dated") as change:
            one.pay_date, one.revision = step.entitled.pay_date, step.action.revision
            one.corrected_at = clock.now()
            self._changed[one.pk] = one
            change.details |= {"action": one.action_id, "pay_date": one.pay_date}

    def _describe(self, one: ActionApplication, plan: Plan, step: Step) -> None:
        entitled, cell = step.entitled, plan.cell
        one.revision, one.shares = step.action.revision, entitled.shares
        one.gross, one.tax, one.net, one.pay_date = entitled.gross, entitled.tax, entitled.net, entitled.pay_date
        if step.action.kind == CorporateAction.Kind.DIVIDEND:
            one.withholding_rate = Decimal(repr(plan.facts.withholding[step.action.pk]))
        if step.anchor_before is None:
            one.anchor_before, one.anchor_after = cell.anchor, cell.anchor
            return
        cell.anchor_set_at = cell.anchor_set_at or cell.opened_at
        one.anchor_before, one.anchor_after = step.anchor_before, step.anchor_after
        one.anchor_base, one.anchor_set_at = plan.facts.anchor_base, cell.anchor_set_at

    def _give(self, cell: Cell, one: ActionApplication, step: Step) -> None:
        """Book shares of a split, or a dividend as receivable with its tax."""
        entitled = step.entitled
        if entitled.gained:
            self._post(cell, Movement(kind=Kind.SPLIT, key=one.key, shares=entitled.gained))
        if entitled.gross:
            price = step.action.amount
            self._post(cell, Movement(kind=Kind.DIVIDEND, key=one.key, receivable=entitled.gross, price=price))
            self._post(cell, Movement(kind=Kind.TAX, key=f"{one.key}:tax", receivable=-entitled.tax))

    def _move_with(self, plan: Plan, step: Step) -> None:
        """Move the anchor with an action, and cost and what was filled since it with a split that comes in time."""
        cell, ratio = plan.cell, step.action.ratio
        if step.anchor_before is not None and not step.action.is_withdrawn:
            _set_anchor(cell, step.anchor_after, step)
        if ratio is None or plan.recounts or not step.is_new:
            return
        cell.average_cost = numbers.cost(float(cell.average_cost) / float(ratio))
        cell.bought_since_anchor = numbers.shares(float(cell.bought_since_anchor) * float(ratio))
        cell.sold_since_anchor = numbers.shares(float(cell.sold_since_anchor) * float(ratio))

    def _finish(self, plan: Plan, recounted: Mapping[str, Decimal]) -> None:
        if not plan.moves_anchor and not recounted:
            return
        with self._changes.changing(plan.cell, kind="cell.action_adjusted"):
            _set_anchor(plan.cell, plan.anchor, None)
            for name, value in recounted.items():
                setattr(plan.cell, name, value)

    def _pay(self, cell: Cell, one: ActionApplication, price: Decimal | None) -> None:
        """Move a dividend from receivable to cash, and at `price` into shares where the cell reinvests."""
        with self._changes.changing(cell, kind="cell.dividend_paid") as change:
            if one.net:
                paid = Movement(kind=Kind.DIVIDEND, key=f"{one.key}:paid", receivable=-one.net, cash=one.net)
                self._post(cell, paid)
            one.paid_at = self._as_of
            if one.pk is not None:
                self._changed[one.pk] = one
            change.details |= {"action": one.action_id, "net": one.net}
            if cell.reinvest_dividends and price is not None:
                self._reinvest(cell, one, price)

    def _reinvest(self, cell: Cell, one: ActionApplication, price: Decimal) -> None:
        step = float(MICRO if cell.parameters is None else cell.parameters.quantity_step)
        after, bought = apply_reinvestment(position_of(cell), float(one.net), float(price), step)
        if bought:
            movement = Movement(
                kind=Kind.BUY,
                key=f"{one.key}:paid:reinvested",
                cash=numbers.money(after.cash) - cell.cash,
                shares=numbers.shares(bought),
                price=price,
                note="dividend reinvested",
            )
            self._post(cell, movement)
            cell.average_cost = numbers.cost(after.average_cost)

    def _reverse(self, cell: Cell, one: ActionApplication, entry: LedgerEntry) -> None:
        movement = Movement(
            kind=entry.kind,
            key=f"reverse:{entry.pk}",
            cash=-entry.cash,
            shares=-entry.shares,
            receivable=-entry.receivable,
            price=entry.price,
            note=self._origin.reason or "corrected",
            reverses_id=entry.pk,
        )
        if entry.kind == Kind.BUY:
            self._reinvested_at[one.pk] = entry.price or ZERO
            _take_out_of_cost(cell, entry)
        self._post(cell, movement)

    def _post(self, cell: Cell, movement: Movement) -> None:
        account = cell.portfolio.account
        entry = entry_make(account=account, owner=cell, movement=movement, as_of=self._as_of, origin=self._origin)
        self._entries.append(entry)


def _set_anchor(cell: Cell, anchor: Decimal | None, step: Step | None) -> None:
    """Move an anchor for an action; when it was set stays, for it is still the same one."""
    if anchor is None and cell.anchor is not None:
        what = "Corporate actions" if step is None else f"A {step.action.kind} of {step.action.amount:f} a share"
        cell.status_reason = f"{what} {NO_ANCHOR}"
    elif anchor is not None and cell.anchor is None and cell.status_reason.endswith(NO_ANCHOR):
        cell.status_reason = ""
    cell.anchor = anchor


def _take_out_of_cost(cell: Cell, entry: LedgerEntry) -> None:
    """Take reinvested shares out of the average cost, as if they had never joined."""
    left = cell.shares - entry.shares
    if left > 0:
        cell.average_cost = numbers.cost((cell.average_cost * cell.shares + entry.cash) / left)


def _is_dated_anew(step: Step, one: ActionApplication, day: dt.date) -> bool:
    """Return whether only the pay date changed and the payment itself stays as it is."""
    entitled = step.entitled
    if one.gross != entitled.gross or step.booked_gain != entitled.gained:
        return False
    return one.paid_at is None or (entitled.pay_date is not None and entitled.pay_date <= day)


def _keys(one: ActionApplication) -> tuple[str, ...]:
    """Return the keys of the entries that a booking may have, last first."""
    return (f"{one.key}:paid:reinvested", f"{one.key}:paid", f"{one.key}:tax", one.key)


def _booked(steps: Iterable[Step]) -> dict[str, LedgerEntry]:
    """Return the entries of the applications that are corrected, by tenant-wide key."""
    corrected = [step.application for step in steps if step.application is not None]
    if not corrected:
        return {}
    keys = [key for one in corrected for key in _keys(one)]
    rows = LedgerEntry.objects.filter(key__in=keys, cell__in={one.cell_id for one in corrected})
    return {entry.key: entry for entry in rows}


def _told(step: Step) -> dict[str, Decimal | None]:
    if step.action.ratio is not None:
        return {"ratio": step.action.ratio, "shares": step.entitled.gained}
    return {"gross": step.entitled.gross, "tax": step.entitled.tax}


def _pay_order(one: ActionApplication) -> tuple[dt.date, dt.date, int, int]:
    return (one.pay_date or dt.date.max, one.action.ex_date, one.action.number, one.action_id)
