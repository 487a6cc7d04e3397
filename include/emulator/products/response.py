"""A product as the API sends it (docs/xiaoe-api.md sections 5 and 9)."""

from __future__ import annotations

from emulator.clock import to_text
from emulator.encodings import UNKNOWN_FIELDS, Encoder
from emulator.products.generator import Goods, ProductSnapshot
from emulator.seeded import draw


def render(goods: Goods, snapshot: ProductSnapshot, salt: int) -> dict[str, object]:
    """One row; another `salt` gives other encodings. Guess: CMN is for physical products."""
    product = goods.product
    encoder = Encoder(draw(goods.encoding ^ salt, (snapshot.updated or 0) << 1 | snapshot.is_deleted))
    row: dict[str, object] = {
        "resource_id": product.resource_id,
        "spu_id": goods.spu_id,
        "spu_type": goods.spu_type,
        "resource_type": encoder.number(product.resource_type),
        "goods_name": product.title,
        "goods_img": ["https://img.invalid/" + product.resource_id] if goods.number % 7 else [],
        "price_low": encoder.fen(product.price),
        "price_high": encoder.fen(goods.price_high),
        "price_line": encoder.fen(goods.price_line),
        "sale_status": encoder.number(snapshot.sale_status),
        "is_deleted": encoder.number(snapshot.is_deleted),
        "created_at": to_text(goods.created),
        "updated_at": encoder.time(snapshot.updated),
    }
    for name in goods.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if goods.has_unknown_fields else row
