"""What people do to a portfolio: its replay's pace, a step, a fresh start, a tick now."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from portfolios.models import Cell, Portfolio
from portfolios.services.cells import cell_pause, cell_start
from portfolios.services.portfolios import portfolio_set_ticks
from trading.feeds.registry import REPLAY
from trading.models import ReplayRun
from trading.selectors.portfolios import replay_view
from trading.services import replays
from trading.services.manual_ticks import tick_now
from trading.views.access import context_of, get_portfolio, origin_of, writer_page
from trading.views.actions import show_dialog
from trading.views.forms import PathForm, TicksForm
from trading.views.responses import done, is_part
from volbal.common.errors import Refused, VolbalError

STARTABLE = (Cell.Status.STOPPED, Cell.Status.PAUSED)
PAUSABLE = (Cell.Status.ACTIVE,)
SPEEDS = tuple(Decimal(speed) for speed in (1, 2, 5, 10, 25))


@require_POST
@writer_page
def tick(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Have a portfolio that lives in the present looked at now."""
    portfolio = get_portfolio(portfolio_id)
    if portfolio.feed == REPLAY:
        messages.error(request, f"{portfolio} has no prices of the present to look at; nothing was done.")
        return redirect("portfolio", portfolio_id=portfolio.pk)
    try:
        tick_now(portfolio=portfolio)
        messages.success(request, "Asked for a tick; figures here move as soon as it is done.")
    except VolbalError as error:
        messages.error(request, str(error))
    return redirect("portfolio", portfolio_id=portfolio.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def ticks(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Say how often a portfolio of the present is looked at, and whether new quotes wake it."""
    portfolio = get_portfolio(portfolio_id)
    if portfolio.mode == Portfolio.Mode.REPLAY:
        raise Http404("A replay keeps a pace of its own.")

    def act(form: TicksForm) -> str:
        given = form.cleaned_data
        seconds, on_quotes = given["tick_interval_seconds"], given["tick_on_quotes"]
        portfolio_set_ticks(
            portfolio=portfolio,
            tick_interval_seconds=seconds,
            tick_on_quotes=on_quotes,
            origin=origin_of(request, given["note"]),
        )
        return f"{portfolio.name} is looked at every {seconds:,} s{' and on new quotes' if on_quotes else ''}."

    shown = {name: getattr(portfolio, name) for name in ("tick_interval_seconds", "tick_on_quotes")}
    form = TicksForm(request.POST or None, initial=shown)
    back = reverse("portfolio", args=[portfolio.pk])
    return show_dialog(request, form, f"When {portfolio.name} is looked at", act, back=back, confirm="Set")


@require_POST
@writer_page
def cells_start(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Let every cell of a portfolio trade that is not started or paused."""
    return _each_cell(request, portfolio_id, STARTABLE, cell_start, "started")


@require_POST
@writer_page
def cells_pause(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Keep every active cell of a portfolio from trading."""
    return _each_cell(request, portfolio_id, PAUSABLE, cell_pause, "paused")


@require_POST
@writer_page
def start(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Let a paused replay go on."""
    return _control(request, portfolio_id, lambda run: replays.replay_start(run=run, origin=origin_of(request)))


@require_POST
@writer_page
def pause(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Hold a replay where it is."""
    return _control(request, portfolio_id, lambda run: replays.replay_pause(run=run, origin=origin_of(request)))


@require_POST
@writer_page
def speed(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Change how many steps a second a replay takes."""

    def act(run: ReplayRun) -> None:
        replays.replay_set_speed(
            run=run, steps_per_second=_speed(request.POST.get("steps_per_second", "")), origin=origin_of(request)
        )

    return _control(request, portfolio_id, act)


@require_POST
@writer_page
def step(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Take one step of a replay by hand."""
    return _control(request, portfolio_id, lambda run: tick_now(portfolio=run.portfolio))


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def again(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Start a replay again in a fresh portfolio, after saying what becomes of the old one."""
    portfolio = get_portfolio(portfolio_id)
    run = _run(portfolio)
    form = PathForm(request.POST or None, initial={"path": run.path})
    if request.method == "POST":
        try:
            path = request.POST.get("path", "")
            fresh = replays.replay_start_again(run=run, origin=origin_of(request), path=path)
            messages.success(request, f"{fresh.portfolio.name} runs; {portfolio.name} is kept to read.")
            return done(request, reverse("portfolio", args=[fresh.portfolio_id]))
        except VolbalError as error:
            messages.error(request, str(error))
            return done(request, reverse("portfolio", args=[portfolio.pk]))
    template = "trading/parts/again.html" if is_part(request) else "trading/again.html"
    return render(request, template, context_of(request, portfolio=portfolio, replay=replay_view(run), form=form))


def _each_cell(
    request: HttpRequest, portfolio_id: int, statuses: tuple[str, ...], act: Callable[..., Cell], told: str
) -> HttpResponse:
    """Act on each cell in one of `statuses` by itself: one that is refused does not hold up the others."""
    portfolio = get_portfolio(portfolio_id)
    done_count = 0
    rows = Cell.objects.filter(portfolio=portfolio, status__in=statuses).select_related("instrument", "parameters")
    for cell in rows.select_related("portfolio__account"):
        try:
            act(cell=cell, origin=origin_of(request))
            done_count += 1
        except VolbalError as error:
            messages.error(request, str(error))
    messages.success(request, f"{done_count} {'cell' if done_count == 1 else 'cells'} {told}.")
    return redirect("portfolio", portfolio_id=portfolio.pk)


def replay_context(portfolio: Portfolio) -> dict[str, Any]:
    """Return what the banner of a replay shows; a portfolio of the present has none."""
    run: ReplayRun | None = getattr(portfolio, "replay", None)
    shown = None if run is None else replay_view(run)
    return {"replay": shown, "speeds": SPEEDS, "portfolio_key": str(portfolio.pk)}


def _control(request: HttpRequest, portfolio_id: int, act: Callable[[ReplayRun], None]) -> HttpResponse:
    portfolio = get_portfolio(portfolio_id)
    run = _run(portfolio)
    try:
        act(run)
    except VolbalError as error:
        messages.error(request, str(error))
    if is_part(request):
        run.refresh_from_db()
        context = context_of(request, portfolio=portfolio, **replay_context(portfolio), told=True)
        return render(request, "trading/parts/replay.html", context)
    return redirect(_back(request, portfolio))


def _run(portfolio: Portfolio) -> ReplayRun:
    run: ReplayRun | None = getattr(portfolio, "replay", None)
    if run is None:
        raise Http404("This portfolio is no replay.")
    if portfolio.is_archived:
        raise Http404("This run is over; it is kept to read.")
    return run


def _speed(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Refused(f"{text!r} is no number of steps a second; the speed was kept.")
    return value


def _back(request: HttpRequest, portfolio: Portfolio) -> str:
    """Return the page the control was used on, if it is one of ours."""
    before = request.headers.get("Referer", "")
    own = url_has_allowed_host_and_scheme(before, {request.get_host()}, require_https=request.is_secure())
    return before if own else reverse("portfolio", args=[portfolio.pk])
