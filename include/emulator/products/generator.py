"""One shop's products by number, and their lifecycles.

A product is created every 36 hours, starting a year before the shop's first order. Orders refer to the first
`SOLD` of them, all of which are on sale by then and none deleted within the first 20 days; later ones are
never bought. Since the orders of a seed are fixed, they keep referring to products that are off sale or deleted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.orders.catalogue import PHYSICAL, SOLD, Catalogue, Product
from emulator.seeded import between, draws_of, fraction, key_of

_HOUR = 3600
_PACE = 36 * _HOUR
_KEPT = 4096  # the products of sixteen years
OFF_SALE, ON_SALE, NOT_YET, ODD_STATUS = 0, 1, 2, 9  # the last is undocumented
# Fields omitted from some rows (docs/xiaoe-api.md section 9.8).
_OMISSIONS = (("price_line",), ("spu_type",), ("goods_img",), ("price_high",))


class Goods(NamedTuple):
    """The constant attributes of a product and its events in unix seconds (None: never). Money in fen."""

    number: int
    product: Product
    spu_id: str
    spu_type: str
    price_high: int
    price_line: int | None
    created: int
    on_sale_at: int
    off_sale_at: int | None
    back_on_sale_at: int | None
    deleted_at: int | None
    gone_at: int | None  # no longer listed from then on, if deleted products are dropped
    touched_at_creation: bool  # otherwise `updated_at` is empty until something changes
    has_odd_status: bool
    omitted: tuple[str, ...]
    has_unknown_fields: bool
    encoding: int


class ProductSnapshot(NamedTuple):
    """The state of a product at one time."""

    sale_status: int
    is_deleted: int
    updated: int | None


def snapshot_at(goods: Goods, now: int) -> ProductSnapshot:
    """The state of a product at `now`."""
    changes = (
        (goods.created, NOT_YET if goods.on_sale_at > goods.created else ON_SALE),
        (goods.on_sale_at, ON_SALE),
        (goods.off_sale_at, OFF_SALE),
        (goods.back_on_sale_at, ON_SALE),
        (goods.deleted_at, OFF_SALE),
    )
    happened = [(moment, status) for moment, status in changes if moment is not None and moment <= now]
    updated, status = max(happened, key=lambda change: change[0])
    is_deleted = goods.deleted_at is not None and goods.deleted_at <= now
    untouched = updated == goods.created and not goods.touched_at_creation
    odd = goods.has_odd_status and status == ON_SALE
    return ProductSnapshot(ODD_STATUS if odd else status, int(is_deleted), None if untouched else updated)


class ProductGenerator:
    """All products of one shop, generated on demand."""

    def __init__(self, key: bytes, start: int, catalogue: Catalogue, *, drops_deleted: bool) -> None:
        self._key = key_of(key.hex(), "goods")
        self._start = start
        self._catalogue = catalogue
        self._drops_deleted = drops_deleted
        self.goods = lru_cache(maxsize=_KEPT)(self._goods)

    def listed(self, now: int) -> list[Goods]:
        """The products listed at `now`, newest first."""
        last = SOLD + (now - self._start) // _PACE
        generated = (self.goods(number) for number in range(last, -1, -1))
        return [goods for goods in generated if goods.created <= now and not self._is_dropped(goods, now)]

    def _is_dropped(self, goods: Goods, now: int) -> bool:
        return self._drops_deleted and goods.gone_at is not None and goods.gone_at <= now

    def created(self, now: int) -> list[Goods]:
        """Every product created up to `now`, oldest first, listed or not."""
        last = SOLD + (now - self._start) // _PACE
        generated = (self.goods(number) for number in range(last + 1))
        return [goods for goods in generated if goods.created <= now]

    def _goods(self, number: int) -> Goods:
        draws = draws_of(self._key, number)
        product = self._catalogue.numbered(number)
        physical = product.resource_type == PHYSICAL
        created = self._start + (number - SOLD) * _PACE + between(draws[0], 0, _PACE - 1)
        on_sale_at = created + between(draws[2], _HOUR, 40 * DAY) if fraction(draws[1]) < 0.4 else created
        if number < SOLD:
            on_sale_at = min(on_sale_at, max(created, self._start - 1))
        off_at = on_sale_at + between(draws[4], 20 * DAY, 300 * DAY) if fraction(draws[3]) < 0.35 else None
        back_at = off_at + between(draws[5], DAY, 30 * DAY) if off_at and draws[5] % 5 < 2 else None
        settled = back_at or off_at or on_sale_at
        deleted_at = settled + between(draws[7], DAY, 250 * DAY) if fraction(draws[6]) < 0.15 else None
        if deleted_at and number < SOLD:
            deleted_at = max(deleted_at, self._start + between(draws[7], 20 * DAY, 300 * DAY))
        omission = draws[10] % 120
        return Goods(
            number,
            product,
            product.goods_no if physical else f"spu_{draws[8]:08x}{number:04x}",
            "CMN" if physical else "VCP",
            product.price * (2 + draws[9] % 3) if physical and draws[9] & 1 << 16 else product.price,
            (None, 0, product.price * 3 // 2 + 100)[draws[11] % 3],
            created,
            on_sale_at,
            off_at,
            back_at,
            deleted_at,
            deleted_at + between(draws[12], 0, 12 * DAY) if deleted_at and draws[12] % 10 < 7 else None,
            draws[13] & 1 == 1,
            draws[13] % 50 == 2,
            _OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
            draws[14] % 60 == 0,
            draws[14] ^ draws[15] << 32,
        )
