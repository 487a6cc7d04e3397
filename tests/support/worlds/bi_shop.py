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
        _who_watched_learned_and_promoted(database)
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


def _who_watched_learned_and_promoted(database: Database) -> None:
    """Viewers of every stream, learners of every product, promoters: what the shop's other lists would bring."""
    stamp = "row_hash, raw_hash, observed_at, batch_id"
    now = "1, 1, UTC_TIMESTAMP(3), 'b'"
    luck = "CRC32(CONCAT(l.live_id, u.user_id))"
    bought = f"SELECT DISTINCT shop_id, user_id, resource_id FROM orders WHERE {SOLD} AND resource_id > ''"
    days = "WITH RECURSIVE d AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 30)"
    connection = database.connect()
    for statement in (
        "INSERT INTO live_viewers (shop_id, row_key, live_id, user_id, live_seconds, replay_seconds, comment_num,"
        f" amount, {stamp}) SELECT l.shop_id, CONCAT(l.live_id, '/', u.user_id), l.live_id, u.user_id,"
        f" IF({luck} MOD 5, {luck} MOD 6000, 0), IF({luck} MOD 4, 0, {luck} MOD 1800), {luck} MOD 3,"
        f" IF({luck} MOD 20, 0, 99), {now} FROM live_streams AS l JOIN users AS u USING (shop_id)"
        f" WHERE {luck} MOD 31 = 0",
        "INSERT INTO parent_readings (shop_id, resource, parent_id, observed_at, same_since, listed, batch_id)"
        " SELECT shop_id, 'live_viewers', live_id, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), COUNT(*), 'b'"
        " FROM live_viewers GROUP BY shop_id, live_id",
        "INSERT INTO learning_progress (shop_id, row_key, user_id, resource_id, is_finished, last_learned_at,"
        f" stay_seconds, {stamp}) SELECT shop_id, CONCAT(user_id, '/', resource_id), user_id, resource_id,"
        " CRC32(CONCAT(user_id, resource_id)) MOD 3 = 0,"
        " CURDATE() - INTERVAL CRC32(CONCAT(user_id, resource_id)) MOD 40 DAY, CRC32(user_id) MOD 9000,"
        f" {now} FROM ({bought}) AS o WHERE CRC32(CONCAT(user_id, resource_id)) MOD 4",
        "INSERT INTO parent_readings (shop_id, resource, parent_id, observed_at, same_since, listed, batch_id)"
        " SELECT DISTINCT shop_id, 'learning_progress', user_id, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 1, 'b'"
        f" FROM ({bought}) AS o WHERE CRC32(user_id) MOD 6 OR user_id IN (SELECT user_id FROM learning_progress)",
        f"INSERT INTO learning_days (shop_id, row_key, day, user_id, stay_seconds, {stamp}) {days}"
        " SELECT p.shop_id, CONCAT(d.n, '/', p.user_id), CURDATE() - INTERVAL d.n DAY, p.user_id,"
        f" CRC32(CONCAT(d.n, p.user_id)) MOD 4000, {now} FROM d JOIN (SELECT DISTINCT shop_id, user_id"
        " FROM learning_progress) AS p WHERE CRC32(CONCAT(p.user_id, d.n)) MOD 7 = 0",
        "INSERT INTO order_origins (shop_id, order_id, share_user_id, channel_type, channel_bus_id,"
        f" {stamp}) SELECT shop_id, order_id, IF(CRC32(order_id) MOD 4, CONCAT('u_promoter', CRC32(user_id) MOD 7),"
        " NULL), CRC32(order_id) MOD 3 = 0, (SELECT MIN(live_id) FROM live_streams AS l WHERE"
        f" l.start_at <= orders.pay_time AND l.shop_id = orders.shop_id), {now} FROM orders"
        f" WHERE {SOLD} AND CRC32(order_id) MOD 5 = 0",
        f"INSERT INTO promoters (shop_id, user_id, nickname, group_name, {stamp}) SELECT DISTINCT shop_id,"
        f" share_user_id, '张三', IF(CRC32(share_user_id) MOD 2, '校园大使', '老学员'), {now} FROM order_origins"
        " WHERE share_user_id > ''",
        "INSERT INTO promoter_customers (shop_id, row_key, promoter_id, customer_id, order_count, amount, bound_at,"
        f" {stamp}) SELECT p.shop_id, CONCAT(p.user_id, '/', u.user_id), p.user_id, u.user_id, CRC32(u.user_id) MOD 3,"
        f" CRC32(u.user_id) MOD 3 * 99, CURDATE() - INTERVAL CRC32(u.user_id) MOD 50 DAY, {now} FROM promoters AS p"
        " JOIN users AS u USING (shop_id) WHERE CRC32(CONCAT(p.user_id, u.user_id)) MOD 20 = 0",
    ):
        connection.query(statement)
    connection.close()
