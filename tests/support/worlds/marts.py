"""Orders as a readable table, into the warehouse through the statements of the merge; and the marts out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from support.worlds.shop import Database, merge_sql
from xiaoe.clock import BEIJING
from xiaoe.marts.refresh import Refresher
from xiaoe.merge import expected
from xiaoe.mysql.session import Session
from xiaoe.mysql.templates import split_statements
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS

TYPES = {"视频": 3, "图文": 1, "-": 99}
"""Text of a product type → its code; 99 is one without a text."""
MARTS = {
    "mart_products_daily": "shop_id, day, resource_id, product_type, channel",
    "bi_sales_daily": "shop_id, day, product_type, channel",
    "bi_buyers_daily": "shop_id, day, channel",
    "mart_people": "shop_id, user_id",
    "buyer_firsts": "shop_id, user_id",
    "mart_cohorts": "shop_id, active_month, cohort_month, channel",
    "bi_refund_ages": "shop_id, pay_day, product_type, channel, age_days",
    "bi_refund_curve": "shop_id, pay_week, product_type, channel, age_days",
    "bi_benefits_daily": "shop_id, deadline_day, decision, reason, product_type",
    "bi_benefit_changes_daily": "shop_id, day, old_decision, new_decision",
    "mart_buyers": "shop_id, user_id",
    "mart_cohorts_daily": "shop_id, day, cohort_month, channel",
    "mart_promotions_daily": "shop_id, day, order_type, discount, coupon",
    "bi_customers": "shop_id, cohort_month, channel, segment, times, interval_text",
    "bi_registrations": "shop_id, day, channel, interval_text",
}
"""Table → its key."""


@dataclass(frozen=True)
class Sale:
    """An order as far as the marts care; times are Beijing, naive."""

    shop_id: str
    order_id: str
    user_id: str | None
    resource_id: str | None
    resource_type_text: str | None
    resource_type: int | None
    created_time: datetime | None
    pay_time: datetime | None
    price: Decimal | None
    order_state: int | None
    refund_time: datetime | None
    refund_money: Decimal | None
    quantity: int | None = 1
    client_type: int | None = None
    order_type: str | None = None
    problem_columns: str | None = None
    order_type_text: str | None = None
    coupon_id: str | None = None
    coupon_name: str | None = None
    coupon_price: Decimal | None = None
    discount_price: Decimal | None = None


def sales(table: str) -> list[Sale]:
    """Orders written as lines of `|`-separated cells, with a heading; `-` is nothing."""
    _, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [
        Sale(
            shop_id=shop,
            order_id=order,
            user_id=None if buyer == "-" else buyer,
            resource_id=product,
            resource_type_text=None if kind == "-" else kind,
            resource_type=TYPES[kind],
            created_time=_time(created),
            pay_time=_time(paid),
            price=_money(price),
            order_state=int(state),
            refund_time=_time(refunded),
            refund_money=_money(back),
        )
        for shop, order, buyer, product, kind, created, paid, price, state, refunded, back in lines
    ]


def _time(text: str) -> datetime | None:
    return None if text == "-" else datetime.fromisoformat(f"2026-{text}")


def _money(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text)


@cache
def _statements(resource: str) -> list[str]:
    return split_statements(merge_sql(resource))


def merge(session: Session, found: Iterable[Sale], observed_at: datetime) -> None:
    """Write orders as a merge does, in a transaction of their own; `observed_at` is UTC, naive."""
    names = [field.name for field in fields(Sale)]
    others = ("row_hash", "raw_hash", "observed_at", "batch_id")
    columns = ["shop_id", *ORDERS.reader.columns, *others]
    session.execute("DROP TEMPORARY TABLE IF EXISTS stg_orders")
    session.execute(
        "CREATE TEMPORARY TABLE stg_orders (PRIMARY KEY (shop_id, order_id))"
        f" SELECT {', '.join(columns)} FROM orders LIMIT 0"
    )
    session.insert_many(
        f"INSERT INTO stg_orders ({', '.join([*names, *others])})"
        f" VALUES ({', '.join(['%s'] * (len(names) + len(others)))})",
        [(*asdict(one).values(), hash(one) % 2**63, hash(one) % 2**63, observed_at, "b") for one in found],
    )
    for statement in _statements("orders"):
        session.execute(statement)
    session.commit()


def merge_users(
    session: Session,
    shop_id: str,
    sources: Mapping[str, str | None],
    observed_at: datetime,
    registered: Mapping[str, datetime | None] | None = None,
) -> None:
    """Write users as a merge of their list does, with what the list says of where they come from and since when."""
    columns = ("shop_id", "user_id", "source", "registered_at", "row_hash", "raw_hash", "observed_at", "batch_id")
    session.execute("DROP TEMPORARY TABLE IF EXISTS stg_users")
    session.execute("CREATE TEMPORARY TABLE stg_users (PRIMARY KEY (shop_id, user_id)) SELECT * FROM users LIMIT 0")
    session.insert_many(
        f"INSERT INTO stg_users ({', '.join(columns)}) VALUES (%s, %s, %s, %s, 1, 1, %s, 'b')",
        [(shop_id, user, source, (registered or {}).get(user), observed_at) for user, source in sources.items()],
    )
    for statement in _statements("users"):
        session.execute(statement)
    session.commit()


def merge_accounts(session: Session, shop_id: str, merges: Mapping[str, str], at: datetime) -> None:
    """The shop merges accounts into others, all at a time of Beijing, and pushes that."""
    session.insert_many(
        "REPLACE INTO user_merges (shop_id, source_user_id, target_user_id, merged_at, told_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        [(shop_id, source, target, at, at) for source, target in merges.items()],
    )
    session.commit()


def lose(session: Session, sale: Sale) -> None:
    """The shop no longer lists an order, and somebody has accepted that."""
    expected.mark_absent(session, ORDERS, sale.shop_id, [sale.order_id])
    session.commit()


def refresh(shop_id: str, today: datetime, *, rebuild: bool = False) -> dict[str, int]:
    """Bring the marts of a shop up to date; `today` is Beijing, naive."""
    return dict(Refresher(Warehouse(), shop_id, now=today.replace(tzinfo=BEIJING)).refresh(rebuild=rebuild))


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that the marts hold, in order of their keys; without the day as of which a curve was worked out."""
    found = {}
    for table, key in MARTS.items():
        rows = database.rows(f"SELECT * FROM {table} ORDER BY {key}")
        found[table] = [tuple(value for name, value in row.items() if name != "as_of") for row in rows]
    return found


def later(sale: Sale, days: float, **changes: Any) -> Sale:
    """The same order refunded so many days after its payment."""
    assert sale.pay_time is not None
    return replace(sale, refund_time=sale.pay_time + timedelta(days=days), **changes)
