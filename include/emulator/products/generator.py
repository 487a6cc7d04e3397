"""One shop's products by number, and what becomes of each.

A product is made every day and a half, from a year before the shop's first order on and without end. Orders
name the first ``SOLD`` of them, all of which are on sale by then and none deleted within the first 20 days; the
later ones are new goods that nobody has bought yet. Since the orders of a seed are fixed, they go on naming products
that are off sale or deleted by now.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.orders.catalogue import PHYSICAL, SOLD, Catalogue, Product
from emulator.seeded import between, fraction, key_of, roll

_HOUR = 3600
_PACE = 36 * _HOUR
_KEPT = 4096  # as many as are made in sixteen years
OFF_SALE, ON_SALE, NOT_YET, ODD_STATUS = 0, 1, 2, 9  # the last is a code the documentation does not know
# Fields that some rows leave out (docs/xiaoe-api.md section 9.8).
_OMISSIONS = (("price_line",), ("spu_type",), ("goods_img",), ("price_high",))


class Goods(NamedTuple):
    """What never changes about a product, and its moments in unix seconds (``None``: never). Money in fen."""

    number: int
    product: Product
    spu_id: str
    spu_type: int
    price_high: int
    price_line: int | None
    created: int
    on_sale_at: int
    off_sale_at: int | None
    back_on_sale_at: int | None
    deleted_at: int | None
    gone_at: int | None  # from then on no list shows it
    touched_at_creation: bool  # otherwise ``updated_at`` is empty until something changes
    has_odd_status: bool
    omitted: tuple[str, ...]
    has_unknown_fields: bool
    forms: int


class Display(NamedTuple):
    """What a product shows at one time."""

    sale_status: int
    is_deleted: int
    updated: int | None


def display_at(goods: Goods, now: int) -> Display:
    """Return what a product shows at ``now``."""
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
    return Display(ODD_STATUS if odd else status, int(is_deleted), None if untouched else updated)


class ProductBook:
    """All products of one shop, made on demand."""

    def __init__(self, key: bytes, start: int, catalogue: Catalogue) -> None:
        self._key = key_of(key.hex(), "goods")
        self._start = start
        self._catalogue = catalogue
        self.goods = lru_cache(maxsize=_KEPT)(self._goods)

    def listed(self, now: int) -> list[Goods]:
        """Return what the list shows at ``now``, newest first."""
        last = SOLD + (now - self._start) // _PACE
        made = (self.goods(number) for number in range(last, -1, -1))
        return [goods for goods in made if goods.created <= now and (goods.gone_at is None or now < goods.gone_at)]

    def made(self, now: int) -> list[Goods]:
        """Return every product ever made up to ``now``, oldest first, whether or not it is still listed."""
        last = SOLD + (now - self._start) // _PACE
        made = (self.goods(number) for number in range(last + 1))
        return [goods for goods in made if goods.created <= now]

    def _goods(self, number: int) -> Goods:
        dice = roll(self._key, number)
        product = self._catalogue.numbered(number)
        physical = product.resource_type == PHYSICAL
        created = self._start + (number - SOLD) * _PACE + between(dice[0], 0, _PACE - 1)
        on_sale_at = created + between(dice[2], _HOUR, 40 * DAY) if fraction(dice[1]) < 0.4 else created
        if number < SOLD:
            on_sale_at = min(on_sale_at, max(created, self._start - 1))
        off_at = on_sale_at + between(dice[4], 20 * DAY, 300 * DAY) if fraction(dice[3]) < 0.35 else None
        back_at = off_at + between(dice[5], DAY, 30 * DAY) if off_at and dice[5] % 5 < 2 else None
        settled = back_at or off_at or on_sale_at
        deleted_at = settled + between(dice[7], DAY, 250 * DAY) if fraction(dice[6]) < 0.15 else None
        if deleted_at and number < SOLD:
            deleted_at = max(deleted_at, self._start + between(dice[7], 20 * DAY, 300 * DAY))
        omission = dice[10] % 120
        return Goods(
            number,
            product,
            product.goods_no if physical else f"spu_{dice[8]:08x}{number:04x}",
            2 if physical else 1,
            product.price * (2 + dice[9] % 3) if physical and dice[9] & 1 << 16 else product.price,
            (None, 0, product.price * 3 // 2 + 100)[dice[11] % 3],
            created,
            on_sale_at,
            off_at,
            back_at,
            deleted_at,
            deleted_at + between(dice[12], 0, 12 * DAY) if deleted_at and dice[12] % 10 < 7 else None,
            dice[13] & 1 == 1,
            dice[13] % 50 == 2,
            _OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
            dice[14] % 60 == 0,
            dice[14] ^ dice[15] << 32,
        )
