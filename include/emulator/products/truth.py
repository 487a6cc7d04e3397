"""Expected rows of the warehouse's `products` table, computed from a product's events, not from the response.

shop_id             the shop's app_id
resource_id, spu_id, spu_type, sale_status, is_deleted, resource_type: unchanged, codes as integers (spu_type is text)
resource_type_text, sale_status_text: the documented text of the code; null for an undocumented code
name                goods_name
price_low, price_high, price_line: fen to yuan, two decimals; a blank is null, 0 is 0.00
created_at, updated_at: Beijing text; a null time is null

A field omitted from the response is null. Products no longer listed have no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import RESOURCE_TYPES, SALE_STATUSES
from emulator.encodings import time_text, yuan
from emulator.products.generator import Goods, ProductGenerator, snapshot_at


def rows(shop_id: str, generator: ProductGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """Expected rows of the products listed at `now` and created in [begin, end), newest first."""
    return (truth(shop_id, goods, now) for goods in generator.listed(now) if begin <= goods.created < end)


def truth(shop_id: str, goods: Goods, now: int) -> dict[str, object]:
    """The expected row without the warehouse's bookkeeping columns."""
    product, snapshot = goods.product, snapshot_at(goods, now)
    row: dict[str, object] = {
        "shop_id": shop_id,
        "resource_id": product.resource_id,
        "spu_id": goods.spu_id,
        "spu_type": goods.spu_type,
        "resource_type": product.resource_type,
        "resource_type_text": RESOURCE_TYPES.get(product.resource_type),
        "name": product.title,
        "price_low": yuan(product.price),
        "price_high": yuan(goods.price_high),
        "price_line": yuan(goods.price_line),
        "sale_status": snapshot.sale_status,
        "sale_status_text": SALE_STATUSES.get(snapshot.sale_status),
        "is_deleted": snapshot.is_deleted,
        "created_at": to_text(goods.created),
        "updated_at": time_text(snapshot.updated),
    }
    row.update(dict.fromkeys((field for field in goods.omitted if field in row), None))
    return row
