"""The facts of an order that hang on nothing else: a shop has a few thousand sets of them, made once."""

from __future__ import annotations

from typing import NamedTuple

from emulator.seeded import key_of, roll

_SETS = 4096
_COUPONS = ("新人券", "满减🎁", '老学员"专享"', "618\\大促", "满100\t减10")
_SYSTEMS = (
    '{"os":"iOS 17.4","app":"wechat"}',
    "Android 14; MIUI\\15",
    "Windows 10\tChrome",
    "",
    '["h5", "微信😀"]',
)
# Fields that some rows leave out (docs/xiaoe-api.md section 9.8)
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


class Habits(NamedTuple):
    """One set; money that never moved is 0 or ``None`` (one of the API's blanks), text ``""`` or ``None``."""

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


def all_habits(key: bytes) -> list[Habits]:
    """Return a shop's sets."""
    habits_key = key_of(key.hex(), "habits")
    return [_habits(roll(habits_key, number)) for number in range(_SETS)]


def _habits(dice: tuple[int, ...]) -> Habits:
    no_text = ("", None)[dice[0] & 1]
    has_coupon = dice[1] % 5 == 0
    omission = dice[2] % 300
    return Habits(
        price_blank_until_paid=dice[3] % 16 == 0,
        coupon_id=f"cu_{dice[4] % 997:x}" if has_coupon else no_text,
        coupon_name=_COUPONS[dice[4] % len(_COUPONS)] if has_coupon else no_text,
        no_coupon_price=(0, None)[dice[5] & 1],
        no_refund=(0, None)[dice[6] & 1],
        no_text=no_text,
        out_order_id=f"ext-{dice[7]}" if dice[8] % 16 == 0 else no_text,
        pay_way=(0, 1, 1, 1, 2, 5, 13, 1)[dice[9] & 7],
        client_type=(0, 1, 2, 3, 5, 8, 11, 20)[dice[10] & 7],
        system_info=_SYSTEMS[dice[11] % len(_SYSTEMS)],
        omitted=_OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
        has_unknown_fields=dice[12] % 97 == 0,
    )
