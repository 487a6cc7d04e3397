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
    return Attributes(
        price_blank_until_paid=draws[3] % 16 == 0,
        coupon_id=f"cu_{draws[4] % 997:x}" if has_coupon else no_text,
        coupon_name=_COUPONS[draws[4] % len(_COUPONS)] if has_coupon else no_text,
        no_coupon_price=(0, None)[draws[5] & 1],
        no_refund=(0, None)[draws[6] & 1],
        no_text=no_text,
        out_order_id=f"ext-{draws[7]}" if draws[8] % 16 == 0 else no_text,
        pay_way=(0, 1, 1, 1, 2, 5, 13, 1)[draws[9] & 7],
        client_type=(0, 1, 2, 3, 5, 8, 11, 20)[draws[10] & 7],
        system_info=_SYSTEMS[draws[11] % len(_SYSTEMS)],
        omitted=_OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
        has_unknown_fields=draws[12] % 97 == 0,
    )
