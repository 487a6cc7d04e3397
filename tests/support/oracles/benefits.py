"""The benefit rule a second time, in plain Python, and a shop to try it on.

`judge` is written from the words of the rule and shares no code with the SQL. Facts are what the warehouse knows,
not what is true: an order that nobody looked at again is as old as it looks.
"""

from __future__ import annotations

import copy
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any

from MySQLdb.cursors import Cursor

from support.worlds.shop import APP_ID, Database
from xiaoe.benefits.decide import Decider
from xiaoe.benefits.policy import Policy
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

EIGHT_HOURS = timedelta(hours=8)
DAY, HOUR, SECOND, MILLISECOND = timedelta(1), timedelta(hours=1), timedelta(seconds=1), timedelta(milliseconds=1)
EARLY = "未到截止时间"
UNSEEN = "截止后尚未再次观测"
GRANTED = "截止后观测，期内无退款"
REFUNDED = "截止前已全额退款"
PARTIAL = "截止前部分退款"
IN_PROGRESS = "截止时退款处理中"
FAILED = "截止时退款失败"
DONE_LATE = "截止前申请，截止后退款"
BEGAN = "截止前退款中，截止后退款"
UNPAID = "未支付"
NO_TIME = "缺少下单时间"
NO_REFUND_TIME = "已退款，退款时间未知"
NO_PARTIAL_TIME = "部分退款，退款时间未知"
ABSENT = "店铺列表中已无此订单"
UNKNOWN = "订单状态未知"
STALE = "最新订单数据无法解析"
UNREADABLE = {
    "order_state": "订单状态无法解析", "price": "实付金额无法解析", "refund_money": "退款金额无法解析",
    "pay_time": "支付时间无法解析", "refund_time": "退款时间无法解析", "created_time": "下单时间无法解析",
    "resource_type": "商品类型无法解析",
}  # fmt: skip
"""What a decision rests on → why nobody but a person can decide where it cannot be read."""
UNREADABLE_APPLICATION = "售后单无法解析"
ESSENTIAL_OF_APPLICATION = {"state", "sale_type", "refund_money", "created_at", "updated_at"}
NOT_CARRIED = "该类商品不含福利"
TOO_EARLY = "早于福利起算日"
LONG_AGO = date(2000, 1, 1)
"""A first day of benefits before every order."""
BY_HAND = "人工复核："
OPEN = {0, 2, 3, 6, 8, 11, 12, 16, 17, 19}
OVER = {1, 4, 5, 7, 13, 14, 15, 18}
"""States of an after-sale that is neither finished nor given up (docs/xiaoe-api.md)."""


# --- facts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """The policy, as the oracle reads it."""

    days: int = 14
    anchor: str = "created_time"
    partial_refund: str = "review"
    resource_types: tuple[int, ...] = ()
    since: date | None = LONG_AGO

    @property
    def policy(self) -> Policy:
        return Policy(
            self.days,
            self.anchor,  # type: ignore[arg-type]
            self.partial_refund,  # type: ignore[arg-type]
            list(self.resource_types),
            self.since,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """Business times are Beijing, `observed_at` is UTC; all naive."""

    order_id: str
    created_time: datetime | None
    observed_at: datetime
    pay_time: datetime | None = None
    order_state: int | None = 1
    price: Decimal | None = Decimal(99)
    refund_money: Decimal | None = None
    refund_time: datetime | None = None
    resource_type: int | None = 3
    absent: bool = False
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AfterSale:
    """An application; `sale_type` 3 is an exchange of goods."""

    name: str
    state: int | None
    created_at: datetime | None
    updated_at: datetime | None
    sale_type: int | None = 1
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """A window of the ledger: orders made in [begin, end), Beijing, were seen at `observed_at`, UTC."""

    begin: datetime
    end: datetime
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """An observed change of an order's state; UTC, naive."""

    old: int | None
    new: int | None
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer, and the facts it was given for."""

    answer: str
    facts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    decision: str
    reason: str
    deadline: datetime | None
    seen: datetime


# --- the rule ------------------------------------------------------------------------------------------


def judge(
    order: Order,
    applications: Iterable[AfterSale],
    rule: Rule,
    now: datetime,
    *,
    seen: datetime,
    is_stale: bool,
    changes: Sequence[Change] = (),
    first_day: date = LONG_AGO,
) -> tuple[str, str, datetime | None]:
    """Decision, reason, deadline.

    Args:
        order: The order.
        applications: Its after-sales, exchanges among them.
        rule: The policy.
        now: UTC, naive.
        seen: When the order was last seen, UTC, naive.
        is_stale: Whether its newest version could not be read.
        changes: Of its state, oldest first.
        first_day: Of benefits.
    """
    anchor = order.pay_time if rule.anchor == "pay_time" and order.pay_time is not None else order.created_time
    deadline = None if anchor is None else anchor + timedelta(days=rule.days)
    state = order.order_state
    for_money = [one for one in applications if one.sale_type != 3]
    doubtful = [column for column in UNREADABLE if column in order.unreadable]
    if not rule.resource_types and "resource_type" in doubtful:
        doubtful.remove("resource_type")
    if rule.resource_types and order.resource_type not in rule.resource_types and "resource_type" not in doubtful:
        return "not_applicable", NOT_CARRIED, deadline
    times_doubtful = "created_time" in doubtful or (rule.anchor == "pay_time" and "pay_time" in doubtful)
    if anchor is not None and anchor.date() < first_day and not times_doubtful:
        return "not_applicable", TOO_EARLY, deadline
    if doubtful:
        return "review", UNREADABLE[doubtful[0]], deadline
    if any(ESSENTIAL_OF_APPLICATION & set(one.unreadable) for one in for_money):
        return "review", UNREADABLE_APPLICATION, deadline
    if order.pay_time is None and state not in {1, 3, 8, 9, 10, 11}:
        return "not_applicable", UNPAID, deadline
    if deadline is None:
        return "review", NO_TIME, deadline

    finished = [one for one in for_money if one.state in {13, 14}]
    finished_at = min((one.updated_at for one in finished if one.updated_at is not None), default=None)
    on_its_way = state in {8, 9}
    money = order.refund_money or Decimal(0)
    in_full = state in {3, 10}
    if not on_its_way and order.price is not None and order.price > 0 and money >= order.price:
        in_full = True
    in_part = not on_its_way and (money > 0 or order.refund_time is not None)
    times = [moment for moment in (order.refund_time, finished_at) if moment is not None]
    if in_full and not times:
        return "review", NO_REFUND_TIME, deadline
    if in_full and times[0] <= deadline:
        return "revoke", REFUNDED, deadline
    if in_part and not times:
        return "review", NO_PARTIAL_TIME, deadline
    if in_part and min(times) <= deadline:
        return rule.partial_refund, PARTIAL, deadline
    if finished_at is not None and finished_at <= deadline:
        return rule.partial_refund, PARTIAL, deadline

    if seen + EIGHT_HOURS <= deadline:
        return "pending", EARLY if now + EIGHT_HOURS <= deadline else UNSEEN, deadline
    if order.absent:
        return "review", ABSENT, deadline
    if state is None or not 0 <= state <= 11:
        return "review", UNKNOWN, deadline
    if is_stale:
        return "review", STALE, deadline
    in_time = [one for one in for_money if one.created_at is None or one.created_at <= deadline]
    if any(one.state not in OVER for one in in_time):
        return "review", IN_PROGRESS, deadline
    for one in in_time:
        refunded_at = order.refund_time if order.refund_time is not None else one.updated_at
        if one in finished and (refunded_at is None or refunded_at > deadline):
            return "review", DONE_LATE, deadline
    nobody_says_later = bool(in_time) or not for_money
    if in_full or in_part:
        for change in changes:
            if {change.old, change.new} & {8, 11} and change.observed_at + EIGHT_HOURS <= deadline:
                return "review", BEGAN, deadline
        if changes and changes[0].old in {8, 11} and nobody_says_later:
            return "review", BEGAN, deadline
    if state == 11 and not in_part and nobody_says_later:
        return "review", IN_PROGRESS, deadline
    if on_its_way and nobody_says_later:
        return "review", IN_PROGRESS if state == 8 else FAILED, deadline
    return "grant", GRANTED, deadline


def basis(order: Order, applications: Iterable[AfterSale]) -> tuple[Any, ...]:
    """What an answer was given for; it counts as long as this is the same."""
    asked = {
        (one.name, one.state, one.created_at, bool(ESSENTIAL_OF_APPLICATION & set(one.unreadable)))
        for one in applications
        if one.sale_type != 3
    }
    doubtful = frozenset(order.unreadable) & UNREADABLE.keys()
    return order.order_state, order.refund_money, order.refund_time, doubtful, frozenset(asked)


@dataclass
class Shop:
    """What the warehouse knows of a shop."""

    orders: dict[str, Order] = field(default_factory=dict)
    after_sales: dict[str, list[AfterSale]] = field(default_factory=lambda: defaultdict(list))
    looks: list[Look] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    shop_id: str = APP_ID
    first_decided: date = LONG_AGO
    """Beijing day of the first decision, which counts where the rule has no first day."""

    def verdicts(self, rule: Rule, now: datetime) -> dict[str, Verdict]:
        """What the oracle says about every order at a moment."""
        newest = sorted(self.looks, key=lambda look: look.observed_at, reverse=True)
        return {name: self._verdict(order, newest, rule, naive(now)) for name, order in self.orders.items()}

    def _verdict(self, order: Order, newest: list[Look], rule: Rule, now: datetime) -> Verdict:
        made, seen = order.created_time, order.observed_at
        if made is not None:
            for look in newest:
                if look.begin <= made < look.end:
                    seen = max(seen, look.observed_at)
                    break
        applications = self.after_sales.get(order.order_id, [])
        decision, reason, deadline = judge(
            order,
            applications,
            rule,
            now,
            seen=seen,
            is_stale=order.order_id in self.rejected,
            changes=self.changes.get(order.order_id, []),
            first_day=rule.since or self.first_decided,
        )
        if decision == "review" and order.order_id in self.answers:
            for answer in self.answers[order.order_id]:
                if answer.facts == basis(order, applications):
                    return Verdict(answer.answer, BY_HAND + reason, deadline, seen)
        return Verdict(decision, reason, deadline, seen)

    # --- into the warehouse ----------------------------------------------------------------------------

    def save(self, session: Session, names: Iterable[str] | None = None, *, queue: bool = True) -> None:
        """Write these orders, their changes and their after-sales (None: all), as a merge does, and commit.

        Looks, rejected rows and answers are written by `save_looks`, `save_rejected` and `answer`.
        """
        kept = list(self.orders if names is None else names)
        session.bulk_load("orders", ORDER_COLUMNS, [self._order_row(self.orders[name]) for name in kept])
        sold = [self._refund_row(name, one) for name in kept for one in self.after_sales.get(name, ())]
        session.bulk_load("refunds", REFUND_COLUMNS, sold)
        session.insert_many(
            "INSERT INTO order_state_log (shop_id, order_id, field, old_value, new_value, observed_at, batch_id)"
            " VALUES (%s, %s, 'order_state', %s, %s, %s, 'by-hand')",
            [
                (self.shop_id, name, one.old, one.new, one.observed_at)
                for name in kept
                for one in self.changes.get(name, ())
            ],
        )
        if queue:
            session.bulk_load("benefit_queue", ("shop_id", "order_id"), [(self.shop_id, name) for name in kept])
        session.commit()

    def save_looks(self, session: Session, looks: Iterable[Look] | None = None) -> None:
        rows = [
            (self.shop_id, number, look.begin, look.end, look.observed_at)
            for number, look in enumerate(self.looks if looks is None else looks)
        ]
        session.insert_many(
            "INSERT INTO sync_windows (shop_id, resource, mode, batch_id, window_start, window_end, observed_at,"
            " api_total, staged, inserted, updated, unchanged, rejected, passes, run_id, merged_at)"
            " VALUES (%s, 'orders', 'rescan', %s, %s, %s, %s, 0, 0, 0, 0, 0, 0, 1, 'by-hand', UTC_TIMESTAMP(3))",
            rows,
        )
        session.commit()

    def save_rejected(self, session: Session) -> None:
        session.insert_many(
            "INSERT INTO rejected_rows (shop_id, resource, raw_hash, row_key, reason, raw_json, batch_id,"
            " first_seen_at, last_seen_at) VALUES (%s, 'orders', %s, %s, '', '', 'b', '2026-01-01', '2026-01-01')",
            [(self.shop_id, number, name) for number, name in enumerate(sorted(self.rejected))],
        )
        session.commit()

    def answer(self, session: Session, database: Database, answers: dict[str, str]) -> None:
        """People answer these orders, looking at the facts of this moment; their orders wait for a decision."""
        held = {name: row["basis"] for name, row in decisions(database, self.shop_id).items()}
        session.insert_many(
            "INSERT INTO benefit_reviews (shop_id, order_id, basis, answer, answered_by, answered_at)"
            " VALUES (%s, %s, %s, %s, '王芳', UTC_TIMESTAMP(3))",
            [(self.shop_id, name, held[name], answer) for name, answer in answers.items()],
        )
        enqueue(session, answers, self.shop_id)
        for name, answer in answers.items():
            self.answers[name].append(Answer(answer, basis(self.orders[name], self.after_sales.get(name, []))))

    def _order_row(self, one: Order) -> tuple[Any, ...]:
        return (
            *(self.shop_id, one.order_id, one.resource_type, one.price, one.refund_money, one.order_state),
            *(one.created_time, one.pay_time, one.refund_time, 1, 1, one.observed_at, "by-hand"),
            one.observed_at if one.absent else None,
            ",".join(one.unreadable) or None,
        )

    def _change_row(self, order_id: str, one: Change) -> tuple[Any, ...]:
        return self.shop_id, order_id, one.old, one.new, one.observed_at

    def _refund_row(self, order_id: str, one: AfterSale) -> tuple[Any, ...]:
        return (
            *(self.shop_id, one.name, order_id, one.state, one.sale_type, one.created_at, one.updated_at),
            *(1, 1, "2026-01-01", "by-hand", ",".join(one.unreadable) or None),
        )


ORDER_COLUMNS = (
    "shop_id", "order_id", "resource_type", "price", "refund_money", "order_state", "created_time", "pay_time",
    "refund_time", "row_hash", "raw_hash", "observed_at", "batch_id", "absent_since", "problem_columns",
)  # fmt: skip
REFUND_COLUMNS = (
    "shop_id", "aftersale_id", "order_id", "state", "sale_type", "created_at", "updated_at", "row_hash", "raw_hash",
    "observed_at", "batch_id", "problem_columns",
)  # fmt: skip


def held_by(database: Database, shop_id: str = APP_ID) -> Shop:
    """The facts of a warehouse that was filled by merges."""
    shop = Shop(shop_id=shop_id)
    for row in database.rows("SELECT * FROM orders WHERE shop_id = %s", (shop_id,)):
        facts = {name: row[name] for name in Order.__slots__ if name not in ("absent", "unreadable")}
        is_absent = row["absent_since"] is not None
        shop.orders[row["order_id"]] = Order(**facts, absent=is_absent, unreadable=_marked(row))
    for row in database.rows("SELECT * FROM refunds WHERE shop_id = %s", (shop_id,)):
        facts = {name: row[name] for name in AfterSale.__slots__ if name not in ("name", "unreadable")}
        shop.after_sales[row["order_id"]].append(AfterSale(row["aftersale_id"], **facts, unreadable=_marked(row)))
    log = "SELECT * FROM order_state_log WHERE shop_id = %s AND field = 'order_state' ORDER BY observed_at, id"
    for row in database.rows(log, (shop_id,)):
        old, new = (None if value is None else int(value) for value in (row["old_value"], row["new_value"]))
        shop.changes[row["order_id"]].append(Change(old, new, row["observed_at"]))
    windows = "SELECT * FROM sync_windows WHERE shop_id = %s AND resource = 'orders'"
    for row in database.rows(windows, (shop_id,)):
        shop.looks.append(Look(row["window_start"], row["window_end"], row["observed_at"]))
    rejects = "SELECT row_key FROM rejected_rows WHERE shop_id = %s AND resource = 'orders' AND resolved_at IS NULL"
    shop.rejected = {row["row_key"] for row in database.rows(rejects, (shop_id,))}
    return shop


def _marked(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple((row["problem_columns"] or "").split(",")) if row["problem_columns"] else ()


def begin_long_ago(shop_id: str = APP_ID) -> None:
    """Benefits of the shop began before every order, as if it had been decided on for years."""
    with Warehouse().session() as session:
        session.execute("INSERT INTO benefit_starts VALUES (%s, %s, UTC_TIMESTAMP(3))", (shop_id, LONG_AGO))
        session.commit()


# --- deciding ------------------------------------------------------------------------------------------


_NO_MOMENT = "2000-01-01 00:00:00.000"


def decide(
    now: datetime, rule: Rule = Rule(), *, number: int = 1, warehouse: Warehouse | None = None, shop_id: str = APP_ID
) -> Counter[str]:
    """One run, as the operator does it, but without splitting the SQL again each time."""
    decider = copy.copy(_decider(rule, number, shop_id))
    for name, value in vars(decider).items():
        if isinstance(value, list):
            setattr(decider, name, [text.replace(_NO_MOMENT, moment_text(now)) for text in value])
    decider._warehouse, decider._now = warehouse or Warehouse(), now.astimezone(timezone.utc)
    return decider.decide()


@cache
def _decider(rule: Rule, number: int, shop_id: str) -> Decider:
    """Made once: splitting the SQL takes longer than a small run. Whether the rule is in force is tested elsewhere."""
    decider = Decider(Warehouse(), shop_id, rule.policy, number, now=datetime(2000, 1, 1, tzinfo=timezone.utc))
    decider._check_policy = lambda session: None  # type: ignore[method-assign]
    return decider


def enqueue(session: Session, names: Iterable[str], shop_id: str = APP_ID) -> None:
    session.insert_many("REPLACE INTO benefit_queue (shop_id, order_id) VALUES (%s, %s)", [(shop_id, n) for n in names])
    session.commit()


def decisions(database: Database, shop_id: str = APP_ID) -> dict[str, dict[str, Any]]:
    rows = database.rows("SELECT * FROM benefit_decisions WHERE shop_id = %s ORDER BY order_id", (shop_id,))
    return {row["order_id"]: row for row in rows}


def disagreements(database: Database, verdicts: dict[str, Verdict], shop_id: str = APP_ID) -> list[str]:
    """Orders on which warehouse and oracle differ; [] is agreement on every one."""
    held = {name: row for name, *row in decided(database, shop_id)}
    wrong = [f"{name} has no verdict" for name in held.keys() - verdicts.keys()]
    for name, told in verdicts.items():
        decision, reason, deadline, seen, _ = held.get(name) or (None, None, None, told.seen, None)
        # What was decided is not written again because it was seen again.
        if (decision, reason, deadline) != (told.decision, told.reason, told.deadline) or seen > told.seen:
            wrong.append(f"{name}: {(decision, reason, deadline, seen)} should be {told}")
    return wrong


def decided(database: Database, shop_id: str = APP_ID) -> list[tuple[Any, ...]]:
    """Order, decision, reason, deadline, last seen, decided at; in order."""
    connection = database.connect()
    try:
        with connection.cursor(Cursor) as cursor:
            cursor.execute(
                "SELECT order_id, decision, reason, deadline_at, observed_at, decided_at FROM benefit_decisions"
                " WHERE shop_id = %s ORDER BY order_id",
                (shop_id,),
            )
            return list(cursor.fetchall())
    finally:
        connection.close()


def log_of(database: Database, shop_id: str = APP_ID, *, after: int = 0) -> list[dict[str, Any]]:
    condition = "WHERE shop_id = %s AND id > %s ORDER BY id"
    return database.rows(f"SELECT * FROM benefit_decision_log {condition}", (shop_id, after))


def naive(moment: datetime) -> datetime:
    """UTC without saying so, as the warehouse holds it."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None)


def utc(beijing: datetime) -> datetime:
    """A naive moment of Beijing → naive UTC."""
    return beijing - EIGHT_HOURS


def moment_text(now: datetime) -> str:
    return f"{naive(now):%Y-%m-%d %H:%M:%S.%f}"[:-3]


# --- a generated shop ----------------------------------------------------------------------------------


FIRST_DAY = datetime(2026, 9, 1)
DAYS = 50
EDGES = (-SECOND, timedelta(), SECOND)
NEAR = (*EDGES, *EDGES, -9 * DAY, -3 * DAY, -HOUR, HOUR, 2 * DAY, 9 * DAY)
"""From the deadline to what happens; mostly right at it."""


def generated(count: int, seed: int = 1) -> Shop:
    """Orders of fifty days with every story there is, and a ledger with holes; always the same.

    Every day is its own case of what was seen: before the deadline only, all of it after, half of it, and windows
    that were read in the very moment of a deadline.
    """
    dice = random.Random(seed)
    shop = Shop()
    for number in range(DAYS):
        shop.looks += _looks(dice, number, FIRST_DAY + number * DAY)
    stories = list(STORIES)
    for number in range(count):
        name = f"o_{number:06d}"
        second = dice.choice((0, 1, 43199, 43200, 86399)) if dice.random() < 0.1 else dice.randrange(86400)
        created = FIRST_DAY + dice.randrange(DAYS) * DAY + second * SECOND
        deadline = created + 14 * DAY
        seen = utc(created) + dice.randrange(3600) * SECOND
        if dice.random() < 0.1:
            seen = utc(deadline) + dice.choice((-MILLISECOND, timedelta(), MILLISECOND, 3 * HOUR))
        facts, sold = stories[number % len(stories)](dice, created, deadline)
        shop.orders[name] = Order(**{"order_id": name, "created_time": created, "observed_at": seen, **facts})
        if sold:
            shop.after_sales[name] = [AfterSale(f"{name}_{place}", *one) for place, one in enumerate(sold)]
        if dice.random() < 0.3:
            shop.changes[name] = _changes(dice, deadline)
        if dice.random() < 0.01:
            shop.orders[name] = replace(shop.orders[name], absent=True)
        if dice.random() < 0.03:
            unreadable = tuple(dice.sample([*UNREADABLE, "title", "ship_state"], 2))
            shop.orders[name] = replace(shop.orders[name], unreadable=unreadable)
        if dice.random() < 0.03 and sold:
            columns = (dice.choice(("reason", "goods_name", *sorted(ESSENTIAL_OF_APPLICATION))),)
            shop.after_sales[name] = [replace(one, unreadable=columns) for one in shop.after_sales[name]]
        if dice.random() < 0.01:
            shop.rejected.add(name)
    return shop


def _changes(dice: random.Random, deadline: datetime) -> list[Change]:
    """One or two changes of state: refunds that begin, and end, about the deadline."""
    begun = utc(_near(dice, deadline))
    first = Change(dice.choice((0, 1, 1, 8, 11, None)), dice.choice((1, 8, 8, 9, 11)), begun)
    return [first, Change(first.new, dice.choice((1, 9, 10, 11)), begun + DAY)] if dice.random() < 0.5 else [first]


def _looks(dice: random.Random, number: int, day: datetime) -> list[Look]:
    early = Look(day - 6 * DAY, day + DAY, utc(day + DAY))
    late = Look(day, day + DAY, utc(day + dice.choice((16, 17, 20)) * DAY))
    morning = Look(day, day + 12 * HOUR, utc(day + 16 * DAY + 3 * HOUR))
    at_noon = Look(day, day + DAY, utc(day + 14 * DAY + 12 * HOUR))
    after = Look(day + 6 * HOUR, day + 18 * HOUR, utc(day + 14 * DAY + 12 * HOUR) + MILLISECOND)
    days = ([early], [late, early], [late], [early, morning], [late, late], [at_noon], [early, after, at_noon])
    return days[number % len(days)]


Story = tuple[dict[str, Any], list[tuple[Any, ...]]]
STORIES: list[Callable[[random.Random, datetime, datetime], Story]] = []


def _story(tell: Callable[[random.Random, datetime, datetime], Story]) -> Callable[..., Story]:
    STORIES.append(tell)
    return tell


@_story
def _paid(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {"pay_time": created + 20 * SECOND}, []


@_story
def _paid_days_later(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {"pay_time": created + dice.randrange(1, 20) * DAY}, []


@_story
def _never_paid(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {"order_state": dice.choice((0, 2, 4, 5, 6, 7, 12, None))}, []


@_story
def _paid_and_no_time_of_it(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {}, []


@_story
def _free(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {"price": dice.choice((Decimal(0), None)), "refund_money": dice.choice((None, Decimal(0)))}, []


@_story
def _refunded(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    state, money = dice.choice(((3, 99), (10, 99), (10, None), (3, 0), (1, 99), (11, 99), (1, 100)))
    return {"order_state": state, "refund_money": money and Decimal(money), "refund_time": _near(dice, deadline)}, []


@_story
def _refunded_and_told_by_the_after_sale_only(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    done = _near(dice, deadline)
    facts = dice.choice(({"order_state": 10}, {"order_state": 3}, {"refund_money": Decimal(99)}, {}))
    return facts, [(dice.choice((13, 14)), done - 2 * HOUR, done, dice.choice((1, 2, None)))]


@_story
def _refunded_some_time(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {"order_state": dice.choice((3, 10))}, [] if dice.random() < 0.5 else [(13, created, None)]


@_story
def _partly_refunded(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    facts = {"order_state": dice.choice((1, 11)), "refund_money": Decimal("0.01"), "refund_time": _near(dice, deadline)}
    if dice.random() < 0.3:
        del facts["refund_money"]
    asked = _near(dice, deadline)
    return facts, [(13, asked, max(asked, facts["refund_time"]))] if dice.random() < 0.5 else []


@_story
def _partly_refunded_some_time(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return dice.choice(({"order_state": 11}, {"refund_money": Decimal("98.99")})), []


@_story
def _in_progress(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    asked = _near(dice, deadline)
    return {"order_state": dice.choice((1, 8, 8))}, [(dice.choice(sorted(OPEN)), asked, asked + HOUR)]


@_story
def _in_progress_and_no_after_sale(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    facts = {"order_state": dice.choice((8, 9)), "refund_money": dice.choice((None, Decimal(99)))}
    return facts | {"refund_time": dice.choice((None, _near(dice, deadline)))}, []


@_story
def _failed(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    asked = _near(dice, deadline)
    return {"order_state": 9}, [(dice.choice((1, 4, 5, 7)), asked, asked + HOUR)]


@_story
def _given_up(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    asked = _near(dice, deadline)
    return {"pay_time": created}, [(dice.choice((1, 4, 5, 7)), asked, asked + HOUR)]


@_story
def _asked_in_time_done_late(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    asked, done = deadline + dice.choice(EDGES), deadline + dice.choice((*EDGES, 2 * DAY))
    return dice.choice(({}, {"order_state": 10, "refund_time": done})), [(13, asked, max(asked, done))]


@_story
def _exchanged(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    asked = _near(dice, deadline)
    return {"order_state": dice.choice((1, 8, 9))}, [(dice.choice((0, 2, 11, 13, 14, 15)), asked, asked + HOUR, 3)]


@_story
def _refund_of_a_refund(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    asked = _near(dice, deadline)
    sold = [(1, asked, asked + HOUR), (dice.choice((1, 13)), asked + HOUR, asked + 2 * HOUR)]
    return {"refund_money": dice.choice((None, Decimal(0)))}, sold


@_story
def _unknown(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {"order_state": dice.choice((12, 99, -1, None)), "pay_time": created}, []


@_story
def _made_at_no_time(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    return {"created_time": None, "pay_time": dice.choice((None, created))}, []


@_story
def _anything(dice: random.Random, created: datetime, deadline: datetime) -> Story:
    facts = {
        "order_state": dice.choice((*range(13), None)),
        "pay_time": dice.choice((None, created)),
        "price": dice.choice((None, Decimal(0), Decimal(99))),
        "refund_money": dice.choice((None, Decimal(0), Decimal(5), Decimal(99))),
        "refund_time": dice.choice((None, _near(dice, deadline))),
        "resource_type": dice.choice((None, 3, 6, 25)),
    }
    sold = []
    for _ in range(dice.randrange(4)):
        moments = dice.choice((None, _near(dice, deadline))), dice.choice((None, _near(dice, deadline)))
        sold.append((dice.choice((*range(20), None)), *moments, dice.choice((1, 2, 3, None))))
    return facts, sold


def _near(dice: random.Random, moment: datetime) -> datetime:
    return moment + dice.choice(NEAR)


# --- a shop that lives ---------------------------------------------------------------------------------


Snapshot = tuple[dict[str, Order], Look]


class Life:
    """A shop that changes hour by hour, and a sync that sees it late, in part, or for a day and a half not at all.

    `truth` is the shop, `known` the warehouse. Rescans read the last fifteen days, some fail, some are merged hours
    after they were read; once a day everything is read. After-sales come on their own, or later.

    Args:
        start: Naive, Beijing; the shop has orders of the last fourteen days already.
        seed: Of everything that happens.
    """

    def __init__(self, start: datetime, *, orders: int, seed: int) -> None:
        self.dice = random.Random(seed)
        self.start, self.now = start, start
        self.truth: dict[str, Order] = {}
        self.true_sales: dict[str, list[AfterSale]] = defaultdict(list)
        self.known = Shop()
        self.missed: set[str] = set()
        self.waiting: list[tuple[datetime, Snapshot]] = []
        for number in range(orders):
            self._make(start - 14 * DAY + number * (14 * DAY / orders))

    def hour(self, *, last: bool = False) -> tuple[set[str], list[Look]]:
        """An hour passes; the orders and the looks that reached the warehouse in it."""
        self.now += HOUR
        if self.dice.random() < 0.3:
            self._make(self.now - self.dice.choice((HOUR, timedelta(seconds=1), timedelta(minutes=7))))
        for name in self.dice.sample(sorted(self.truth), 5):
            self._happen(name)
        changed, looks = set(), []
        for due, snapshot in [one for one in self.waiting if one[0] <= self.now]:
            self.waiting.remove((due, snapshot))
            changed |= self._merge(snapshot)
            looks.append(snapshot[1])
        for snapshot in self._read(last):
            if not last and self.dice.random() < 0.2:
                self.waiting.append((self.now + self.dice.randrange(1, 30) * HOUR, snapshot))
            else:
                changed |= self._merge(snapshot)
                looks.append(snapshot[1])
        if last or self.dice.random() < 0.6:
            for name in self.missed:
                self.known.after_sales[name] = list(self.true_sales[name])
            changed |= self.missed
            self.missed = set()
        return changed & self.known.orders.keys(), looks

    def _read(self, last: bool) -> list[Snapshot]:
        """What the rescans of this hour saw: of the last fifteen days, and at midnight of everything."""
        down = 8 * DAY <= self.now - self.start < 8 * DAY + 36 * HOUR
        if not last and (down or self.dice.random() < 0.3):
            return []
        since = self.start - 100 * DAY if last or self.now.hour == 0 else self.now - 15 * DAY
        seen = utc(self.now) - self.dice.choice((timedelta(), MILLISECOND, 20 * SECOND))
        look = Look(since, self.now, seen)
        listed = {name: one for name, one in self.truth.items() if since <= _made(one) < self.now}
        return [(listed, look)]

    def _merge(self, snapshot: Snapshot) -> set[str]:
        """Newer wins, and what a later window saw unchanged is newer than it looks."""
        listed, look = snapshot
        later = [one for one in self.known.looks if one.observed_at > look.observed_at]
        changed = set()
        for name, order in listed.items():
            held = self.known.orders.get(name)
            seen = replace(order, observed_at=look.observed_at)
            if held and (held.observed_at > look.observed_at or replace(held, observed_at=look.observed_at) == seen):
                continue
            if held and any(one.begin <= _made(order) < one.end for one in later):
                continue
            self.known.orders[name] = seen
            changed.add(name)
        self.known.looks.append(look)
        return changed

    def _make(self, moment: datetime) -> None:
        name = f"o_{len(self.truth):05d}"
        paid = moment if self.dice.random() < 0.8 else None
        moment = moment.replace(microsecond=0)
        self.truth[name] = Order(
            name, moment, utc(moment), pay_time=paid and moment, order_state=1 if paid else 0, refund_money=Decimal(0)
        )

    def _happen(self, name: str) -> None:
        """The next thing in the life of an order; most often something right at the full hour."""
        order, sales = self.truth[name], self.true_sales[name]
        now = self.now - self.dice.choice((timedelta(), SECOND, timedelta(minutes=31)))
        if order.order_state == 1 and self.dice.random() < 0.1:  # refunded by hand, days ago, and only told now
            ago = now - self.dice.randrange(6) * DAY
            order = replace(order, order_state=10, refund_money=order.price, refund_time=ago)
        elif order.order_state == 0:
            order = replace(order, order_state=1, pay_time=now) if self.dice.random() < 0.5 else order
        elif order.order_state == 1 and self.dice.random() < 0.5:
            order = replace(order, order_state=8)
            sales.append(AfterSale(f"{name}_{len(sales)}", 2, now, now, self.dice.choice((1, 1, 2, 3))))
        elif order.order_state == 8:
            end = self.dice.choice(("done", "done", "partly", "failed", "given up", "unknown"))
            state = {"done": 13, "partly": 14, "failed": 4, "given up": 1, "unknown": 13}[end]
            sales[-1] = replace(sales[-1], state=state, updated_at=now)
            if end == "done":
                order = replace(order, order_state=10, refund_money=order.price, refund_time=now)
            elif end == "partly":
                order = replace(order, order_state=11, refund_money=Decimal("9.90"), refund_time=now)
            else:
                order = replace(order, order_state={"failed": 9, "given up": 1, "unknown": 77}[end])
        elif order.order_state in (9, 10, 77) and self.dice.random() < 0.3:  # set back by the merchant
            order = replace(order, order_state=1, refund_money=Decimal(0), refund_time=None)
            sales[:] = [replace(one, state=1, updated_at=now) for one in sales]
        self.truth[name] = order
        self.missed.add(name)


def _made(order: Order) -> datetime:
    assert order.created_time is not None
    return order.created_time
