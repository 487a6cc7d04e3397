"""A shop as dashboards see it: the emulated one, synced, decided on and summed up, its last hundred days up to now."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from emulator.process import running
from support.fixtures import shop_connection
from support.oracles.benefits import LONG_AGO
from support.worlds.runs import unhurried
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, Sync
from xiaoe.api import shop_names
from xiaoe.benefits.decide import Decider, apply_policy
from xiaoe.benefits.policy import read_policy
from xiaoe.clock import BEIJING
from xiaoe.marts.refresh import Refresher
from xiaoe.merge.freshness import write_limits
from xiaoe.merge.status import write_done
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.users import USERS
from xiaoe.windows import EVER, Window

NOW = datetime.now(BEIJING).replace(microsecond=0)
TODAY = NOW.replace(hour=0, minute=0, second=0)
START = TODAY - timedelta(days=100)
BEFORE = NOW - timedelta(days=2)
"""When everything was read first: what changed until NOW was seen to change."""
ORDERS_MADE = 1200
SHOP_NAME = "琴行"
SOLD = "absent_since IS NULL AND is_imported = 0 AND pay_time > CURDATE() - INTERVAL 60 DAY"


def fill(database: Database, store: Path) -> None:
    """Read everything twice, two days apart, decide, and sum up."""
    database.empty()
    with (
        pytest.MonkeyPatch.context() as patch,
        running(
            orders=ORDERS_MADE, start=f"{START:%Y-%m-%d}", now=_clock(BEFORE), frozen=True, seed=7,
            shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"], no_limits=True, token_quota=1_000_000,
        ) as emulator,
    ):  # fmt: skip
        patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", database.url)
        patch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(emulator.url))
        sync = Sync(store)
        _read(sync, BEFORE)
        _decide(BEFORE)
        emulator.set_clock(_clock(NOW))
        _read(sync, NOW)
        _decide(NOW)
        _what_only_time_brings(database)
        Refresher(Warehouse(), APP_ID, now=NOW).refresh()
        with Warehouse().session() as session:
            shop_names.remember(session, APP_ID, SHOP_NAME, "xiaoe_default")
            write_limits(session)
            write_done(session, APP_ID, "marts", "refresh", "")
            session.commit()


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def _read(sync: Sync, now: datetime) -> None:
    sync.run(Window(START, now), resource=unhurried(ORDERS), mode="incremental", moves=True)
    sync.run(Window(START, now), resource=unhurried(REFUNDS), mode="incremental", moves=True)
    for resource in (USERS, PRODUCTS, LIVE_STREAMS):
        sync.run(Window(EVER, now), resource=unhurried(resource), mode="whole")


def _decide(now: datetime) -> None:
    policy = structs.replace(read_policy(), since=LONG_AGO)
    warehouse = Warehouse()
    with warehouse.session() as session:
        number = apply_policy(session, policy, by="test", shop_ids=[APP_ID])
        session.commit()
    Decider(warehouse, APP_ID, policy, number, now=now).decide()


def _what_only_time_brings(database: Database) -> None:
    """Live streams of the day before, answers of people, benefits taken back, a failed run, unreadable amounts."""
    connection = database.connect()
    for statement in (
        "INSERT INTO live_stream_days (shop_id, live_id, day, view_count, reward_sum, purchase_count, observed_at)"
        " SELECT shop_id, live_id, day - INTERVAL 1 DAY, view_count DIV 2, reward_sum / 2, purchase_count DIV 2,"
        " observed_at - INTERVAL 1 DAY FROM live_stream_days",
        "INSERT INTO benefit_reviews (shop_id, order_id, basis, answer, answered_by, answered_at)"
        " SELECT shop_id, order_id, basis, IF(CRC32(order_id) MOD 2, 'grant', 'revoke'), '客服小王',"
        " UTC_TIMESTAMP() - INTERVAL CRC32(order_id) MOD 20 DAY FROM benefit_decisions WHERE CRC32(order_id) MOD 9 = 0",
        "UPDATE sync_status SET status = 'failed' WHERE resource = 'products'",
        "INSERT INTO targets (shop_id, month, metric, value, updated_at) SELECT DISTINCT shop_id,"
        " DATE_FORMAT(UTC_TIMESTAMP() + INTERVAL 8 HOUR, '%Y-%m-01'), 'paid_amount', 100000, '2026-01-01'"
        " FROM orders",
        *(
            "INSERT INTO benefit_decision_log (shop_id, order_id, old_decision, new_decision, reason, policy_id,"
            f" decided_by, decided_at) SELECT shop_id, order_id, {old}, {new}, reason, policy_id, 'system',"
            " decided_at FROM benefit_decisions WHERE decision = 'revoke' ORDER BY order_id LIMIT 2"
            for old, new in (("'review'", "'grant'"), ("'grant'", "'revoke'"))
        ),
        *(
            f"UPDATE orders SET {column} = NULL, problem_columns = '{column}'"
            f" WHERE {SOLD} AND order_state IN ({states}) LIMIT 3"
            for column, states in (("price", "1"), ("refund_money", "3, 10"))
        ),
    ):
        connection.query(statement)
    connection.close()
