"""Who watched, who learned and who brought the buyer: the figures of the small shop, worked out by hand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.worlds.marts import merge_accounts, refresh
from support.worlds.shop import Database
from support.worlds.small_shop import NOW, SEEN, A, fill
from xiaoe.exports.files import export_of, export_table
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

# Live l1 begins on March 2nd, 12:00. In shop A, within seven days of it: uc has paid a04 (12:05) and a12; ua's a02 was
# paid before, ub's a06 comes on March 10th, a day late. ud never buys so early. Live l2 has no viewers.
STREAMS = [("l1", "开营直播", "2026-03-02 12:00:00"), ("l2", "答疑", "2026-03-09 20:00:00")]
VIEWERS = [
    # live, user, seconds of the live, of the replay, comments, yuan spent in the room
    ("l1", "ua", 5400, 0, 3, 0), ("l1", "ub", 1200, 600, 0, 0), ("l1", "uc", 1199, 0, 1, 150),
    ("l1", "ux", 0, 60, 0, 0),
]  # fmt: skip
# Course p1: ua finished it, ub began it and has not learned since March, uc was read and has nothing. p2, a column of
# two lessons: ub finished one, uc both. Nobody knows what ud does with p9: it is no course.
PROGRESS = [
    # user, resource, its product, finished, last learned, seconds
    ("ua", "p1", None, 1, "2026-03-20", 3600), ("ub", "p1", None, 0, "2026-03-11", 300),
    ("ub", "t1", "p2", 1, "2026-07-30", 500), ("uc", "t1", "p2", 1, "2026-03-05", 400),
    ("uc", "t2", "p2", 1, "2026-03-06", 400), ("uz", "t2", "p2", 0, None, 0),
]  # fmt: skip
DAYS = [("2026-03-20", "ua", 3600), ("2026-03-20", "ub", 300), ("2026-07-30", "ub", 500), ("2026-07-30", "uc", 0)]


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        yield session


def add(session: Session, table: str, **columns: Any) -> None:
    held = {"shop_id": A, "row_hash": 1, "raw_hash": 1, "observed_at": SEEN, "batch_id": "b", **columns}
    session.execute(
        f"INSERT INTO {table} ({', '.join(held)}) VALUES ({', '.join(['%s'] * len(held))})", tuple(held.values())
    )


def read_list(session: Session, resource: str, parent: str, listed: int, changed: datetime = SEEN) -> None:
    session.execute(
        "REPLACE INTO parent_readings (shop_id, resource, parent_id, observed_at, same_since, listed, batch_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'b')",
        (A, resource, parent, changed, changed, listed),
    )


@pytest.fixture
def shop(session: Session, database: Database) -> Database:
    fill(session)
    for live, title, start in STREAMS:
        add(session, "live_streams", live_id=live, title=title, start_at=start, alive_type_text="横屏")
    for live, user, seconds, replay, comments, amount in VIEWERS:
        add(session, "live_viewers", row_key=f"{live}/{user}", live_id=live, user_id=user, live_seconds=seconds,
            replay_seconds=replay, comment_num=comments, amount=amount)  # fmt: skip
    read_list(session, "live_viewers", "l1", len(VIEWERS))
    read_list(session, "live_viewers", "l2", 0)
    for user, resource, product, finished, last, seconds in PROGRESS:
        add(session, "learning_progress", row_key=f"{user}/{resource}/{product}", user_id=user, resource_id=resource,
            product_id=product, is_finished=finished, last_learned_at=last, stay_seconds=seconds)  # fmt: skip
    for user in ("ua", "ub", "uc"):
        read_list(session, "learning_progress", user, 1)
    for day, user, seconds in DAYS:
        add(session, "learning_days", row_key=f"{day}/{user}", day=day, user_id=user, stay_seconds=seconds)
    for order, promoter, channel, room in (
        ("a01", "promoter0001", 0, None), ("a03", "promoter0001", 0, None), ("a04", "promoter0002", 1, "l1"),
        ("a05", "promoter0002", 1, "l1"), ("a12", None, 1, "l1"),
    ):  # fmt: skip
        add(session, "order_origins", order_id=order, share_user_id=promoter, channel_type=channel, channel_bus_id=room)
    add(session, "promoters", user_id="promoter0001", nickname="张三", group_name="校园大使")
    for promoter, customer, orders, amount, bound in (
        ("promoter0001", "ua", 3, 200, "2026-02-28"), ("promoter0001", "ux", 0, 0, "2026-02-28"),
        ("promoter0002", "uc", 2, 150, "2026-03-01"),
    ):  # fmt: skip
        add(session, "promoter_customers", row_key=f"{promoter}/{customer}", promoter_id=promoter, customer_id=customer,
            order_count=orders, amount=amount, bound_at=bound)  # fmt: skip
    session.commit()
    refresh(A, NOW)
    return database


def table(database: Database, sql: str) -> list[list[str]]:
    return [[f"{value}" for value in row.values()] for row in database.rows(sql)]


# --- 直播 ----------------------------------------------------------------------------------------------

AUDIENCE = (
    "SELECT start_day, live_id, title, live_type, viewers, live_viewers, replay_viewers, live_seconds, replay_seconds,"
    " comments, room_amount, buyers, orders_paid, paid_amount FROM bi_live_audience"
)


def test_who_watched_a_stream_and_bought_within_a_week(shop: Database) -> None:
    assert table(shop, AUDIENCE) == [
        ["2026-03-02", "l1", "开营直播", "横屏", "4", "3", "2", "7799", "660", "4", "150.00", "1", "2", "150.00"]
    ]
    stayed = table(shop, "SELECT minutes, live_viewers, stayed FROM bi_live_retention ORDER BY minutes")
    counted = ((0, 3), (5, 3), (10, 3), (20, 2), (30, 1), (60, 1), (90, 1))
    assert stayed == [[f"{minutes}", "3", f"{persons}"] for minutes, persons in counted]


def test_what_was_sold_in_the_room(shop: Database) -> None:
    """a05 was never paid; a12 was refunded as a whole, a04 in part."""
    assert table(
        shop,
        "SELECT day, live_id, title, product_name, orders_paid, paid_amount, refund_orders, refund_amount"
        " FROM bi_live_products ORDER BY product_name",
    ) == [
        ["2026-03-02", "l1", "开营直播", "Python 入门", "1", "100.00", "1", "30.00"],
        ["2026-03-02", "l1", "开营直播", "图文专栏", "1", "50.00", "1", "50.00"],
    ]


def test_two_accounts_of_one_person_are_one_viewer_and_buy_for_each_other(shop: Database, session: Session) -> None:
    merge_accounts(session, A, {"uc": "ux"}, datetime(2026, 7, 30))
    refresh(A, NOW)
    read_list(session, "live_viewers", "l1", 4, SEEN + timedelta(seconds=1))
    session.commit()
    refresh(A, NOW)
    assert table(shop, f"SELECT viewers, buyers, paid_amount FROM ({AUDIENCE}) AS t") == [["3", "1", "150.00"]]


def test_viewers_are_counted_again_when_their_list_changed_and_while_they_may_buy(
    shop: Database, session: Session
) -> None:
    assert not refresh(A, NOW)["lives"], "nothing changed"
    session.execute("UPDATE live_viewers SET absent_since = UTC_TIMESTAMP(3) WHERE user_id = 'uc'")
    read_list(session, "live_viewers", "l1", 3, SEEN + timedelta(seconds=1))
    session.commit()
    assert refresh(A, NOW)["lives"] == 1
    assert table(shop, f"SELECT viewers, buyers FROM ({AUDIENCE}) AS t") == [["3", "0"]]
    assert not refresh(A, NOW + timedelta(days=1))["lives"], "its week is over"
    session.execute("UPDATE live_streams SET start_at = '2026-07-31 20:00:00' WHERE live_id = 'l1'")
    session.commit()
    assert refresh(A, NOW + timedelta(days=1))["lives"] == 1
    assert refresh(A, NOW + timedelta(days=2))["lives"] == 1, "somebody may have bought"
    assert not refresh(A, NOW + timedelta(days=2))["lives"]
    session.execute("UPDATE live_viewers SET absent_since = UTC_TIMESTAMP(3)")
    read_list(session, "live_viewers", "l1", 0, SEEN + timedelta(seconds=2))
    session.commit()
    refresh(A, NOW + timedelta(days=2))
    assert table(shop, f"{AUDIENCE} WHERE start_day > '2026-07-01'") == []


# --- 学习 ----------------------------------------------------------------------------------------------

COURSES = (
    "SELECT cohort_month, course_name, learning, buyers, at_risk, refunded, bought_again, learn_seconds FROM bi_courses"
    " ORDER BY course_name, cohort_month, learning"
)


def test_learners_of_a_day(shop: Database) -> None:
    assert table(shop, "SELECT day, learners, learn_seconds FROM bi_learning_daily ORDER BY day") == [
        ["2026-03-20", "2", "3900"],
        ["2026-07-30", "1", "500"],
    ]


def test_what_buyers_learned_of_their_courses(shop: Database) -> None:
    """ua, ub and uc bought p1, ub and uc p2, both refunded; b01 is of another shop, a09 of nobody."""
    assert table(shop, COURSES) == [
        ["2026-03-01", "Python 入门", "学习中", "1", "1", "0", "0", "300"],  # ub: a06, whose refund is under way
        ["2026-03-01", "Python 入门", "已学完", "1", "0", "0", "1", "3600"],  # ua
        ["2026-03-01", "Python 入门", "未开始", "1", "0", "1", "1", "0"],  # uc: refunded in part, so not at risk
        ["2026-03-01", "图文专栏", "学习中", "1", "0", "1", "1", "500"],  # ub: a03, refunded
        ["2026-03-01", "图文专栏", "已学完", "1", "0", "1", "1", "800"],  # uc: a12, refunded
    ]


def test_who_was_not_read_is_neither_at_risk_nor_idle(shop: Database, session: Session) -> None:
    session.execute("DELETE FROM parent_readings WHERE parent_id = 'uc'")
    session.commit()
    refresh(A, NOW)
    assert ["未开始"] in [row[2:3] for row in table(shop, COURSES)], "once a day"
    refresh(A, NOW + timedelta(days=1))
    assert ["2026-03-01", "Python 入门", "未读到", "1", "0", "1", "1", "0"] in table(shop, COURSES)


def test_courses_are_forgotten_with_the_learners(shop: Database, session: Session) -> None:
    session.execute("DELETE FROM learning_progress")
    session.commit()
    refresh(A, NOW)
    assert table(shop, COURSES) == []
    assert not any(refresh(A, NOW).values())


# --- 推广 ----------------------------------------------------------------------------------------------


def test_sales_and_refunds_by_promoter(shop: Database) -> None:
    assert table(
        shop,
        "SELECT day, promoter, promoter_group, orders_paid, paid_amount, refund_orders, refund_amount"
        " FROM bi_promoters_daily ORDER BY day, promoter",
    ) == [
        ["2026-03-01", "校园大使 · er0001", "校园大使", "1", "100.00", "0", "0.00"],
        ["2026-03-02", "未分组 · er0002", "未分组", "1", "100.00", "1", "30.00"],
        ["2026-03-02", "校园大使 · er0001", "校园大使", "1", "50.00", "1", "50.00"],
    ]


def test_customers_by_promoter(shop: Database) -> None:
    assert table(
        shop,
        "SELECT day, promoter, promoter_group, customers, buying_customers, amount FROM bi_promoter_customers"
        " ORDER BY day",
    ) == [
        [f"{date(2026, 2, 28)}", "校园大使 · er0001", "校园大使", "2", "1", "200.00"],
        [f"{date(2026, 3, 1)}", "未分组 · er0002", "未分组", "1", "1", "150.00"],
    ]


def test_nobody_is_named(shop: Database) -> None:
    for name in ("bi_live_audience", "bi_live_retention", "bi_live_products", "bi_promoters_daily",
                 "bi_promoter_customers", "bi_learning_daily", "bi_courses"):  # fmt: skip
        cells = {cell for row in table(shop, f"SELECT * FROM {name}") for cell in row}
        assert cells
        assert not cells & {"ua", "ub", "uc", "ud", "ux", "张三", "promoter0001", "promoter0002"}, name


def test_a_shop_without_these_lists_has_no_figures_and_no_work(session: Session, database: Database) -> None:
    fill(session)
    counts = refresh(A, NOW)
    assert (counts["lives"], counts["courses"]) == (0, 0)
    assert table(database, "SELECT * FROM bi_courses") == []


# --- Excel ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("live_viewers", {"直播标题": "开营直播", "用户ID": "ua", "看直播的时长（秒）": "5400"}),
        ("learning_progress", {"内容名称": "Python 入门", "用户ID": "ua", "累计学习时长（秒）": "3600"}),
        ("promoters", {"推广员的用户ID": "promoter0001", "分组名称": "校园大使"}),
        ("promoter_customers", {"推广员的用户ID": "promoter0001", "客户的用户ID": "ua", "客户的订单数": "3"}),
    ],
)
def test_the_lists_behind_the_figures_are_exported_without_names_if_wanted(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: dict[str, str]
) -> None:
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}")
    address = export_table(export_of(name, None, None, with_personal=False), "csv").address
    with open(address.removeprefix("file://"), encoding="utf-8-sig", newline="") as file:
        first, *_ = csv.DictReader(file)
    assert {heading: first[heading].strip("\t") for heading in expected} == expected
    assert "张三" not in first.values()
