"""What the warehouse's ``refunds`` table must hold: told from an after-sale's steps, not the API's answer.

shop_id          the shop's app_id
aftersale_id, order_id, goods_name, sku_id, reason, remark: as they are; ``""`` stays ``""``, null stays null
nickname         nick_name; an empty text stays empty
state, sale_type codes as integers
state_text       the documented text of the code, not the row's state_str; null for one that is not documented
sale_type_text   仅退款, 退货退款, 换货 (the documentation has them in English)
actual_fee, original_price, apply_refund_money, refund_money: fen to yuan, two decimals; a blank is null, 0 is 0.00
created_at, updated_at, invalid_time, state_invalid_time: Beijing text; one of the API's empty times is null

A field the API leaves out of a row is null.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import AFTER_SALE_STATES, SALE_TYPES
from emulator.encodings import time_text, yuan
from emulator.refunds.generator import Case, CaseBook, standing_at
from emulator.users.generator import Nicknames

# The API's name of a field where the table's differs.
_COLUMNS = {"nick_name": "nickname"}


def rows(
    shop_id: str, book: CaseBook, nicknames: Nicknames, begin: int, end: int, now: int
) -> Iterator[dict[str, object] | None]:
    """Yield the expected rows of the after-sales created in [begin, end), in order of their orders' creation."""
    for _, case in book.touched_between(begin, end, now):
        yield truth(shop_id, case, nicknames, now) if begin <= case.created < end else None


def truth(shop_id: str, case: Case, nicknames: Nicknames, now: int) -> dict[str, object]:
    """Return the expected row, without the warehouse's bookkeeping columns."""
    standing, order, tale = standing_at(case, now), case.order, case.tale
    row: dict[str, object] = {
        "shop_id": shop_id,
        "aftersale_id": case.aftersale_id,
        "order_id": order.order_id,
        "nickname": nicknames.of(order.user_id),
        "goods_name": order.product.title,
        "sku_id": case.sku_id,
        "actual_fee": yuan(order.price),
        "original_price": yuan(case.original_price),
        "apply_refund_money": yuan(tale.asked),
        "refund_money": yuan(standing.refund_money),
        "reason": case.reason,
        "remark": case.remark,
        "state": standing.state,
        "state_text": AFTER_SALE_STATES.get(standing.state),
        "sale_type": tale.sale_type,
        "sale_type_text": SALE_TYPES.get(tale.sale_type),
        "created_at": to_text(case.created),
        "updated_at": to_text(standing.updated),
        "invalid_time": time_text(standing.invalid),
        "state_invalid_time": time_text(standing.state_invalid),
    }
    row.update(dict.fromkeys((_COLUMNS.get(field, field) for field in case.omitted if field != "goods_list"), None))
    return row
