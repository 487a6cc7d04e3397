"""One shop's orders by number: the facts that never change, their stories, and finding them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from emulator.orders.arrivals import Rhythm
from emulator.orders.attributes import Habits, all_habits
from emulator.orders.catalogue import PHYSICAL, Catalogue, Product, Receiver
from emulator.orders.lifecycle import State, Story, may_refund, state_at, tell
from emulator.seeded import between, fraction, key_of, roll

_MASK = (1 << 48) - 1
_SCATTER = 0xD1342543DE83  # odd, so that it can be undone
_GATHER = pow(_SCATTER, -1, 1 << 48)
_KEPT = 20_000  # orders, some 30 MB: what rescans ask for again and again
BAD_ROWS = ("price_abc", "order_id_missing", "refund_money_12x", "created_time_text")


class Order(NamedTuple):
    """What never changes about an order; money in fen."""

    number: int
    created: int
    order_id: str
    user_id: str
    product: Product
    quantity: int
    price: int
    coupon_price: int
    receiver: Receiver | None
    transaction_id: str
    habits: Habits
    bad_row: str | None
    forms: int
    story: Story


class Book:
    """All orders of one shop, made on demand."""

    def __init__(self, key: bytes, rhythm: Rhythm, bad_rows: float) -> None:
        self._orders_key = key_of(key.hex(), "orders")
        self._rhythm = rhythm
        self._bad_rows = bad_rows
        self.catalogue = Catalogue(key)
        self._habits = all_habits(key)
        self.order = lru_cache(maxsize=_KEPT)(self._order)
        self.matching = lru_cache(maxsize=16)(self._matching)

    @property
    def starts(self) -> int:
        """Return the unix second before which there are no orders."""
        return self._rhythm.start

    def created_between(self, begin: int, end: int, now: int) -> range:
        """Return the numbers of the orders created in [begin, end) that exist at ``now``."""
        visible = now + 1
        first = self._rhythm.count_before(min(begin, visible))
        return range(first, max(first, self._rhythm.count_before(min(end, visible))))

    def may_refund(self, number: int) -> bool:
        """Tell whether an order can have a refund in its story; a tenth of the cost of making it."""
        return may_refund(roll(self._orders_key, number))

    def with_id(self, order_id: str, numbers: range) -> Sequence[int]:
        """Return the one order of that id if it is among ``numbers``."""
        try:
            number = int(order_id.split("_")[2], 16) * _GATHER & _MASK
        except (IndexError, ValueError):
            return ()
        return (number,) if number in numbers and self.order(number).order_id == order_id else ()

    def _order(self, number: int) -> Order:
        """Make the order of that number."""
        dice = roll(self._orders_key, number)
        catalogue = self.catalogue
        created = self._rhythm.created(number)
        product = catalogue.product(dice[0])
        user = catalogue.user(number, dice[1])
        habits = self._habits[dice[12] % len(self._habits)]
        physical = product.resource_type == PHYSICAL
        quantity = between(dice[13], 2, 5) if physical and dice[13] & 7 == 0 else 1
        total = product.price * quantity
        coupon = total // (3 + dice[14] % 8) if habits.coupon_id else 0
        return Order(
            number,
            created,
            f"o_{created}_{number * _SCATTER & _MASK:012x}_{dice[14] % 100_000_000:08d}",
            catalogue.user_id(user),
            product,
            quantity,
            total - coupon,
            coupon,
            catalogue.receiver(user, dice[15]) if physical else None,
            f"42000{dice[14]:010d}{number:013d}",
            habits,
            BAD_ROWS[dice[13] >> 8 & 3] if fraction(dice[15]) < self._bad_rows else None,
            dice[13] ^ dice[15] << 32,
            tell(created, total - coupon, physical, dice),
        )

    def _matching(self, numbers: Sequence[int], wanted: tuple[tuple[str, str], ...], now: int) -> list[int]:
        """Return those of ``numbers`` whose filterable fields hold the wanted texts; costs O(numbers)."""
        return [number for number in numbers if _matches(self.order(number), dict(wanted), now)]


def _matches(order: Order, wanted: Mapping[str, str], now: int) -> bool:
    state: State = state_at(order.story, now)
    values = {
        "order_id": order.order_id,
        "resource_id": order.product.resource_id,
        "transaction_id": order.transaction_id if state.pay_time else None,
        "out_order_id": order.habits.out_order_id,
        "user_id": order.user_id,
        "order_state": state.order_state,
        "ship_state": state.ship_state,
        "sales_state": state.sales_state,
        "resource_type": order.product.resource_type,
    }
    return all(str(values[field]) == text for field, text in wanted.items())
