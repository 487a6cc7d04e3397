"""Expected rows of `learning_days` and `learning_progress`, computed from visits, not from the responses.

learning_days       one row per user and day with learning; row_key is day/user_id
learning_progress   one row per user and record; row_key is user_id/record_id
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from emulator.clock import DAY, to_text
from emulator.codes import RESOURCE_TYPES
from emulator.encodings import time_text
from emulator.learning.generator import records, visits
from emulator.orders.generator import OrderGenerator
from emulator.users.generator import UserGenerator

_OFFSET = 8 * 3600


def days(shop_id: str, users: UserGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """Expected rows of the days in [begin, end), both midnights of Beijing."""
    for number in range(users.registrations.count(now)):
        user = users.user(number)
        learned = Counter[int]()
        for visit in visits(user, min(now, end - 1)):
            if visit.at >= begin:
                learned[(visit.at + _OFFSET) // DAY] += visit.seconds
        for day, seconds in learned.items():
            text = to_text(day * DAY)[:10]
            yield {
                "shop_id": shop_id,
                "row_key": f"{text}/{user.user_id}",
                "day": text,
                "user_id": user.user_id,
                "stay_seconds": seconds,
            }


def progress(
    shop_id: str, orders: OrderGenerator, users: UserGenerator, begin: int, end: int, now: int
) -> Iterator[dict[str, object]]:
    """Expected rows of the users who paid for an order in [begin, end)."""
    for user_id in sorted(_buyers(orders, begin, end, now)):
        number = users.number_of(user_id, now)
        for record in [] if number is None else records(users.user(number), orders.catalogue, now):
            yield {
                "shop_id": shop_id,
                "row_key": f"{user_id}/{record.record_id}",
                "user_id": user_id,
                "resource_id": record.resource_id,
                "product_id": record.product_id,
                "record_id": record.record_id,
                "resource_type": record.resource_type,
                "resource_type_text": RESOURCE_TYPES.get(record.resource_type),
                "progress": record.progress,
                "max_progress": record.best,
                "is_finished": int(record.finished_at is not None),
                "finished_at": time_text(record.finished_at),
                "last_learned_at": time_text(record.last_at),
                "stay_seconds": record.seconds,
                "created_at": time_text(record.first_at),
            }


def _buyers(orders: OrderGenerator, begin: int, end: int, now: int) -> set[str]:
    created = map(orders.order, orders.created_between(begin - DAY, end, now))
    return {
        order.user_id
        for order in created
        if order.lifecycle.paid_at is not None and begin <= order.lifecycle.paid_at < min(end, now + 1)
    }
