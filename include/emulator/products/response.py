"""A product as the API sends it (docs/xiaoe-api.md sections 5 and 9)."""

from __future__ import annotations

from emulator.clock import to_text
from emulator.encodings import UNKNOWN_FIELDS, Forms
from emulator.products.generator import Display, Goods
from emulator.seeded import draw


def render(goods: Goods, display: Display, salt: int) -> dict[str, object]:
    """Return one row; another ``salt`` gives other forms. Guesses: that ``spu_type`` is a number, and which."""
    product = goods.product
    forms = Forms(draw(goods.forms ^ salt, (display.updated or 0) << 1 | display.is_deleted))
    row: dict[str, object] = {
        "resource_id": product.resource_id,
        "spu_id": goods.spu_id,
        "spu_type": forms.number(goods.spu_type),
        "resource_type": forms.number(product.resource_type),
        "goods_name": product.title,
        "goods_img": ["https://img.invalid/" + product.resource_id] if goods.number % 7 else [],
        "price_low": forms.fen(product.price),
        "price_high": forms.fen(goods.price_high),
        "price_line": forms.fen(goods.price_line),
        "sale_status": forms.number(display.sale_status),
        "is_deleted": forms.number(display.is_deleted),
        "created_at": to_text(goods.created),
        "updated_at": forms.time(display.updated),
    }
    for name in goods.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if goods.has_unknown_fields else row
