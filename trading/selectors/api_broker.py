"""What a broker that works over our API has to do."""

from __future__ import annotations

from django.db.models import Q

from portfolios.models import BrokerAccount
from trading.models import ApiOrder
from volbal.common import clock

S = ApiOrder.State
PAGE = 200


def api_orders_waiting(*, account: BrokerAccount, after: int = 0, limit: int = PAGE) -> list[ApiOrder]:
    """Return the account's orders that wait for the broker, oldest first, from the one after id `after` on.

    Those are orders to place (`waiting`, and `claimed` ones whose claim has lapsed unacknowledged), and orders whose
    cancellation is asked for (`cancel_asked`). A broker asks from the beginning each time: what it has dealt with is
    listed no more.
    """
    moment = clock.now()
    to_place = Q(state=S.WAITING) | Q(state=S.CLAIMED, claimed_until__lte=moment)
    in_time = Q(expires_at__isnull=True) | Q(expires_at__gt=moment)
    rows = ApiOrder.objects.filter(account=account, id__gt=after).filter(to_place & in_time | Q(state=S.CANCEL_ASKED))
    return list(rows.order_by("id")[:limit])
