"""The line to the broker, which goes down and loses questions and answers where the account's settings say so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from django.db import transaction

from portfolios.models import BrokerAccount
from trading.brokers.base import BrokerUnreachableError
from trading.brokers.paper.book import book_lock
from trading.brokers.paper.dice import Dice
from trading.brokers.paper.settings import PaperSettings
from trading.models import PaperBook
from volbal.common import clock


class _Loss(StrEnum):
    DOWN = "the line is down"
    QUESTION = "the question was lost"
    ANSWER = "the answer was lost"


@contextmanager
def line(account: BrokerAccount, settings: PaperSettings, *, about_an_order: bool = False) -> Iterator[None]:
    """Let the block be carried out at the broker; raises BrokerUnreachableError before it or after it.

    Calls are counted in the book, in a transaction of their own: what is lost follows from the seed and the count.
    """
    loss = _loss(account, settings, about_an_order) if settings.line_may_fail else None
    if loss in (_Loss.DOWN, _Loss.QUESTION):
        raise BrokerUnreachableError(loss)
    yield
    if loss is not None:
        raise BrokerUnreachableError(loss)


def _loss(account: BrokerAccount, settings: PaperSettings, about_an_order: bool) -> _Loss | None:
    dice, moment = Dice(settings.seed), clock.now()
    with transaction.atomic():
        book = book_lock(account)
        if book.silent_until is not None and moment < book.silent_until:
            return _Loss.DOWN
        book.calls += 1
        goes_down = dice.happens(settings.disconnect_rate, "disconnect", book.calls)
        book.silent_until = moment + dt.timedelta(seconds=settings.disconnect_seconds) if goes_down else None
        book.save(update_fields=["calls", "silent_until"])
    return _Loss.DOWN if goes_down else _lost(book, settings, dice) if about_an_order else None


def _lost(book: PaperBook, settings: PaperSettings, dice: Dice) -> _Loss | None:
    if not dice.happens(settings.lost_answer_rate, "lost", book.calls):
        return None
    return _Loss.QUESTION if dice.draw("lost where", book.calls) < 0.5 else _Loss.ANSWER
