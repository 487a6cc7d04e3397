"""Who buys again, what buyers are worth, coupons, sources, reasons: by hand, and against Python over random orders."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from support.worlds.marts import Sale, content, lose, merge, merge_accounts, merge_users, refresh
from support.worlds.shop import Database
from support.worlds.small_shop import NOW, SEEN, A, B, fill
from xiaoe.exports.files import export_of, export_table
from xiaoe.marts import refresh as refreshing
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def yuan(text: str) -> Decimal:
    return Decimal(text)


def amounts(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(yuan, texts))


def table(database: Database, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in database.rows(sql, parameters)]


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        yield session


@pytest.fixture(scope="module")
def golden(migrated: str) -> Database:
    """The small shops, for tests that change nothing; they stand first."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", migrated)
        database = Database(migrated)
        database.empty()
        with Warehouse().session() as session:
            fill(session)
    return database


# --- the small shops, by hand --------------------------------------------------------------------------


def test_each_buyer_of_the_small_shops(golden: Database) -> None:
    """The mean net amount is 480 / 4 in A, 200 / 2 in B; nobody has bought in the 90 days before August 1st."""
    found = table(
        golden,
        "SELECT shop_id, user_id, channel, segment, first_day, second_day, last_day, orders_paid, paid_amount,"
        " refund_amount, net_amount FROM mart_buyers ORDER BY shop_id, user_id",
    )
    assert found == [
        # a01, a02, a07
        (A, "ua", "微信", "重要保持客户", day("03-01"), day("03-02"), day("04-01"), 3, *amounts("200", "0", "200")),
        # a03 refunded; the refund of a06 is under way
        (A, "ub", "微信", "一般保持客户", day("03-02"), day("03-10"), day("03-10"), 2, *amounts("150", "50", "100")),
        # a04 in part, a12 in full; the refund of a10 failed
        (A, "uc", "抖音", "重要保持客户", day("03-02"), day("03-02"), day("04-30"), 3, *amounts("250", "80", "170")),
        # a08 refunded; how much of a13 is not known
        (A, "ud", "未知", "一般保持客户", day("04-02"), day("04-02"), day("04-02"), 2, *amounts("90", "80", "10")),
        (B, "ua", "微信", "重要挽留客户", day("03-02"), None, day("03-02"), 1, *amounts("200", "0", "200")),
        (B, "ue", "微信", "一般挽留客户", day("04-01"), None, day("04-01"), 1, *amounts("200", "200", "0")),
    ]


def test_customers_by_month_times_and_interval(golden: Database) -> None:
    found = table(
        golden,
        "SELECT cohort_month, channel, segment, times, interval_text, within_days, buyers, orders_paid, span_days,"
        " net_amount, as_of FROM bi_customers WHERE shop_id = %s ORDER BY cohort_month, net_amount",
        A,
    )
    march, april, today = day("03-01"), day("04-01"), NOW.date()
    assert found == [
        (march, "微信", "一般保持客户", 2, "8–30 天", 30, 1, 2, 8, yuan("100"), today),
        (march, "抖音", "重要保持客户", 3, "当天", 0, 1, 3, 59, yuan("170"), today),
        (march, "微信", "重要保持客户", 3, "1–7 天", 7, 1, 3, 31, yuan("200"), today),
        (april, "未知", "一般保持客户", 2, "当天", 0, 1, 2, 0, yuan("10"), today),
    ]
    once = "SELECT times, interval_text, within_days, SUM(buyers) FROM bi_customers WHERE shop_id = %s GROUP BY 1, 2, 3"
    assert table(golden, once, B) == [(1, "尚未复购", None, 2)]


def test_what_buyers_brought_by_month_of_first_purchase(golden: Database) -> None:
    found = table(
        golden,
        "SELECT shop_id, cohort_month, channel, month_offset, cohort_buyers, net_amount, total_net_amount FROM bi_ltv"
        " ORDER BY shop_id, cohort_month, cohort_buyers DESC, month_offset",
    )
    march, april = day("03-01"), day("04-01")
    assert found == [
        (A, march, "微信", 0, 2, yuan("300"), yuan("300")),
        (A, march, "微信", 1, 2, yuan("0"), yuan("300")),
        (A, march, "抖音", 0, 1, yuan("70"), yuan("70")),
        (A, march, "抖音", 1, 1, yuan("100"), yuan("170")),
        (A, april, "未知", 0, 1, yuan("10"), yuan("10")),
        (B, march, "微信", 0, 1, yuan("200"), yuan("200")),
        (B, march, "微信", 1, 1, yuan("0"), yuan("200")),
        (B, april, "微信", 0, 1, yuan("0"), yuan("0")),
    ]


def test_the_small_shops_had_no_coupons_and_their_orders_no_type(golden: Database) -> None:
    totals = "SELECT SUM(orders_paid), SUM(paid_amount), SUM(refund_amount_by_pay_day), SUM(new_orders) FROM {}"
    for name, label in (("bi_coupons_daily", "coupon"), ("bi_order_sources_daily", "order_source")):
        assert table(golden, f"SELECT DISTINCT {label} FROM {name}") == [("无优惠" if label == "coupon" else "未知",)]
        # New: a01; a03; a04 and a12 of the same buyer on the same day; a08 and a13; b01; b02.
        assert table(golden, totals.format(name)) == [(13, yuan("1110"), yuan("410"), 8)]


# --- segments ------------------------------------------------------------------------------------------


def sale(number: int, user: str, paid: str, price: int, **changes: Any) -> Sale:
    moment = datetime.fromisoformat(f"2026-{paid}")
    made = Sale(A, f"o{number}", user, "p1", "视频", 3, moment, moment, Decimal(price), 1, None, None)
    return replace(made, **changes)


EIGHT = [
    sale(1, "u1", "07-20", 300), sale(2, "u1", "07-21", 300), sale(3, "u2", "07-20", 400), sale(4, "u3", "01-01", 300),
    sale(5, "u3", "01-02", 300), sale(6, "u4", "01-01", 400), sale(7, "u5", "07-20", 10), sale(8, "u5", "07-21", 10),
    sale(9, "u6", "07-20", 10), sale(10, "u7", "01-01", 10), sale(11, "u7", "01-02", 10), sale(12, "u8", "01-01", 10),
]  # fmt: skip
SEGMENTS = {
    "u1": "重要价值客户", "u2": "重要发展客户", "u3": "重要保持客户", "u4": "重要挽留客户",
    "u5": "一般价值客户", "u6": "一般发展客户", "u7": "一般保持客户", "u8": "一般挽留客户",
}  # fmt: skip


def segments(database: Database) -> dict[str, str]:
    return {row["user_id"]: row["segment"] for row in database.rows("SELECT user_id, segment FROM mart_buyers")}


def test_each_of_eight_segments_has_its_buyer(session: Session, database: Database) -> None:
    merge(session, EIGHT, SEEN)
    refresh(A, NOW)
    assert segments(database) == SEGMENTS
    assert database.value("SELECT COUNT(*) FROM bi_customers WHERE segment = '' OR buyers <> 1") == 0


def test_days_that_pass_move_buyers_and_a_day_is_on_its_edge(session: Session, database: Database) -> None:
    """Without any change of an order: on the 90th day after their last purchase they are no longer recent."""
    merge(session, EIGHT, SEEN)
    last = datetime(2026, 7, 21)
    refresh(A, last + timedelta(days=89))
    assert segments(database)["u1"] == "重要价值客户"
    assert segments(database)["u2"] == "重要挽留客户", "bought a day earlier"
    counts = refresh(A, last + timedelta(days=90))
    assert (counts["customers"], counts["buyers"], counts["days"]) == (1, 0, 0)
    assert segments(database)["u1"] == "重要保持客户"
    assert database.value("SELECT DISTINCT as_of FROM bi_customers") == (last + timedelta(days=90)).date()
    assert not any(refresh(A, last + timedelta(days=90)).values())


def test_who_buys_during_the_day_has_no_segment_before_the_next_and_others_keep_theirs(
    session: Session, database: Database
) -> None:
    merge(session, EIGHT, SEEN)
    refresh(A, NOW)
    merge(session, [sale(20, "u9", "08-01", 5), sale(21, "u6", "08-01", 5)], SEEN)
    refresh(A, NOW)
    assert segments(database) == SEGMENTS | {"u9": "待分层"}
    assert database.value("SELECT SUM(buyers) FROM bi_customers") == 8
    refresh(A, NOW + timedelta(days=1))
    assert segments(database) == SEGMENTS | {"u6": "一般价值客户", "u9": "一般发展客户"}
    assert database.value("SELECT SUM(buyers) FROM bi_customers") == 9


def test_who_is_worth_it_is_as_good_as_the_mean(session: Session, database: Database) -> None:
    merge(session, [sale(1, "u1", "07-20", 100), sale(2, "u2", "07-20", 100)], SEEN)
    refresh(A, NOW)
    assert set(segments(database).values()) == {"重要发展客户"}


def test_the_list_of_customers_is_exported_by_id_and_without_names(
    session: Session, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}")
    merge(session, EIGHT, SEEN)
    database.rows("UPDATE users SET nickname = '张三', phone = '13800000000'")
    refresh(A, NOW)
    path = export_table(export_of("customers", "2026-07-01", None), "xlsx").address
    head, *rows = openpyxl.load_workbook(path.removeprefix("file://"))["客户分层"].iter_rows(values_only=True)
    assert head[1:4] == ("用户ID", "渠道（买家来源）", "客户分层（RFM）")
    assert {row[1]: row[3] for row in rows} == {user: SEGMENTS[user] for user in ("u1", "u2", "u5", "u6")}
    assert not {"张三", "13800000000"} & {cell for row in rows for cell in row}


# --- who is no longer a buyer --------------------------------------------------------------------------


def test_a_second_order_that_goes_leaves_the_first(session: Session, database: Database) -> None:
    """Lost from the list, and taken over by somebody else: neither leaves a trace on the day of the order."""
    first, second, third = sale(1, "u1", "03-01", 100), sale(2, "u1", "04-01", 50), sale(3, "u1", "05-01", 20)
    held = "SELECT user_id, orders_paid, second_day, last_day, paid_amount FROM mart_buyers ORDER BY user_id"
    merge(session, [first, second, third], SEEN)
    refresh(A, NOW)
    lose(session, second)
    refresh(A, NOW)
    assert table(database, held) == [("u1", 2, day("05-01"), day("05-01"), yuan("120"))]
    merge(session, [replace(third, user_id="u2")], SEEN + timedelta(seconds=1))
    refresh(A, NOW)
    assert table(database, held) == [
        ("u1", 1, None, day("03-01"), yuan("100")),
        ("u2", 1, None, day("05-01"), yuan("20")),
    ]
    merge(session, [replace(first, pay_time=None)], SEEN + timedelta(seconds=1))
    refresh(A, NOW)
    assert [row[0] for row in table(database, held)] == ["u2"]
    assert database.value("SELECT SUM(buyers) FROM bi_customers") == 1, "as of the first run of the day"
    refresh(A, NOW + timedelta(days=1))
    assert table(database, "SELECT SUM(buyers), SUM(net_amount) FROM bi_customers") == [(1, yuan("20"))]


def test_a_refund_of_an_old_order_reaches_its_buyer(session: Session, database: Database) -> None:
    old = sale(1, "u1", "03-01", 100)
    merge(session, [old, sale(2, "u1", "04-01", 50)], SEEN)
    refresh(A, NOW)
    back = replace(old, order_state=10, refund_money=Decimal(100), refund_time=datetime(2026, 7, 1))
    merge(session, [back], SEEN + timedelta(seconds=1))
    refresh(A, NOW)
    assert table(database, "SELECT net_amount FROM mart_buyers") == [(yuan("50"),)]
    assert table(database, "SELECT month_offset, total_net_amount FROM bi_ltv ORDER BY 1") == [
        (0, yuan("0")),
        (1, yuan("50")),
    ]


# --- registration, coupons, sources, reasons -----------------------------------------------------------


def test_from_registration_to_the_first_order(session: Session, database: Database) -> None:
    """u3 bought before the list says that they registered, u4 has not; nobody knows when u5 did."""
    merge(session, [sale(n, f"u{n}", paid, 10) for n, paid in enumerate(["03-05", "03-12", "03-01"], 1)], SEEN)
    registered = {f"u{n}": datetime(2026, 3, 5, 23, 59) for n in (1, 2, 3, 4)}
    merge_users(session, A, dict.fromkeys(["u1", "u2", "u3", "u4", "u5"], "微信"), SEEN, registered)
    refresh(A, NOW)
    order = "COALESCE(within_days, -1), day DESC"
    sql = f"SELECT day, channel, interval_text, within_days, users FROM bi_registrations ORDER BY {order}"
    on = day("03-05")
    assert table(database, sql) == [
        (on, "微信", "尚未购买", None, 1), (on, "微信", "当天", 0, 2), (on, "微信", "1–7 天", 7, 1),
    ]  # fmt: skip
    merge(session, [sale(4, "u4", "07-01", 10)], SEEN)
    merge_users(session, A, {"u1": "微信"}, SEEN + timedelta(seconds=1), {"u1": datetime(2026, 3, 4)})
    refresh(A, NOW)
    assert table(database, sql) == [
        (on, "微信", "当天", 0, 1), (on, "微信", "1–7 天", 7, 1), (day("03-04"), "微信", "1–7 天", 7, 1),
        (on, "微信", "91–180 天", 180, 1),
    ]  # fmt: skip


def test_coupons_and_what_orders_are_made_of(session: Session, database: Database) -> None:
    """An order of two types counts in both; types without a text are named by their codes."""
    merge(
        session,
        [
            sale(1, "u1", "03-01", 80, coupon_id="c1", coupon_name=" 新人券 ", coupon_price=Decimal(20),
                 discount_price=Decimal(25), order_type="2,8", order_type_text="普通,优惠券"),
            sale(2, "u1", "03-02", 90, coupon_id="c2", order_type="8,8", order_type_text="优惠券,优惠券"),
            sale(3, "u2", "03-02", 95, discount_price=Decimal(5), order_type="98,99", order_state=10,
                 refund_money=Decimal(95), refund_time=datetime(2026, 3, 3)),
            sale(4, "u2", "03-02", 100, order_type="2", order_type_text="普通"),
            sale(5, "u3", "03-02", 100, order_type="30", order_type_text="开放API导入"),
        ],
        SEEN,
    )  # fmt: skip
    refresh(A, NOW)
    assert table(
        database,
        "SELECT day, discount, coupon, orders_paid, paid_amount, coupon_amount, discount_amount, new_orders,"
        " refund_amount_by_pay_day FROM bi_coupons_daily ORDER BY paid_amount",
    ) == [
        (day("03-01"), "优惠券", "新人券", 1, *amounts("80", "20", "25"), 1, yuan("0")),
        (day("03-02"), "优惠券", "c2", 1, *amounts("90", "0", "0"), 0, yuan("0")),
        (day("03-02"), "其他优惠", "其他优惠", 1, *amounts("95", "0", "5"), 1, yuan("95")),
        (day("03-02"), "无优惠", "无优惠", 1, *amounts("100", "0", "0"), 1, yuan("0")),
    ]
    sources = "SELECT day, order_source, orders_paid, paid_amount, new_orders FROM bi_order_sources_daily"
    assert sorted(table(database, sources)) == sorted(
        [
            (day("03-01"), "普通", 1, yuan("80"), 1),
            (day("03-01"), "优惠券", 1, yuan("80"), 1),
            (day("03-02"), "优惠券", 1, yuan("90"), 0),
            (day("03-02"), "未知(98、99)", 1, yuan("95"), 1),
            (day("03-02"), "普通", 1, yuan("100"), 1),
        ]
    )


def test_a_reason_that_few_give_is_not_shown(session: Session, database: Database) -> None:
    """It is what a customer wrote. Four of one order are of one customer."""
    reasons = ["课程不合适"] * 5 + ["我是张三，请退款"] * 4 + [None, ""] + ["一样的话"] * 6 + ["七**"] * 5
    session.insert_many(
        "INSERT INTO refunds (shop_id, aftersale_id, order_id, reason, state, apply_refund_money, refund_money,"
        " created_at, absent_since, row_hash, raw_hash, observed_at, batch_id)"
        " VALUES (%s, %s, %s, %s, %s, 10, 9, '2026-03-01 10:00:00', %s, 1, 1, %s, 'b')",
        [
            (A, f"s{number}", "o1" if reason == "一样的话" else f"o{number}", reason, 13 if number == 0 else 1,
             SEEN if number == 4 else None, SEEN)
            for number, reason in enumerate([*reasons, "课程不合适"])
        ],
    )  # fmt: skip
    session.commit()
    found = database.rows(
        "SELECT reason, SUM(aftersales) AS n, SUM(done_aftersales) AS done, SUM(apply_amount) AS asked"
        " FROM bi_refund_reasons GROUP BY reason"
    )
    assert {row["reason"]: (int(row["n"]), int(row["done"]), int(row["asked"])) for row in found} == {
        "课程不合适": (5, 1, 50), "其他": (10, 0, 100), "未填写": (2, 0, 20), "已按设置隐去": (5, 0, 50),
    }  # fmt: skip


# --- against Python, over random orders ----------------------------------------------------------------


RANDOM = random.Random(20)
CHANNELS = ["微信", "抖音", None]
MERGES: list[dict[str, str]] = [
    {"u1": "u2", "u2": "u44", "u5": "u6"}, {"u7": "u1"}, {"u2": "u3", "u44": "u8"}, {"u3": "u9"},
]  # fmt: skip
"""Accounts that are merged as time goes by; u44 buys nothing."""


def random_sale(number: int) -> Sale:
    """An order of one of forty users; a version of it, if the number was there before."""
    pick = RANDOM.choice
    paid = datetime(2025, 1, 1) + timedelta(minutes=RANDOM.randrange(60 * 24 * 570))
    returned = pick([None, None, None, Decimal(0), Decimal(7), Decimal(50)])
    codes = RANDOM.sample(["2", "8", "22", "70", "99"], RANDOM.randrange(3))
    texts = {"2": "普通", "8": "优惠券", "22": "推广员", "70": "管理台导入"}
    return Sale(
        A, f"o{number}", pick([f"u{n}" for n in range(40)] + [None]), pick(["p1", None]), "视频", 3, paid,
        pick([paid, paid, paid, None]), pick([Decimal(0), Decimal(50), Decimal(199), None]),
        pick([1, 1, 3, 8, 10, 11, None]), pick([None, paid + timedelta(days=RANDOM.randrange(40))]), returned,
        client_type=pick([None, 1, 1, 1, 10]), order_type=",".join(codes) or None,
        order_type_text=",".join(texts[code] for code in codes if code in texts) or None,
        coupon_id=pick([None, "c1"]), coupon_name=pick([None, "新人券"]), coupon_price=pick([None, Decimal(5)]),
        discount_price=pick([None, Decimal(0), Decimal(9)]),
    )  # fmt: skip


Order = dict[str, Any]


def bought(database: Database) -> list[Order]:
    """Paid orders that count, with what is said of them in docs/bi.md, oldest first; `user_id` is the person."""
    merges = dict(table(database, "SELECT source_user_id, target_user_id FROM user_merges"))
    sources = {row["user_id"]: row["source"] for row in database.rows("SELECT user_id, source FROM users")}
    found = []
    for row in database.rows("SELECT * FROM orders ORDER BY pay_time"):
        imported = row["client_type"] in (10, 30) or {"30", "70"} & set((row["order_type"] or "").split(","))
        if row["pay_time"] is None or row["absent_since"] is not None or imported:
            continue
        while row["user_id"] in merges:
            row["user_id"] = merges[row["user_id"]]
        money, state = row["refund_money"], row["order_state"]
        is_back = state not in (8, 9) and (
            (money or 0) > 0 or state in (3, 10) or (state == 11 and money is None and row["refund_time"] is not None)
        )
        row |= {
            "day": row["pay_time"].date(), "paid": row["price"] or Decimal(0), "is_back": is_back,
            "back": (money or Decimal(0)) if is_back else Decimal(0), "channel": sources.get(row["user_id"]) or "未知",
        }  # fmt: skip
        found.append(row)
    return found


def range_of(days: int | None) -> int | None:
    return None if days is None else next((bound for bound in (0, 7, 30, 60, 90, 180, 365) if days <= bound), 9999)


def histories(orders: list[Order]) -> dict[str, list[Order]]:
    found: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        if order["user_id"]:
            found[order["user_id"]].append(order)
    return found


def expected_customers(orders: list[Order], today: date) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    users = histories(orders)
    net = {user: sum(one["paid"] - one["back"] for one in held) for user, held in users.items()}
    for user, held in users.items():
        often, rich = len(held) > 1, net[user] >= Decimal(sum(net.values())) / len(net)
        recent = (today - held[-1]["day"]).days < 90
        name = {
            (True, True, True): "重要价值", (True, False, True): "重要发展", (False, True, True): "重要保持",
            (False, False, True): "重要挽留", (True, True, False): "一般价值", (True, False, False): "一般发展",
            (False, True, False): "一般保持", (False, False, False): "一般挽留",
        }[recent, often, rich]  # fmt: skip
        gap = (held[1]["day"] - held[0]["day"]).days if often else None
        key = (held[0]["day"].replace(day=1), held[0]["channel"], f"{name}客户", min(len(held), 10), range_of(gap))
        found[(*key, "buyers")] += 1
        found[(*key, "orders_paid")] += len(held)
        found[(*key, "span_days")] += (held[-1]["day"] - held[0]["day"]).days
        found[(*key, "net_amount")] += net[user]
    return found


def expected_value(orders: list[Order], until: date) -> dict[tuple[Any, ...], Decimal]:
    """First month, channel, month → what the buyers brought until then."""
    found: dict[tuple[Any, ...], Decimal] = {}
    months = [date(2025 + n // 12, n % 12 + 1, 1) for n in range(24)]
    for held in histories(orders).values():
        first = held[0]["day"].replace(day=1)
        for month in months:
            if first <= month <= until:
                key = (first, held[0]["channel"], month)
                so_far = (one["paid"] - one["back"] for one in held if one["day"].replace(day=1) <= month)
                found[key] = found.get(key, Decimal(0)) + sum(so_far, Decimal(0))
    return found


def test_everything_is_what_python_makes_of_random_orders(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After changes, losses and refreshes in between; once with all buyers worked out together, once one by one."""
    moment = SEEN
    for at in range(4):
        moment += timedelta(seconds=1)
        merge(session, [random_sale(number) for number in RANDOM.sample(range(300), 150)], moment)
        users = {f"u{n}": RANDOM.choice(CHANNELS) for n in RANDOM.sample(range(45), 20)}
        registered = {user: datetime(2025, 1, 1) + timedelta(days=RANDOM.randrange(500)) for user in users}
        merge_users(session, A, users, moment, registered)
        merge_accounts(session, A, MERGES[at], moment)
        monkeypatch.setattr(refreshing, "_MAX_BUYER_DAYS", 0 if at % 2 else 10_000)
        refresh(A, NOW)
    lost = database.rows("SELECT order_id FROM orders ORDER BY order_id LIMIT 20")
    for row in lost:
        lose(session, replace(random_sale(1), order_id=row["order_id"]))
    refresh(A, NOW)
    today = NOW + timedelta(days=1)
    refresh(A, today)
    orders = bought(database)
    assert len(orders) > 60

    found: Counter[tuple[Any, ...]] = Counter()
    for row in database.rows("SELECT * FROM bi_customers"):
        key = (row["cohort_month"], row["channel"], row["segment"], row["times"], row["within_days"])
        for name in ("buyers", "orders_paid", "span_days", "net_amount"):
            found[(*key, name)] += row[name]
    assert found == expected_customers(orders, today.date())
    assert len({key[2] for key in found}) > 4, "segments"

    ltv = database.rows("SELECT cohort_month, channel, active_month, total_net_amount AS total FROM bi_ltv")
    until = max(one["day"].replace(day=1) for one in orders if one["user_id"])
    assert {(row["cohort_month"], row["channel"], row["active_month"]): row["total"] for row in ltv} == expected_value(
        orders, until
    )

    firsts = {user: held[0]["day"] for user, held in histories(orders).items()}
    signups: Counter[tuple[Any, ...]] = Counter()
    merged = {source for merges in MERGES for source in merges}
    for row in database.rows("SELECT * FROM users WHERE registered_at IS NOT NULL"):
        if row["user_id"] in merged:
            continue
        on, first = row["registered_at"].date(), firsts.get(row["user_id"])
        signups[on, row["source"] or "未知", range_of(max((first - on).days, 0) if first else None)] += 1
    held = database.rows("SELECT day, channel, within_days, users FROM bi_registrations")
    assert {(row["day"], row["channel"], row["within_days"]): row["users"] for row in held} == signups

    coupons: Counter[tuple[Any, ...]] = Counter()
    sources: Counter[tuple[Any, ...]] = Counter()
    for one in orders:
        has_coupon = bool(one["coupon_id"]) or (one["coupon_price"] or 0) > 0
        named = (one["coupon_name"] or one["coupon_id"] or "未命名") if has_coupon else None
        kind = "优惠券" if has_coupon else "其他优惠" if (one["discount_price"] or 0) > 0 else "无优惠"
        is_new = firsts.get(one["user_id"]) == one["day"]
        less = max(one["discount_price"] or Decimal(0), one["coupon_price"] or Decimal(0))
        sums = {"orders": 1, "paid": one["paid"], "new": is_new, "back": one["back"]}
        for name, value in (sums | {"less": less}).items():
            coupons[one["day"], kind, named or kind, name] += value
        codes = (one["order_type"] or "").replace(",", "、")
        unknown = f"未知({codes})" if codes else "未知"
        for source in set((one["order_type_text"] or unknown).split(",")):
            for name, value in sums.items():
                sources[one["day"], source, name] += value
    measures = {"orders": "orders_paid", "paid": "paid_amount", "new": "new_orders", "back": "refund_amount_by_pay_day"}
    held_coupons = {
        (row["day"], row["discount"], row["coupon"], name): row[column]
        for row in database.rows("SELECT * FROM bi_coupons_daily")
        for name, column in (*measures.items(), ("less", "discount_amount"))
    }
    assert held_coupons == coupons
    held_sources = {
        (row["day"], row["order_source"], name): row[column]
        for row in database.rows("SELECT * FROM bi_order_sources_daily")
        for name, column in measures.items()
    }
    assert held_sources == sources
    kept = content(database)
    refresh(A, today, rebuild=True)
    assert content(database) == kept
