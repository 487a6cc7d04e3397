"""Attributes of an order that depend on nothing else; a shop has a few thousand sets, generated once."""

from __future__ import annotations

from typing import NamedTuple

from emulator.seeded import draws_of, key_of

_SETS = 4096
_COUPONS = ("新人券", "满减🎁", '老学员"专享"', "618\\大促", "满100\t减10")
_SYSTEMS = (
    '{"os":"iOS 17.4","app":"wechat"}',
    "Android 14; MIUI\\15",
    "Windows 10\tChrome",
    "",
    '["h5", "微信😀"]',
)
# client_type, and the codes of order_type, by weight; 99 and 98 are undocumented. Imported orders are marked by
# either code or by both.
_CLIENT_TYPES = (0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 5, 6, 11, 11, 12, 12, 13, 15, 20, 31, 32, 33, 35, 88, 99)
_ORDER_TYPES = (*[(2,)] * 16, (6,), (10,), (12,), (14,), (2, 16), (2, 22), (2, 26), (37,), (66,), (2, 72), (98,), ())
_IMPORTED = (((30,), 10), ((70,), 30), ((2, 30), 10), ((70,), 11), ((2,), 30))
_IMPORTS = 25  # one set in this many is of imported orders
# discount_name and divisor of the price; the codes of discount_type are guesses.
_DISCOUNTS = (("限时折扣", 10), ("会员折扣\t95折", 20), ("推广优惠🎁", 8))
COUPON_DISCOUNT, FIRST_DISCOUNT = 3, 5
# Fields omitted from some rows (docs/xiaoe-api.md section 9.8)
_OMISSIONS = (
    ("goods_no",),
    ("system_info", "client_type"),
    ("coupon_id", "coupon_name", "coupon_price"),
    ("settle_time",),
    ("receiver_detail",),
    ("team_buy_state", "sales_state"),
    ("out_order_id",),
    ("refund_money",),
    ("order_type",),
    ("discount_price", "discount_data"),
    ("after_sales_state",),
)


class Attributes(NamedTuple):
    """One set. Absent money is 0 or None (sent as one of the API's blanks), absent text `""` or None."""

    price_blank_until_paid: bool
    coupon_id: str | None
    coupon_name: str | None
    no_coupon_price: int | None
    no_refund: int | None
    no_text: str | None
    out_order_id: str | None
    pay_way: int
    client_type: int
    order_types: tuple[int, ...]
    discounts: tuple[tuple[str, int, int], ...]  # beside the coupon: name, code, divisor of the price
    system_info: str
    omitted: tuple[str, ...]
    has_unknown_fields: bool


def attribute_sets(key: bytes) -> list[Attributes]:
    """The attribute sets of a shop."""
    attributes_key = key_of(key.hex(), "habits")
    return [_attributes(draws_of(attributes_key, number)) for number in range(_SETS)]


def _attributes(draws: tuple[int, ...]) -> Attributes:
    no_text = ("", None)[draws[0] & 1]
    has_coupon = draws[1] % 5 == 0
    omission = draws[2] % 300
    order_types, client_type = _origin(draws, has_coupon=has_coupon)
    return Attributes(
        price_blank_until_paid=draws[3] % 16 == 0,
        coupon_id=f"cu_{draws[4] % 997:x}" if has_coupon else no_text,
        coupon_name=_COUPONS[draws[4] % len(_COUPONS)] if has_coupon else no_text,
        no_coupon_price=(0, None)[draws[5] & 1],
        no_refund=(0, None)[draws[6] & 1],
        no_text=no_text,
        out_order_id=f"ext-{draws[7]}" if draws[8] % 16 == 0 else no_text,
        pay_way=(0, 1, 1, 1, 2, 5, 13, 1)[draws[9] & 7],
        client_type=client_type,
        order_types=order_types,
        discounts=_discounts(draws[14]),
        system_info=_SYSTEMS[draws[11] % len(_SYSTEMS)],
        omitted=_OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
        has_unknown_fields=draws[12] % 97 == 0,
    )


def _origin(draws: tuple[int, ...], *, has_coupon: bool) -> tuple[tuple[int, ...], int]:
    """The codes of order_type, and client_type, from draws 10 and 13."""
    if draws[13] % _IMPORTS == 0:
        return _IMPORTED[draws[10] % len(_IMPORTED)]
    order_types = _ORDER_TYPES[draws[13] // _IMPORTS % len(_ORDER_TYPES)]
    return (*order_types, 8) if has_coupon else order_types, _CLIENT_TYPES[draws[10] % len(_CLIENT_TYPES)]


def _discounts(bits: int) -> tuple[tuple[str, int, int], ...]:
    """The discounts beside the coupon: one set in six has one or two."""
    count = 1 + (bits // 18 & 1) if bits % 6 == 0 else 0
    first = bits // 6 % len(_DISCOUNTS)
    places = (place % len(_DISCOUNTS) for place in range(first, first + count))
    return tuple((_DISCOUNTS[place][0], FIRST_DISCOUNT + place, _DISCOUNTS[place][1]) for place in places)
