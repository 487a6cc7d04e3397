"""A plain script, as a first version would be: decode the JSON, convert, upsert into `orders` and `order_items`.

It infers no members, queues nothing, keeps no log and no ledger, and does not survive a row that cannot be typed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from bench.ours import raw_orders
from bench.place import SHOP, Cost, Place, measured

CODES = (
    "resource_type", "order_state", "ship_state", "pay_way", "client_type", "collection_way", "after_sales_state",
    "team_buy_state", "sales_state",
)  # fmt: skip
TEXTS = (
    "user_id", "resource_id", "title", "coupon_id", "coupon_name", "out_order_id", "transaction_id", "goods_no",
    "system_info", "receiver_name", "receiver_phone", "receiver_detail",
)  # fmt: skip
MONEY = {"price": 1, "coupon_price": 100, "refund_money": 100}
TIMES = ("created_time", "pay_time", "refund_time", "settle_time")
COLUMNS = ("shop_id", "order_id", "quantity", *CODES, *TEXTS, *MONEY, *TIMES)
LINE = ("resource_type", "resource_id", "title", "quantity", "price")
EMPTY = ("", "--", None)
BATCH = 1000


def row_by_row(place: Place, database: str, pages: list[str]) -> Cost:
    """Two statements per order, a commit per page."""

    def write(cursor: Any, orders: list[Any], lines: list[Any]) -> None:
        for order, line in zip(orders, lines, strict=True):
            cursor.execute(ORDERS, order)
            cursor.execute(LINES, line)

    return _run(place, database, pages, write)


def batched(place: Place, database: str, pages: list[str]) -> Cost:
    """A thousand orders per statement."""

    def write(cursor: Any, orders: list[Any], lines: list[Any]) -> None:
        cursor.executemany(ORDERS, orders)
        cursor.executemany(LINES, lines)

    return _run(place, database, pages, write, BATCH)


def _run(place: Place, database: str, pages: list[str], write: Callable[..., None], size: int = 1) -> Cost:
    with place.connected(database) as connection, connection.cursor() as cursor:

        def work() -> int:
            held: list[dict[str, Any]] = []
            total = 0
            for page in [*raw_orders(pages), None]:
                held += page or []
                if held and (page is None or len(held) >= size):
                    orders = [typed(order) for order in held]
                    rows = [[one.get(name) for name in COLUMNS] for one in orders]
                    write(cursor, rows, [line(one) for one in orders])
                    connection.commit()
                    total, held = total + len(held), []
            return total

        return measured(work)


def typed(raw: dict[str, Any]) -> dict[str, Any]:
    """One order as a row of the table."""
    order = {"shop_id": SHOP.app_id, "order_id": raw["order_id"], "quantity": number(raw.get("count"))}
    order |= {name: number(raw.get(name)) for name in CODES}
    order |= {name: raw.get(name) for name in TEXTS}
    for name, unit in MONEY.items():
        order[name] = None if raw.get(name) in EMPTY else Decimal(str(raw[name])) / unit
    for name in TIMES:
        value = raw.get(name)
        never = value in EMPTY or value.startswith(("0000", "-0001"))
        order[name] = None if never else datetime.strptime(value, "%Y-%m-%d %H:%M:%S")
    return order


def line(order: dict[str, Any]) -> list[Any]:
    """Its only line."""
    return [SHOP.app_id, order["order_id"], 1, *(order[name] for name in LINE)]


def number(value: Any) -> int | None:
    """A code or a count."""
    return None if value in EMPTY else int(value)


def _upsert(table: str, columns: tuple[str, ...], constants: dict[str, str]) -> str:
    updates = ", ".join(f"{column} = VALUES({column})" for column in columns if column not in ("shop_id", "order_id"))
    places = ", ".join([*["%s"] * len(columns), *constants.values()])
    return (
        f"INSERT INTO {table} ({', '.join([*columns, *constants])}) VALUES ({places}) ON DUPLICATE KEY UPDATE {updates}"
    )


LINES = _upsert(
    "order_items",
    ("shop_id", "order_id", "line_no", "resource_type", "resource_id", "title", "quantity", "amount"),
    {},
)
ORDERS = _upsert("orders", COLUMNS, {})
BOOKKEEPING = (
    "row_hash BIGINT UNSIGNED NOT NULL DEFAULT 0",
    "raw_hash BIGINT UNSIGNED NOT NULL DEFAULT 0",
    ("observed_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)"),
    "batch_id CHAR(16) NOT NULL DEFAULT ''",
)


def prepare(place: Place, database: str) -> None:
    """Make our bookkeeping columns optional for the script."""
    changes = ", ".join(f"MODIFY {column}" for column in BOOKKEEPING)
    with place.connected(database) as connection:
        connection.query(f"ALTER TABLE orders {changes}")
