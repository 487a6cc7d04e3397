"""Which unit an amount is in, by what it has to add up to. Pure; every comparison is a vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from xiaoe.shop_check.findings import Finding, Level
from xiaoe.shop_check.loose import amount

FEN = Decimal(100)
Row = Mapping[str, Any]


def order_price(orders: Sequence[Row], products: Sequence[Row]) -> Finding:
    """Yuan or fen: what was paid for an order without a discount is the product's price (fen) times the quantity."""
    prices = {str(row.get("resource_id")): amount(row.get("price_low")) for row in products}
    votes = Counter[str]()
    for row in orders:
        paid, product = amount(row.get("price")), prices.get(str(row.get("resource_id")))
        if paid and product and not amount(row.get("discount_price") or 0) and not amount(row.get("coupon_price") or 0):
            votes[_unit(paid, product * (amount(row.get("count")) or 1))] += 1
    return _decided("price", votes, expected="yuan", otherwise=Level.BAD)


def discount(orders: Sequence[Row], products: Sequence[Row]) -> Finding:
    """Unit of `discount_price`: with what was paid (yuan) it adds up to the product's price (fen)."""
    prices = {str(row.get("resource_id")): amount(row.get("price_low")) for row in products}
    votes = Counter[str]()
    for row in orders:
        off, paid, product = (
            amount(row.get("discount_price")),
            amount(row.get("price")),
            prices.get(str(row.get("resource_id"))),
        )
        if off and paid is not None and product:
            votes[_unit(off, product * (amount(row.get("count")) or 1) - paid * FEN)] += 1
    return _decided("discount", votes, expected="fen", otherwise=Level.REMARK)


def discount_parts(orders: Sequence[Row]) -> Finding:
    """Whether `discount_price` is the sum of `discount_data`."""
    votes = Counter[bool]()
    for row in orders:
        whole, parts = amount(row.get("discount_price")), row.get("discount_data")
        if whole and isinstance(parts, list) and parts:
            each = [amount(part.get("discount_price")) if isinstance(part, dict) else None for part in parts]
            votes[None not in each and sum(filter(None, each)) == whole] += 1
    facts = {"agree": votes[True], "differ": votes[False]}
    if not votes:
        return Finding("discount_parts_unknown", Level.UNKNOWN, "orders", facts)
    return Finding("discount_parts_differ" if votes[False] else "discount_parts_agree", resource="orders", facts=facts)


def pay_sum(buyers: Sequence[tuple[Any, Sequence[Row]]], is_paid: Callable[[Row], bool]) -> Finding:
    """Unit of a user's `pay_sum`, by the sum of his orders' `price` (yuan).

    Args:
        buyers: `pay_sum` of a user, and all orders that he ever made.
        is_paid: Whether an order counts.
    """
    votes = Counter[str]()
    for told, orders in buyers:
        paid = sum((amount(row.get("price")) or Decimal(0) for row in orders if is_paid(row)), Decimal(0))
        if (sum_told := amount(told)) and paid:
            votes[_unit(sum_told, paid * FEN)] += 1
    return _decided("pay_sum", votes, expected=None, otherwise=Level.OK, resource="users")


def _unit(value: Decimal, fen: Decimal) -> str:
    if value == fen:
        return "fen"
    return "yuan" if value * FEN == fen else "other"


def _decided(
    name: str, votes: Counter[str], *, expected: str | None, otherwise: Level, resource: str = "orders"
) -> Finding:
    """`<name>_yuan`, `<name>_fen`, or `<name>_unit_unknown` without a clear majority."""
    yuan, fen = votes["yuan"], votes["fen"]
    facts = {"yuan": yuan, "fen": fen, "other": votes["other"]}
    if not yuan + fen or 2 * min(yuan, fen) >= max(yuan, fen):
        return Finding(f"{name}_unit_unknown", Level.UNKNOWN, resource, facts)
    unit = "yuan" if yuan > fen else "fen"
    return Finding(f"{name}_{unit}", Level.OK if expected in (None, unit) else otherwise, resource, facts)
