"""One shop's orders by number: their constant attributes, lifecycles, and lookups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from emulator.codes import IMPORT_CLIENT_TYPES, IMPORT_ORDER_TYPES
from emulator.orders.arrivals import Arrivals
from emulator.orders.attributes import COUPON_DISCOUNT, Attributes, attribute_sets
from emulator.orders.catalogue import PHYSICAL, Catalogue, Product, Receiver
from emulator.orders.lifecycle import (
    REFUND_DONE,
    REFUNDING,
    OrderLifecycle,
    OrderSnapshot,
    Refund,
    make_lifecycle,
    may_refund,
    snapshot_at,
)
from emulator.seeded import between, draws_of, fraction, key_of

_MASK = (1 << 48) - 1
_SCATTER = 0xD1342543DE83  # odd, so that it can be undone
_GATHER = pow(_SCATTER, -1, 1 << 48)
_KEPT = 20_000  # orders, about 30 MB: rescans request the same ones repeatedly
BAD_ROWS = ("price_abc", "order_id_missing", "refund_money_12x", "created_time_text")


class Order(NamedTuple):
    """The constant attributes of an order; money in fen."""

    number: int
    created: int
    order_id: str
    user_id: str
    product: Product
    quantity: int
    price: int
    coupon_price: int
    discounts: tuple[tuple[str | None, int, int], ...]  # coupon included: name, code, fen
    discount_price: int  # their sum
    receiver: Receiver | None
    transaction_id: str
    attributes: Attributes
    bad_row: str | None
    encoding: int
    lifecycle: OrderLifecycle

    @property
    def is_imported(self) -> bool:
        """Whether it was imported into the shop, which makes it no revenue (docs/xiaoe-api.md section 2)."""
        types = self.attributes.order_types
        return not set(types).isdisjoint(IMPORT_ORDER_TYPES) or self.attributes.client_type in IMPORT_CLIENT_TYPES


class OrderGenerator:
    """All orders of one shop, generated on demand."""

    def __init__(self, key: bytes, arrivals: Arrivals, bad_rows: float) -> None:
        self._orders_key = key_of(key.hex(), "orders")
        self._arrivals = arrivals
        self._bad_rows = bad_rows
        self.catalogue = Catalogue(key)
        self._attributes = attribute_sets(key)
        self.as_created = lru_cache(maxsize=_KEPT)(self._order)
        self.amended: dict[int, OrderLifecycle] = {}
        self.matching = lru_cache(maxsize=16)(self._matching)

    @property
    def starts(self) -> int:
        """The unix second before which there are no orders."""
        return self._arrivals.start

    def order(self, number: int) -> Order:
        """The order with this number, as amended."""
        order = self.as_created(number)
        return order._replace(lifecycle=self.amended[number]) if number in self.amended else order

    def amend(self, order_id: str, *, settled_at: int | None, refunded_at: int | None) -> None:
        """Let a paid order be settled, or wholly refunded without an after-sale, at other times; unix seconds.

        Raises ValueError for an order that is unknown or not paid.
        """
        number = next(iter(self.with_id(order_id, range(_MASK))), None)
        lifecycle = None if number is None else self.order(number).lifecycle
        if number is None or lifecycle is None or lifecycle.paid_at is None:
            raise ValueError(f"order_id: expected a paid order, got {order_id!r}")
        if settled_at is not None:
            lifecycle = lifecycle._replace(settled_at=settled_at)
        if refunded_at is not None:
            price = self.order(number).price
            refund = Refund(refunded_at - 1, refunded_at, REFUNDING, REFUND_DONE, price, by_merchant=True)
            lifecycle = lifecycle._replace(refund=refund)
        self.amended[number] = lifecycle
        self.matching.cache_clear()

    def created_between(self, begin: int, end: int, now: int) -> range:
        """Numbers of the orders created in [begin, end) that exist at `now`."""
        visible = now + 1
        first = self._arrivals.count_before(min(begin, visible))
        return range(first, max(first, self._arrivals.count_before(min(end, visible))))

    def may_refund(self, number: int) -> bool:
        """Whether an order's lifecycle can contain a refund; costs a tenth of generating the order."""
        return may_refund(draws_of(self._orders_key, number))

    def with_id(self, order_id: str, numbers: range) -> Sequence[int]:
        """The number of the order with this id if it is in `numbers`."""
        try:
            number = int(order_id.split("_")[2], 16) * _GATHER & _MASK
        except (IndexError, ValueError):
            return ()
        return (number,) if number in numbers and self.order(number).order_id == order_id else ()

    def _order(self, number: int) -> Order:
        """Generate the order with this number."""
        draws = draws_of(self._orders_key, number)
        catalogue = self.catalogue
        created = self._arrivals.created(number)
        product = catalogue.product(draws[0])
        user = catalogue.user(number, draws[1])
        attributes = self._attributes[draws[12] % len(self._attributes)]
        physical = product.resource_type == PHYSICAL
        quantity = between(draws[13], 2, 5) if physical and draws[13] & 7 == 0 else 1
        total = product.price * quantity
        coupon = total // (3 + draws[14] % 8) if attributes.coupon_id else 0
        discounts = _discounts(attributes, total, coupon)
        discount_price = sum(fen for _, _, fen in discounts)
        price = total - discount_price
        return Order(
            number,
            created,
            f"o_{created}_{number * _SCATTER & _MASK:012x}_{draws[14] % 100_000_000:08d}",
            catalogue.user_id(user),
            product,
            quantity,
            price,
            coupon,
            discounts,
            discount_price,
            catalogue.receiver(user, draws[15]) if physical else None,
            f"42000{draws[14]:010d}{number:013d}",
            attributes,
            BAD_ROWS[draws[13] >> 8 & 3] if fraction(draws[15]) < self._bad_rows else None,
            draws[13] ^ draws[15] << 32,
            make_lifecycle(created, price, physical, draws),
        )

    def _matching(self, numbers: Sequence[int], filters: tuple[tuple[str, str], ...], now: int) -> list[int]:
        """Those of `numbers` whose filterable fields equal the filters; costs O(numbers)."""
        return [number for number in numbers if _matches(self.order(number), dict(filters), now)]


def _discounts(attributes: Attributes, total: int, coupon: int) -> tuple[tuple[str | None, int, int], ...]:
    """The discounts of an order of `total` fen; those that come to less than a fen are left out."""
    others = ((name, code, total // divisor) for name, code, divisor in attributes.discounts)
    discounts = ((attributes.coupon_name, COUPON_DISCOUNT, coupon), *others)
    return tuple(discount for discount in discounts if discount[2])


def _matches(order: Order, filters: Mapping[str, str], now: int) -> bool:
    snapshot: OrderSnapshot = snapshot_at(order.lifecycle, now)
    values = {
        "order_id": order.order_id,
        "resource_id": order.product.resource_id,
        "transaction_id": order.transaction_id if snapshot.pay_time else None,
        "out_order_id": order.attributes.out_order_id,
        "user_id": order.user_id,
        "order_state": snapshot.order_state,
        "ship_state": snapshot.ship_state,
        "sales_state": snapshot.sales_state,
        "resource_type": order.product.resource_type,
    }
    return all(str(values[field]) == text for field, text in filters.items())
