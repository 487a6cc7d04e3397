"""Who keeps a benefit: the SQL against an oracle in Python (support/oracles/benefits.py), on every order there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.process import Emulator
from support.faults.chaos import by_level
from support.faults.processes import Child, Event, KillSwitch, children, killed_everywhere
from support.oracles import benefits
from support.oracles.benefits import (
    ABSENT,
    BEGAN,
    BY_HAND,
    DAY,
    DONE_LATE,
    EARLY,
    ESSENTIAL_OF_APPLICATION,
    FAILED,
    GRANTED,
    HOUR,
    IN_PROGRESS,
    LONG_AGO,
    MILLISECOND,
    NO_PARTIAL_TIME,
    NO_REFUND_TIME,
    NO_TIME,
    NOT_CARRIED,
    PARTIAL,
    REFUNDED,
    SECOND,
    STALE,
    TOO_EARLY,
    UNKNOWN,
    UNPAID,
    UNREADABLE,
    UNREADABLE_APPLICATION,
    UNSEEN,
    AfterSale,
    Change,
    Life,
    Look,
    Order,
    Rule,
    Shop,
    Verdict,
    decide,
    decided,
    decisions,
    disagreements,
    enqueue,
    generated,
    held_by,
    log_of,
    utc,
)
from support.worlds.shop import APP_ID, END, EVERYTHING, Database, Sync, days, differences
from support.worlds.staged import WEEK, StagedRun, at, raw_order
from xiaoe.benefits import attention, names
from xiaoe.benefits import decide as deciding
from xiaoe.clock import BEIJING
from xiaoe.mysql import session as warehouses
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.refunds import REFUNDS
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

MADE = datetime(2026, 11, 1, 10)
DEADLINE = MADE + 14 * DAY
ZERO = timedelta()


def revoked_after_grant(session: Session, now: datetime, shop_id: str = APP_ID) -> list[str]:
    """Orders that the run of this moment took a grant back from."""
    return [name for _, name in attention.grants_taken_back(session, shop_id, now, now + attention.LOG_PRECISION)]


def beijing(moment: datetime) -> datetime:
    return moment.replace(tzinfo=BEIJING)


NOW = beijing(DEADLINE + 2 * DAY)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        yield session


def shop_of(*orders: Order, seen: timedelta | None = HOUR) -> Shop:
    """Orders of `MADE`; the ledger says that they were seen so long after the deadline, None: never again."""
    shop = Shop({order.order_id: order for order in orders})
    if seen is not None:
        shop.looks.append(Look(MADE - DAY, MADE + DAY, utc(DEADLINE + seen)))
    return shop


def order(name: str = "o_1", **facts: Any) -> Order:
    return Order(**{"order_id": name, "created_time": MADE, "observed_at": utc(MADE + HOUR), **facts})


def saved(session: Session, shop: Shop) -> Shop:
    shop.save(session)
    shop.save_looks(session)
    shop.save_rejected(session)
    return shop


def changed(session: Session, shop: Shop, name: str = "o_1", *, after_sales: Any = None, **facts: Any) -> None:
    """A merge brings another version of an order, or of its after-sales."""
    shop.orders[name] = replace(shop.orders[name], **facts)
    if after_sales is not None:
        shop.after_sales[name] = list(after_sales)
    shop.save(session, [name])


def looked(session: Session, shop: Shop, moment: datetime) -> None:
    """A rescan reads everything at a moment, naive, of Beijing, and finds nothing changed."""
    shop.looks.append(Look(MADE - DAY, MADE + DAY, utc(moment)))
    shop.save_looks(session, shop.looks[-1:])


def steps(database: Database, name: str = "o_1") -> list[tuple[Any, str, str]]:
    return [
        (row["old_decision"], row["new_decision"], row["reason"]) for row in log_of(database) if row["order_id"] == name
    ]


# --- one order -----------------------------------------------------------------------------------------


FOURTEEN_DAYS = Rule()


@dataclass(frozen=True)
class Case:
    """One order and what becomes of it.

    Args:
        name: Of the test.
        decision: Expected.
        reason: Expected.
        facts: Of the order, where they differ from a paid order of 99 yuan.
        after_sales: State, asked, changed, type; times from the deadline.
        seen: From the deadline to the window of the ledger; None: the order stands only for itself.
        own: From the deadline to when the order itself was last written; None: long before.
        now: From the deadline to the run.
        rejected: Its newest version could not be typed.
        changes: Of its state: from, to, seen so long after the deadline.
        deadline: Expected, from `MADE`.
        rule: The policy.
    """

    name: str
    decision: str
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)
    after_sales: tuple[tuple[Any, ...], ...] = ()
    seen: timedelta | None = HOUR
    own: timedelta | None = None
    now: timedelta = 2 * DAY
    rejected: bool = False
    changes: tuple[tuple[int | None, int, timedelta], ...] = ()
    deadline: timedelta | None = 14 * DAY
    rule: Rule = FOURTEEN_DAYS


def refunded(when: timedelta | None = -DAY, state: int = 10, money: Any = 99) -> dict[str, Any]:
    moment = None if when is None else DEADLINE + when
    return {"order_state": state, "refund_money": money and Decimal(money), "refund_time": moment}


def partly(when: timedelta | None = -DAY, state: int = 11, money: Any = "0.01") -> dict[str, Any]:
    return refunded(when, state, money)


REVOKES = Rule(partial_refund="revoke")
BY_PAYMENT = Rule(anchor="pay_time")
ONE_TYPE = Rule(resource_types=(3, 6))
THREE_DAYS = Rule(days=3)
NEXT_DAY = MADE.date() + DAY
SINCE_NEXT_DAY = Rule(since=NEXT_DAY)
LATE = 9 * DAY
CASES = [
    Case("paid, seen after the deadline", "grant", GRANTED),
    Case("paid, its own version is of after the deadline", "grant", GRANTED, seen=None, own=HOUR),
    Case("paid, before the deadline", "pending", EARLY, seen=-2 * HOUR, now=-HOUR),
    Case("paid, at the deadline", "pending", EARLY, seen=None, now=ZERO),
    Case("paid, the first second after the deadline", "pending", UNSEEN, seen=None, now=SECOND),
    Case("never seen again", "pending", UNSEEN, seen=None),
    Case("seen 1 ms before the deadline", "pending", UNSEEN, seen=-MILLISECOND),
    Case("seen at the deadline", "pending", UNSEEN, seen=ZERO),
    Case("seen 1 ms after the deadline", "grant", GRANTED, seen=MILLISECOND),
    Case("itself seen 1 ms before the deadline", "pending", UNSEEN, seen=None, own=-MILLISECOND),
    Case("itself seen at the deadline", "pending", UNSEEN, seen=None, own=ZERO),
    Case("itself seen 1 ms after the deadline", "grant", GRANTED, seen=None, own=MILLISECOND),
    # refunded in full
    Case("refunded 1 s before the deadline", "revoke", REFUNDED, refunded(-SECOND)),
    Case("refunded at the deadline", "revoke", REFUNDED, refunded(ZERO)),
    Case("refunded 1 s after the deadline", "grant", GRANTED, refunded(SECOND)),
    Case("refunded in time, before the deadline", "revoke", REFUNDED, refunded(-LATE), seen=None, now=-LATE),
    Case("refunded after the deadline, not seen since", "pending", UNSEEN, refunded(SECOND), seen=None),
    Case("refunded, the other code", "revoke", REFUNDED, refunded(state=3)),
    Case("refunded, the money says so", "revoke", REFUNDED, refunded(state=1)),
    Case("refunded more than paid", "revoke", REFUNDED, refunded(state=11, money=100)),
    Case("refunded by code, no money", "revoke", REFUNDED, refunded(money=None)),
    Case("all of the money, but the refund failed", "review", FAILED, refunded(state=9)),
    Case("all of the money, but the refund runs", "review", IN_PROGRESS, refunded(state=8)),
    Case("refunded, nobody knows when", "review", NO_REFUND_TIME, refunded(None)),
    Case("refunded, the after-sale knows when", "revoke", REFUNDED, refunded(None), ((13, -DAY, ZERO),)),
    Case("refunded, the after-sale says late", "review", DONE_LATE, refunded(None), ((13, -DAY, SECOND),)),
    Case("refunded, all of it late", "grant", GRANTED, refunded(None), ((13, SECOND, HOUR),)),
    Case("refunded, two after-sales", "revoke", REFUNDED, refunded(None), ((13, SECOND, LATE), (14, -DAY, ZERO))),
    Case("refunded late, asked in time", "review", DONE_LATE, refunded(SECOND), ((13, -DAY, SECOND),)),
    Case("refunded late, an after-sale in time", "review", PARTIAL, refunded(SECOND), ((13, -DAY, ZERO),)),
    Case("refunded free order", "revoke", REFUNDED, refunded(money=0) | {"price": Decimal(0)}),
    # refunded in part
    Case("partly refunded 1 s before the deadline", "review", PARTIAL, partly(-SECOND)),
    Case("partly refunded at the deadline", "review", PARTIAL, partly(ZERO)),
    Case("partly refunded 1 s after the deadline", "grant", GRANTED, partly(SECOND)),
    Case("partly refunded, at once", "review", PARTIAL, partly(-LATE), seen=None, now=-LATE),
    Case("partly refunded, the money says so", "review", PARTIAL, partly(state=1, money="98.99")),
    Case("partly refunded, only the time says so", "review", PARTIAL, partly(state=1, money=None)),
    Case("partly refunded, nobody knows when", "review", NO_PARTIAL_TIME, partly(None)),
    Case("partly refunded, the after-sale knows when", "review", PARTIAL, partly(None), ((14, -DAY, ZERO),)),
    Case("partly refunded, only the after-sale knows", "review", PARTIAL, {}, ((13, -DAY, ZERO),)),
    Case("partly refunded, the policy revokes", "revoke", PARTIAL, partly(ZERO), rule=REVOKES),
    Case("partly refunded late, the policy revokes", "grant", GRANTED, partly(SECOND), rule=REVOKES),
    Case("partly refunded some time, the policy revokes", "review", NO_PARTIAL_TIME, partly(None), rule=REVOKES),
    Case("partly refunded of an order without a price", "review", PARTIAL, partly() | {"price": None}),
    # on its way, failed, given up
    Case("asked 1 s before the deadline", "review", IN_PROGRESS, {"order_state": 8}, ((2, -SECOND, -SECOND),)),
    Case("asked at the deadline", "review", IN_PROGRESS, {"order_state": 8}, ((2, ZERO, ZERO),)),
    Case("asked 1 s after the deadline", "grant", GRANTED, {"order_state": 8}, ((2, SECOND, SECOND),)),
    Case("asked in time, the order does not say so", "review", IN_PROGRESS, {}, ((0, -DAY, -DAY),)),
    Case("asked, before the deadline", "pending", EARLY, {"order_state": 8}, ((2, -LATE, -LATE),), seen=None, now=-DAY),
    Case("in progress and no after-sale", "review", IN_PROGRESS, {"order_state": 8}),
    Case("failed and no after-sale", "review", FAILED, {"order_state": 9}),
    Case("failed, asked in time", "review", FAILED, {"order_state": 9}, ((4, -DAY, HOUR),)),
    Case("failed, asked late", "grant", GRANTED, {"order_state": 9}, ((4, SECOND, HOUR),)),
    Case("failed before, not seen since", "pending", UNSEEN, {"order_state": 9}, ((4, -DAY, -DAY),), seen=None),
    Case("refused", "grant", GRANTED, {}, ((4, -DAY, -HOUR),)),
    Case("asked in time, done 1 s late", "review", DONE_LATE, {}, ((14, -DAY, SECOND),)),
    Case("one refused, one open", "review", IN_PROGRESS, {}, ((4, -LATE, -LATE), (11, -DAY, HOUR))),
    # begun in time: the log of changes says so, or does not say otherwise
    Case("begun in time, refunded late", "review", BEGAN, refunded(SECOND), changes=((1, 8, -DAY), (8, 10, HOUR))),
    Case("begun at the deadline", "review", BEGAN, refunded(SECOND), changes=((1, 8, ZERO), (8, 10, HOUR))),
    Case("begun 1 ms late", "grant", GRANTED, refunded(SECOND), changes=((1, 8, MILLISECOND), (8, 10, HOUR))),
    Case("begun in time, part of it back late", "review", BEGAN, partly(SECOND), changes=((1, 8, -DAY),)),
    Case("a part begun in time", "review", BEGAN, partly(SECOND), changes=((1, 11, -DAY),)),
    Case("begun and over in time, and again", "review", BEGAN, refunded(SECOND), changes=((8, 1, -DAY), (1, 10, HOUR))),
    Case("begun before anybody looked", "review", BEGAN, refunded(SECOND), changes=((8, 10, HOUR),)),
    Case("begun before anybody looked, asked late", "grant", GRANTED, refunded(HOUR), ((13, SECOND, HOUR),),
         changes=((8, 10, HOUR),)),
    Case("begun in time, another application late", "review", BEGAN, refunded(HOUR), ((13, SECOND, HOUR),),
         changes=((1, 8, -DAY), (8, 10, HOUR))),
    Case("begun in time, given up", "grant", GRANTED, {"order_state": 1}, changes=((1, 8, -DAY), (8, 1, HOUR))),
    Case("begun and refunded in time", "revoke", REFUNDED, refunded(), changes=((1, 8, -LATE), (8, 10, -DAY))),
    Case("begun in time, not seen since", "pending", UNSEEN, refunded(SECOND), changes=((1, 8, -DAY),), seen=None),
    Case("never on its way", "grant", GRANTED, refunded(SECOND), changes=((0, 1, -LATE), (1, 10, HOUR))),
    # state 11 says that a partial refund was started
    Case("a part started, no money back", "review", IN_PROGRESS, partly(None, money=None)),
    Case("a part started, asked late", "grant", GRANTED, partly(None, money=0), ((4, SECOND, HOUR),)),
    Case("a part started, refused", "review", IN_PROGRESS, partly(None, money=0), ((4, -DAY, -DAY),)),
    Case("a part started, the policy revokes", "review", IN_PROGRESS, partly(None, money=None), rule=REVOKES),
    # goods exchanged
    Case("exchange asked in time", "grant", GRANTED, {}, ((2, -DAY, -DAY, 3),)),
    Case("exchange finished in time", "grant", GRANTED, {}, ((13, -DAY, -DAY, 3),)),
    Case("exchange of an order in progress", "review", IN_PROGRESS, {"order_state": 8}, ((2, SECOND, SECOND, 3),)),
    Case("after-sale of no type", "review", IN_PROGRESS, {}, ((2, -DAY, -DAY, None),)),
    # paid or not
    Case("never paid", "not_applicable", UNPAID, {"order_state": 0}),
    Case("cancelled", "not_applicable", UNPAID, {"order_state": 6}, seen=None, now=-LATE),
    Case("paid days later", "grant", GRANTED, {"pay_time": MADE + 3 * DAY}),
    Case("paid after the deadline", "grant", GRANTED, {"pay_time": DEADLINE + DAY}),
    Case("paid later, that counts", "pending", EARLY, {"pay_time": MADE + 3 * DAY}, deadline=17 * DAY, rule=BY_PAYMENT),
    Case("paid at no time, the payment counts", "grant", GRANTED, rule=BY_PAYMENT),
    Case("free", "grant", GRANTED, {"price": Decimal(0), "refund_money": Decimal(0)}),
    Case("made at no time", "review", NO_TIME, {"created_time": None}, deadline=None),
    Case("made at no time, but paid", "pending", UNSEEN, {"created_time": None, "pay_time": MADE}, rule=BY_PAYMENT),
    # what is sold
    Case("carries a benefit", "grant", GRANTED, {"resource_type": 6}, rule=ONE_TYPE),
    Case("carries none", "not_applicable", NOT_CARRIED, {"resource_type": 25}, rule=ONE_TYPE),
    Case("carries none, refunded", "not_applicable", NOT_CARRIED, refunded() | {"resource_type": 25}, rule=ONE_TYPE),
    Case("nobody knows what it is", "not_applicable", NOT_CARRIED, {"resource_type": None}, rule=ONE_TYPE),
    Case("three days", "grant", GRANTED, deadline=3 * DAY, seen=-11 * DAY + MILLISECOND, rule=THREE_DAYS),
    Case("three days, to the second", "pending", UNSEEN, deadline=3 * DAY, seen=-11 * DAY, now=-DAY, rule=THREE_DAYS),
    # before benefits began
    Case("made the day before", "not_applicable", TOO_EARLY, rule=SINCE_NEXT_DAY),
    Case("made the second before", "not_applicable", TOO_EARLY,
         {"created_time": MADE.replace(hour=23, minute=59, second=59)}, deadline=14 * DAY + 14 * HOUR - SECOND,
         rule=SINCE_NEXT_DAY),
    Case("made as they begin", "grant", GRANTED, {"created_time": MADE.replace(hour=0) + DAY}, seen=None,
         own=14 * HOUR + MILLISECOND, deadline=14 * DAY + 14 * HOUR, rule=SINCE_NEXT_DAY),
    Case("made on the first day", "grant", GRANTED, rule=Rule(since=MADE.date())),
    Case("made before, refunded", "not_applicable", TOO_EARLY, refunded(), rule=SINCE_NEXT_DAY),
    Case("made before, in progress", "not_applicable", TOO_EARLY, {"order_state": 8}, rule=SINCE_NEXT_DAY),
    Case("made before, not seen since", "not_applicable", TOO_EARLY, seen=None, rule=SINCE_NEXT_DAY),
    Case("made before, carries none", "not_applicable", NOT_CARRIED, {"resource_type": 25},
         rule=Rule(resource_types=(3,), since=NEXT_DAY)),
    Case("made before, money unreadable", "not_applicable", TOO_EARLY, {"unreadable": ("price",)}, rule=SINCE_NEXT_DAY),
    Case("made before, if that can be read", "review", UNREADABLE["created_time"], {"unreadable": ("created_time",)},
         rule=SINCE_NEXT_DAY),
    Case("made at no time, whenever benefits began", "review", NO_TIME, {"created_time": None}, deadline=None,
         rule=SINCE_NEXT_DAY),
    Case("made before, paid after, that counts", "pending", EARLY, {"pay_time": MADE + 3 * DAY}, deadline=17 * DAY,
         rule=Rule(anchor="pay_time", since=NEXT_DAY)),
    Case("made before, paid after, that does not count", "not_applicable", TOO_EARLY, {"pay_time": MADE + 3 * DAY},
         rule=SINCE_NEXT_DAY),
    Case("made before, payment unreadable, that counts", "review", UNREADABLE["pay_time"],
         {"unreadable": ("pay_time",)}, rule=Rule(anchor="pay_time", since=NEXT_DAY)),
    # what cannot be told
    Case("code not known", "review", UNKNOWN, {"order_state": 12, "pay_time": MADE}),
    Case("no code", "review", UNKNOWN, {"order_state": None, "pay_time": MADE}),
    Case("code not known, not seen since", "pending", UNSEEN, {"order_state": 12, "pay_time": MADE}, seen=None),
    Case("newest version rejected", "review", STALE, rejected=True),
    Case("newest version rejected, before the deadline", "pending", EARLY, rejected=True, seen=-DAY, now=-HOUR),
    Case("newest version rejected, refunded", "revoke", REFUNDED, refunded(), rejected=True),
    *(
        Case(f"{column} unreadable, {name}", "review", reason, facts | {"unreadable": ("title", column)}, seen=seen)
        for column, reason in UNREADABLE.items()
        if column != "resource_type"
        for name, facts, seen in (
            ("paid", {}, HOUR),
            ("refunded in time", refunded(), HOUR),
            ("unpaid", {"order_state": 0}, HOUR),
            ("nothing known", {"order_state": None}, HOUR),
            ("not seen since", {}, None),
        )
    ),
    Case("what no decision rests on is unreadable", "grant", GRANTED, {"unreadable": ("title", "resource_type")}),
    Case("type unreadable, it counts", "review", UNREADABLE["resource_type"],
         {"unreadable": ("resource_type",), "resource_type": None}, rule=ONE_TYPE),
    Case("type unreadable, another was known", "review", UNREADABLE["resource_type"],
         {"unreadable": ("resource_type",), "resource_type": 25}, rule=ONE_TYPE),
    Case("carries none, money unreadable", "not_applicable", NOT_CARRIED,
         {"resource_type": 25, "unreadable": ("price",)}, rule=ONE_TYPE),
    *(
        Case(f"{column} of an after-sale unreadable", "review", UNREADABLE_APPLICATION, {},
             ((4, -DAY, -HOUR, 1, ("reason", column)),))
        for column in sorted(ESSENTIAL_OF_APPLICATION)
    ),
    Case("remark of an after-sale unreadable", "grant", GRANTED, {}, ((4, -DAY, -HOUR, 1, ("remark",)),)),
    Case("time of an exchange unreadable", "grant", GRANTED, {}, ((2, -DAY, -DAY, 3, ("created_at",)),)),
    Case("gone from the list", "review", ABSENT, {"absent": True}),
    Case("gone from the list, refunded", "revoke", REFUNDED, refunded() | {"absent": True}),
    Case("gone from the list, before the deadline", "pending", EARLY, {"absent": True}, seen=-DAY, now=-HOUR),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_order(session: Session, database: Database, case: Case) -> None:
    own = utc(MADE + HOUR) if case.own is None else utc(DEADLINE + case.own)
    shop = shop_of(order(**{"observed_at": own, **case.facts}), seen=case.seen)
    shop.after_sales["o_1"] = [
        AfterSale(f"r_{number}", state, DEADLINE + asked, DEADLINE + done, *rest)
        for number, (state, asked, done, *rest) in enumerate(case.after_sales)
    ]
    shop.rejected = {"o_1"} if case.rejected else set()
    shop.changes["o_1"] = [Change(old, new, utc(DEADLINE + when)) for old, new, when in case.changes]
    saved(session, shop)
    neighbour(session)
    now = beijing(DEADLINE + case.now)
    assert sum(decide(now, case.rule, number=5).values()) == 1
    [row] = database.rows("SELECT * FROM benefit_decisions")
    assert (row["decision"], row["reason"]) == (case.decision, case.reason)
    assert row["deadline_at"] == (None if case.deadline is None else MADE + case.deadline)
    assert row["decision_text"] == names.NAMES[case.decision]
    assert row["decided_at"] == utc(DEADLINE + case.now)
    assert disagreements(database, shop.verdicts(case.rule, now)) == []
    [entry] = log_of(database)
    same = ("shop_id", "order_id", "reason", "observed_at", "policy_id", "decided_at")
    assert [entry[name] for name in same] == [row[name] for name in same]
    assert (entry["old_decision"], entry["new_decision"]) == (None, case.decision)
    assert (entry["decided_by"], row["policy_id"]) == ("system", 5)
    assert database.value("SELECT COUNT(*) FROM benefit_queue WHERE shop_id = %s", (APP_ID,)) == 0


def neighbour(session: Session) -> None:
    """Another shop has an order of the same name, of which everything else is known, and seen later."""
    other = Shop({"o_1": order(order_state=10)}, shop_id="another")
    other.after_sales["o_1"] = [AfterSale("r_9", 13, MADE, MADE)]
    other.looks = [Look(MADE - DAY, MADE + DAY, utc(DEADLINE + 99 * DAY))]
    other.rejected = {"o_1"}
    saved(session, other)


# --- one order and its life ----------------------------------------------------------------------------


def test_a_refund_that_surfaces_after_the_grant_takes_it_back(session: Session, database: Database) -> None:
    shop = saved(session, shop_of(order(), order("o_2")))
    assert decide(NOW) == {"grant": 2}
    later = NOW + HOUR
    changed(session, shop, refund_time=DEADLINE, order_state=10, observed_at=utc(DEADLINE + 2 * DAY))
    assert decide(later) == {"revoke": 1}
    assert steps(database) == [(None, "grant", GRANTED), ("grant", "revoke", REFUNDED)]
    assert revoked_after_grant(session, later) == ["o_1"]
    assert revoked_after_grant(session, NOW) == []
    assert revoked_after_grant(session, later, "another") == []
    assert "其中发放后收回 1" in attention.summary(Counter(revoke=1), ["o_1"], 0, ZERO)


def test_a_refund_after_the_deadline_leaves_the_grant(session: Session, database: Database) -> None:
    shop = saved(session, shop_of(order()))
    decide(NOW)
    changed(session, shop, refund_time=DEADLINE + SECOND, order_state=10, observed_at=utc(DEADLINE + 2 * DAY))
    decide(NOW + HOUR)
    assert steps(database) == [(None, "grant", GRANTED)]
    assert decisions(database)["o_1"]["decided_at"] == utc(DEADLINE + 2 * DAY)


def test_the_refund_of_a_refund_gives_the_benefit_back(session: Session, database: Database) -> None:
    shop = saved(session, shop_of(order(**refunded(-LATE)), seen=None))
    decide(beijing(DEADLINE - 8 * DAY))
    taken_back = {"order_state": 1, "refund_money": Decimal(0), "refund_time": None}
    changed(session, shop, **taken_back, observed_at=utc(DEADLINE - 7 * DAY))
    decide(beijing(DEADLINE - 7 * DAY))
    decide(beijing(DEADLINE + HOUR))
    looked(session, shop, DEADLINE + HOUR)
    decide(beijing(DEADLINE + 2 * HOUR))
    assert steps(database) == [
        (None, "revoke", REFUNDED),
        ("revoke", "pending", EARLY),
        ("pending", "grant", GRANTED),
    ]


def test_an_order_paid_days_later(session: Session, database: Database) -> None:
    shop = saved(session, shop_of(order(order_state=0), seen=None))
    decide(beijing(MADE + HOUR))
    changed(session, shop, order_state=1, pay_time=MADE + 5 * DAY, observed_at=utc(MADE + 5 * DAY))
    decide(beijing(MADE + 5 * DAY))
    looked(session, shop, DEADLINE + HOUR)
    decide(beijing(DEADLINE + HOUR))
    assert steps(database) == [
        (None, "not_applicable", UNPAID),
        ("not_applicable", "pending", EARLY),
        ("pending", "grant", GRANTED),
    ]


def test_an_answer_counts_as_long_as_the_facts_are_the_same(session: Session, database: Database) -> None:
    asked = AfterSale("r_1", 2, DEADLINE - DAY, DEADLINE - DAY)
    shop = shop_of(order(order_state=8))
    shop.after_sales["o_1"] = [asked]
    saved(session, shop)
    decide(NOW)
    shop.answer(session, database, {"o_1": "grant"})
    assert decide(NOW + HOUR) == {"grant": 1}
    assert log_of(database)[-1]["decided_by"] == "王芳"
    looked(session, shop, DEADLINE + 3 * DAY)  # seen again, as it was
    enqueue(session, ["o_1"])
    assert decide(NOW + 2 * HOUR) == {"grant": 1}
    later = DEADLINE + 4 * DAY
    changed(session, shop, after_sales=[replace(asked, state=11, updated_at=later)])
    assert decide(NOW + 3 * HOUR) == {"review": 1}
    shop.answer(session, database, {"o_1": "revoke"})
    assert decide(NOW + 4 * HOUR) == {"revoke": 1}
    changed(session, shop, after_sales=[replace(asked, state=4, updated_at=later)], order_state=1)
    assert decide(NOW + 5 * HOUR) == {"grant": 1}  # nothing to ask any more
    changed(session, shop, after_sales=[asked], order_state=8)
    assert decide(NOW + 6 * HOUR) == {"grant": 1}  # as it was when it was answered first
    assert disagreements(database, shop.verdicts(Rule(), NOW + 6 * HOUR)) == []
    assert steps(database) == [
        (None, "review", IN_PROGRESS),
        ("review", "grant", BY_HAND + IN_PROGRESS),
        ("grant", "review", IN_PROGRESS),
        ("review", "revoke", BY_HAND + IN_PROGRESS),
        ("revoke", "grant", GRANTED),
    ]
    assert [row["decided_by"] for row in log_of(database)] == ["system", "王芳", "system", "王芳", "system"]


def test_an_answer_does_not_stand_against_a_refund_in_time(session: Session, database: Database) -> None:
    shop = saved(session, shop_of(order(**partly())))
    decide(NOW)
    shop.answer(session, database, {"o_1": "grant"})
    decide(NOW + HOUR)
    changed(session, shop, refund_money=Decimal(99))
    assert decide(NOW + 2 * HOUR) == {"revoke": 1}
    assert steps(database)[-1] == ("grant", "revoke", REFUNDED)
    assert revoked_after_grant(session, NOW + 2 * HOUR) == ["o_1"]


@pytest.mark.parametrize(
    "facts",
    [
        {"order_state": 8},
        {"refund_money": Decimal("0.02")},
        {"refund_time": DEADLINE - DAY + SECOND},
        {"after_sales": [AfterSale("r_1", 2, DEADLINE, DEADLINE)]},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_each_fact_that_changes_ends_an_answer(session: Session, database: Database, facts: dict[str, Any]) -> None:
    shop = saved(session, shop_of(order(**partly())))
    decide(NOW)
    shop.answer(session, database, {"o_1": "grant"})
    assert decide(NOW + HOUR) == {"grant": 1}
    changed(session, shop, **facts)
    assert decide(NOW + 2 * HOUR) == {"review": 1}
    assert disagreements(database, shop.verdicts(Rule(), NOW + 2 * HOUR)) == []


def test_orders_that_wait_are_counted_and_the_longest_told(session: Session, database: Database) -> None:
    """The last rescan before the deadlines saw all; then none went through."""
    made = [MADE, MADE + HOUR, MADE + 2 * DAY]
    shop = shop_of(*(order(f"o_{n}", created_time=moment) for n, moment in enumerate(made)), seen=None)
    shop.looks = [Look(MADE - DAY, MADE + 3 * DAY, utc(DEADLINE - HOUR))]
    saved(session, shop)
    decide(beijing(DEADLINE - HOUR))
    assert attention.not_observed_since(session, APP_ID, beijing(DEADLINE)) == (0, ZERO)
    now = beijing(DEADLINE + 90 * timedelta(minutes=1))
    assert decide(now) == {"pending": 2}
    assert attention.not_observed_since(session, APP_ID, now) == (2, timedelta(minutes=90))
    assert attention.not_observed_since(session, "another", now) == (0, ZERO)
    assert "2 单已过截止、等待复查，最久 1 小时 30 分" in attention.summary(Counter(), [], 2, timedelta(minutes=90))
    assert {row["reason"] for row in decisions(database).values()} == {UNSEEN, EARLY}
    assert [entry["new_decision"] for entry in log_of(database)] == ["pending"] * 3
    shop.looks.append(Look(MADE, MADE + HOUR, utc(DEADLINE + HOUR)))  # seen again: the first one only
    shop.save_looks(session, shop.looks[-1:])
    session.rollback()
    assert decide(now + HOUR) == {"grant": 1, "pending": 1}
    assert attention.not_observed_since(session, APP_ID, now + HOUR) == (1, timedelta(minutes=90))
    assert disagreements(database, shop.verdicts(Rule(), now + HOUR)) == []


def test_nothing_due_changes_nothing(session: Session, database: Database) -> None:
    assert decide(NOW) == {}
    saved(session, shop_of(order()))
    decide(NOW)
    before = database.snapshot()
    assert decide(NOW + 30 * DAY) == {}
    assert database.snapshot() == before


def test_an_after_sale_of_an_order_that_comes_later(session: Session, database: Database) -> None:
    enqueue(session, ["o_1"])
    assert decide(NOW) == {}
    saved(session, shop_of(order()))
    assert decide(NOW) == {"grant": 1}


def test_another_policy_decides_anew(session: Session, database: Database) -> None:
    shop = saved(session, shop_of(order(**partly()), order("o_2")))
    decide(NOW, number=1)
    number = deciding.apply_policy(session, REVOKES.policy, by="李雷", shop_ids=[APP_ID])
    session.commit()
    assert deciding.policy_in_force(session) == (number, REVOKES.policy)
    assert decide(NOW + HOUR, REVOKES, number=number) == {"revoke": 1, "grant": 1}
    assert steps(database) == [(None, "review", PARTIAL), ("review", "revoke", PARTIAL)]
    assert steps(database, "o_2") == [(None, "grant", GRANTED)]
    assert {row["policy_id"] for row in decisions(database).values()} == {number}
    assert disagreements(database, shop.verdicts(REVOKES, NOW + HOUR)) == []


# --- the first day of benefits -------------------------------------------------------------------------

AS_IT_COMES = Rule(since=None)


def first_days(session: Session) -> list[tuple[str, date]]:
    session.rollback()
    return session.query("SELECT shop_id, since FROM benefit_starts ORDER BY shop_id")


def test_benefits_begin_on_the_day_of_the_first_decision_and_that_day_stays(
    session: Session, database: Database
) -> None:
    """A shop of fifty days is connected in the middle of them; then weeks pass, and everything is decided again."""
    shop = saved(session, generated(2000))
    go_live = beijing(benefits.FIRST_DAY + 25 * DAY + 23 * HOUR)
    shop.first_decided = go_live.date()
    decide(go_live, AS_IT_COMES)
    verdicts = shop.verdicts(AS_IT_COMES, go_live)
    assert disagreements(database, verdicts) == []
    reasons = Counter(verdict.reason == TOO_EARLY for verdict in verdicts.values())
    assert min(reasons.values()) > 500
    for later in (go_live + HOUR, go_live + 40 * DAY):
        enqueue(session, shop.orders)
        decide(later, AS_IT_COMES)
        assert disagreements(database, shop.verdicts(AS_IT_COMES, later)) == []
    assert first_days(session) == [(APP_ID, go_live.date())]
    moved = Rule(since=shop.first_decided - 5 * DAY)
    enqueue(session, shop.orders)
    decide(later, moved)
    assert disagreements(database, shop.verdicts(moved, later)) == []
    assert first_days(session) == [(APP_ID, go_live.date())]


def test_the_first_day_is_each_shop_s_own_and_beijing_s(session: Session, database: Database) -> None:
    enqueue(session, ["o_not_there_yet"])
    decide(NOW, AS_IT_COMES)
    assert first_days(session) == [], "nothing was decided"
    other = saved(session, Shop({"o_1": order()}, shop_id="another"))
    late_at_night = beijing(datetime(2026, 11, 20, 0, 30))  # still the day before in UTC
    decide(late_at_night, AS_IT_COMES, shop_id="another")
    saved(session, shop_of(order()))
    decide(late_at_night + DAY, AS_IT_COMES)
    assert first_days(session) == [("another", date(2026, 11, 20)), (APP_ID, date(2026, 11, 21))]
    other.first_decided = date(2026, 11, 20)
    assert disagreements(database, other.verdicts(AS_IT_COMES, NOW), "another") == []


def test_a_look_at_a_new_rule_begins_nothing(session: Session, database: Database) -> None:
    shop = saved(session, shop_of(order()))
    decider = deciding.Decider(Warehouse(), APP_ID, AS_IT_COMES.policy, 1, now=NOW)
    assert decider.effect() == {}
    assert first_days(session) == []
    decide(NOW, Rule(since=LONG_AGO))
    assert decider.effect() == {("grant", "not_applicable"): 1}
    assert disagreements(database, shop.verdicts(Rule(), NOW)) == []


# --- a hundred thousand orders -------------------------------------------------------------------------


MANY = by_level(20_000, 100_000, 100_000)
GENERATED_NOW = beijing(datetime(2026, 10, 25, 12, 0, 5, 500_000))


@cache
def many() -> tuple[Shop, dict[str, Verdict]]:
    shop = generated(MANY)
    return shop, shop.verdicts(Rule(), GENERATED_NOW)


@pytest.fixture
def large(database: Database) -> Iterator[Database]:
    """An empty warehouse that is emptied in no time afterwards."""
    yield database
    connection = database.connect()
    connection.query("SET foreign_key_checks = 0")
    for table in (
        "orders", "order_state_log", "refunds", "benefit_queue", "benefit_decisions", "benefit_decision_log",
    ):  # fmt: skip
        connection.query(f"TRUNCATE TABLE {table}")
    connection.close()


@pytest.mark.slow
def test_many_orders(large: Database, session: Session) -> None:
    """Decided, decided again, decided from scratch; then late data and answers."""
    shop, verdicts = many()
    saved(session, shop)
    totals = Counter(verdict.decision for verdict in verdicts.values())
    assert min(totals.values()) > MANY / 20
    assert len({verdict.reason for verdict in verdicts.values()}) == 23
    assert decide(GENERATED_NOW) == totals
    assert disagreements(large, verdicts) == []
    count, last = log_size(large)
    assert count == MANY

    waiting = sum(verdict.reason == UNSEEN for verdict in verdicts.values())
    before = decided(large)
    later = GENERATED_NOW + 100 * MILLISECOND
    assert decide(later) == {"pending": waiting}
    forgotten = session.execute("DELETE FROM benefit_decisions WHERE order_id LIKE '%%7'")
    session.execute("INSERT INTO benefit_queue (shop_id, order_id) SELECT shop_id, order_id FROM orders")
    session.commit()
    assert decide(later) == totals
    at_later = benefits.naive(later)
    assert decided(large) == [(*row[:-1], at_later) if row[0].endswith("7") else row for row in before]
    assert log_size(large, after=last)[0] == forgotten
    assert large.value("SELECT COUNT(*) FROM benefit_decision_log WHERE old_decision IS NOT NULL") == 0


def log_size(database: Database, *, after: int = 0) -> tuple[int, int]:
    query = "SELECT COUNT(*) AS entries, MAX(id) AS last FROM benefit_decision_log WHERE id > %s"
    [row] = database.rows(query, (after,))
    return row["entries"], row["last"]


RULES = [
    Rule(partial_refund="revoke"),
    Rule(anchor="pay_time"),
    Rule(days=30, resource_types=(3, 6)),
    Rule(days=1, anchor="pay_time", partial_refund="revoke", resource_types=(25,)),
    Rule(since=date(2026, 9, 20)),
    Rule(anchor="pay_time", resource_types=(3, 6), since=date(2026, 10, 1)),
]


def test_late_data_answers_and_other_rules(large: Database, session: Session) -> None:
    """Of what was decided, some orders turn out to be others; people answer; then other rules come."""
    shop, other = generated(2500), generated(2500, seed=2)
    saved(session, shop)
    known: dict[str, str | None] = dict.fromkeys(shop.orders)

    def run(rule: Rule = FOURTEEN_DAYS) -> None:
        nonlocal now, last
        now += HOUR
        decide(now, rule)
        verdicts = shop.verdicts(rule, now)
        assert disagreements(large, verdicts) == []
        found = [(row["order_id"], row["old_decision"], row["new_decision"]) for row in log_of(large, after=last)]
        assert found == [
            (name, known[name], verdict.decision)
            for name, verdict in sorted(verdicts.items())
            if verdict.decision != known[name]
        ]
        known.update((name, verdict.decision) for name, verdict in verdicts.items())
        last = log_size(large)[1]

    now, last = GENERATED_NOW, 0
    run()
    late = list(shop.orders)[::7]
    for name in late:
        shop.orders[name] = replace(other.orders[name], observed_at=benefits.naive(now))
        shop.after_sales[name] = other.after_sales.get(name, []) + shop.after_sales.get(name, [])
        shop.after_sales[name] = [replace(one, name=f"{name}_{n}") for n, one in enumerate(shop.after_sales[name])]
    shop.save(session, late)
    run()
    reviews = [name for name, decision in known.items() if decision == "review"]
    shop.answer(session, large, {name: ("grant", "revoke")[n % 2] for n, name in enumerate(reviews[::2])})
    run()
    again = reviews[::3]
    for name in again:
        shop.orders[name] = replace(shop.orders[name], refund_money=Decimal("1.23"))
    shop.save(session, again)
    run()
    shop.looks.append(Look(benefits.FIRST_DAY, benefits.FIRST_DAY + 20 * DAY, benefits.naive(now)))
    shop.save_looks(session, shop.looks[-1:])
    run()
    for rule in [*RULES, Rule()]:
        deciding.apply_policy(session, rule.policy, by="test", shop_ids=[APP_ID])
        session.commit()
        run(rule)


# --- hour by hour --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_twenty_days_hour_by_hour(database: Database, session: Session) -> None:
    """After every hour the oracle agrees, and the log holds the changes of the decisions, no more and no less."""
    life = Life(datetime(2026, 11, 1, 6), orders=250, seed=11)
    known: dict[str, str | None] = {}
    settled: dict[str, str] = {}
    last, longest, taken_back = 0, ZERO, 0
    for hour in range(20 * 24):
        names, looks = life.hour(last=hour == 20 * 24 - 1)
        life.known.save(session, sorted(names))
        life.known.save_looks(session, looks)
        if hour % by_level(4, 1, 1) != 3 % by_level(4, 1, 1):
            continue  # decided every fourth hour; in `make chaos`, every hour
        now = beijing(life.now)
        decide(now)
        verdicts = life.known.verdicts(Rule(), now)
        session.rollback()
        found = session.query("SELECT order_id, decision, reason, deadline_at FROM benefit_decisions ORDER BY order_id")
        assert found == [(n, v.decision, v.reason, v.deadline) for n, v in sorted(verdicts.items())], hour
        entries = session.query(
            "SELECT order_id, old_decision, new_decision, reason, observed_at, id FROM benefit_decision_log"
            " WHERE id > %s ORDER BY id",
            (last,),
        )
        changes = {n: v for n, v in verdicts.items() if v.decision != known.get(n)}
        assert [entry[:5] for entry in entries] == [
            (name, known.get(name), verdict.decision, verdict.reason, verdict.seen)
            for name, verdict in sorted(changes.items())
        ]
        assert all(benefits.EIGHT_HOURS + v.seen > v.deadline for v in verdicts.values() if v.decision == "grant")
        back = sorted(n for n, v in changes.items() if v.decision == "revoke" and settled.get(n) == "grant")
        assert revoked_after_grant(session, now) == back
        late = [now - beijing(v.deadline) for v in verdicts.values() if v.reason == UNSEEN and v.deadline]
        assert attention.not_observed_since(session, APP_ID, now) == (len(late), max(late, default=ZERO))
        known.update((name, verdict.decision) for name, verdict in verdicts.items())
        settled.update((name, v.decision) for name, v in changes.items() if v.decision in ("grant", "revoke"))
        last, longest, taken_back = entries[-1][5] if entries else last, max([longest, *late]), taken_back + len(back)
    assert last > 400
    assert longest > timedelta(hours=30)
    assert taken_back > 0
    chains = groupby(
        sorted(log_of(database), key=lambda row: (row["order_id"], row["id"])), lambda row: row["order_id"]
    )
    for name, chain in chains:
        rows = list(chain)
        assert [row["old_decision"] for row in rows] == [None, *(row["new_decision"] for row in rows[:-1])]
        assert rows[-1]["new_decision"] == known[name]
    # At last everything was read: the warehouse decides as if it had always known the truth.
    truth = Shop(life.truth, life.true_sales, life.known.looks)
    told = {name: (v.decision, v.reason) for name, v in truth.verdicts(Rule(), beijing(life.now)).items()}
    assert told == {name: (v.decision, v.reason) for name, v in verdicts.items()}
    assert set(known.values()) == {"pending", "grant", "revoke", "review", "not_applicable"}


# --- anything ------------------------------------------------------------------------------------------


NEAR = st.sampled_from([None, *(DEADLINE + n * SECOND for n in (-1, 0, 1)), DEADLINE - 9 * DAY, DEADLINE + 9 * DAY])
SEEN = st.sampled_from(
    [utc(DEADLINE) + gap for gap in (-DAY, -SECOND, -MILLISECOND, ZERO, MILLISECOND, SECOND, 20 * DAY)]
)
MONEY = st.sampled_from([None, *(Decimal(text) for text in ("0", "0.01", "98.99", "99", "100"))])
MOMENTS = st.sampled_from([MADE - SECOND, MADE, MADE + SECOND])
SALES = st.builds(
    AfterSale, st.just(""), st.sampled_from([None, *range(21)]), NEAR, NEAR, st.sampled_from([None, 1, 2, 3])
)
ORDERS = st.builds(
    Order,
    order_id=st.just(""),
    created_time=st.one_of(MOMENTS, st.none()),
    observed_at=SEEN,
    pay_time=st.sampled_from([None, MADE, MADE + DAY]),
    order_state=st.sampled_from([None, -1, *range(14)]),
    price=MONEY,
    refund_money=MONEY,
    refund_time=NEAR,
    resource_type=st.sampled_from([None, 3, 6]),
    absent=st.booleans(),
)
WINDOWS = st.builds(
    lambda begin, length, seen: Look(begin, begin + length * SECOND, seen), MOMENTS, st.integers(0, 2), SEEN
)
RUNS = st.builds(
    Rule,
    days=st.sampled_from([14, 14, 14, 1, 365]),
    anchor=st.sampled_from(["created_time", "pay_time"]),
    partial_refund=st.sampled_from(["review", "revoke"]),
    resource_types=st.sampled_from([(), (3,), (6, 25)]),
    since=st.sampled_from([LONG_AGO, LONG_AGO, MADE.date(), NEXT_DAY]),
)


@settings(
    max_examples=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    facts=st.lists(st.tuples(ORDERS, st.lists(SALES, max_size=3), st.booleans()), min_size=1, max_size=25),
    looks=st.lists(WINDOWS, max_size=3),
    rule=RUNS,
    gap=st.sampled_from([-SECOND, ZERO, SECOND, 20 * DAY]),
)
def test_whatever_is_known_of_an_order(
    database: Database, facts: Any, looks: list[Look], rule: Rule, gap: timedelta
) -> None:
    shop = Shop(looks=looks)
    for number, (one, sales, is_stale) in enumerate(facts):
        name = f"o_{number}"
        shop.orders[name] = replace(one, order_id=name)
        shop.after_sales[name] = [replace(sale, name=f"{name}_{place}") for place, sale in enumerate(sales)]
        if is_stale and number % 2:
            shop.rejected.add(name)
    database.empty("api_tokens")
    now = beijing(DEADLINE + gap)
    with Warehouse().session() as session:
        saved(session, shop)
        assert sum(decide(now, rule).values()) == len(facts)
        assert disagreements(database, shop.verdicts(rule, now)) == []
        enqueue(session, shop.orders)
    decide(now, rule)
    assert disagreements(database, shop.verdicts(rule, now)) == []
    assert database.value("SELECT COUNT(*) FROM benefit_decision_log") == len(facts)


# --- how much is read ----------------------------------------------------------------------------------


class Counting(Warehouse):
    """Counts the rows that the server reads for its sessions."""

    reads = 0

    @contextmanager
    def session(self) -> Iterator[Session]:
        with super().session() as session:
            yield session
            self.reads += sum(int(n) for _, n in session.query("SHOW SESSION STATUS LIKE 'Handler_read%%'"))


def test_a_run_reads_what_is_open_however_much_is_decided(large: Database, session: Session) -> None:
    """Forty orders changed and twenty wait to be seen; 2,000 or 20,000 are decided, among them many not due yet."""
    reads = {}
    for count in (2000, 20_000):
        large.empty("api_tokens")
        shop = generated(20_000)
        shop.orders = dict(list(shop.orders.items())[:count])
        shop.looks = [Look(benefits.FIRST_DAY, benefits.FIRST_DAY + 50 * DAY, benefits.naive(GENERATED_NOW))]
        shop.rejected = set()
        saved(session, shop)
        decide(GENERATED_NOW)
        held = Counter(row["decision"] for row in decisions(large).values())
        assert held["pending"] > count / 10
        waiting = [f"w_{number}" for number in range(20)]
        for name in waiting:
            shop.orders[name] = order(name, created_time=benefits.FIRST_DAY - DAY, observed_at=benefits.FIRST_DAY)
        shop.save(session, waiting)
        decide(GENERATED_NOW)
        enqueue(session, list(shop.orders)[:: count // 40][:40])
        counting = Counting()
        counts = decide(GENERATED_NOW, warehouse=counting)
        assert sum(counts.values()) == 60
        reads[count] = counting.reads
        nothing = Counting()
        assert decide(GENERATED_NOW - 50 * DAY, warehouse=nothing) == {}
        assert nothing.reads < 150
    assert reads[2000] < 60 * 60
    assert reads[20_000] <= reads[2000] * 1.1 + 20


# --- together with merges, and killed ------------------------------------------------------------------


WAITING = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()"


def wait_until_somebody_waits(database: Database) -> None:
    for _ in range(20_000):
        if database.value(WAITING):
            return
    pytest.fail("nobody waits for the lock")


@pytest.mark.parametrize("resource", ["orders", "refunds"])
def test_a_run_waits_for_a_merge(session: Session, database: Database, resource: str) -> None:
    """What the merge commits in the meantime is decided on."""
    shop = saved(session, shop_of(order()))
    with Warehouse().session() as other, children(lambda: decide(NOW)) as [child]:
        with other.lock("merge", APP_ID, resource):
            wait_until_somebody_waits(database)
            assert decisions(database) == {}
            changed(session, shop, **refunded())
        child.join()
    assert steps(database) == [(None, "revoke", REFUNDED)]


def test_a_merge_waits_for_a_run_and_goes_on_when_that_is_killed(
    sync: Sync, session: Session, database: Database, tmp_path: Path
) -> None:
    """Killed with everything written and nothing committed."""
    saved(session, shop_of(order()))
    run = StagedRun([(at(0), [raw_order(1)])], window=WEEK).write(tmp_path)
    written, never = Event(), Event()

    def hang_when_written() -> None:
        commit = warehouses.Session.commit

        def hang(one: Session) -> None:
            if one.query("SELECT COUNT(*) FROM benefit_decisions")[0][0]:
                written.set()
                never.wait()
            commit(one)

        warehouses.Session.commit = hang  # type: ignore[method-assign]
        decide(NOW)

    child = Child(hang_when_written)
    written.wait()
    with children(lambda: sync.merge(*run, accept_missing=True)) as [merging]:
        wait_until_somebody_waits(database)
        assert database.value("SELECT COUNT(*) FROM orders") == 1
        assert decisions(database) == {}
        child.kill()
        assert child.wait() < 0
        merging.join()
    assert database.value("SELECT COUNT(*) FROM orders") == 2
    assert decisions(database) == {}
    assert database.value("SELECT COUNT(*) FROM benefit_queue") == 2
    assert sum(decide(NOW).values()) == 2


def test_a_run_killed_at_any_statement(session: Session, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk is decided, logged and taken from the queue, or nothing of it; the next run ends right."""
    monkeypatch.setattr(deciding, "CHUNK_ORDERS", 2)
    shop = shop_of(order("o_0"), order("o_1", **refunded()), order("o_2", order_state=8))
    saved(session, shop)
    verdicts = shop.verdicts(Rule(), NOW)
    states = []
    for point in killed_everywhere(lambda: decide(NOW), KillSwitch.at_each_statement):
        done, logged = list(decisions(database)), [row["order_id"] for row in log_of(database)]
        queued = [row["order_id"] for row in database.rows("SELECT * FROM benefit_queue ORDER BY order_id")]
        assert done == logged, point
        assert done in ([], ["o_0", "o_1"], ["o_0", "o_1", "o_2"]), point
        assert done + queued == ["o_0", "o_1", "o_2"], point
        states.append(len(done))
        decide(NOW + HOUR)
        assert disagreements(database, verdicts) == [], point
        assert [row["order_id"] for row in log_of(database)] == ["o_0", "o_1", "o_2"], point
        forget(session)
    assert states == sorted(states)
    assert set(states) == {0, 2, 3}
    assert len(states) > 40
    assert disagreements(database, verdicts) == []


def forget(session: Session) -> None:
    for table in ("benefit_decisions", "benefit_decision_log"):
        session.execute(f"DELETE FROM {table}")
    session.execute("INSERT INTO benefit_queue (shop_id, order_id) SELECT shop_id, order_id FROM orders")
    session.commit()


@pytest.mark.parametrize("size", [1, 7, 100, 101, 150])
def test_chunks_of_any_size_decide_every_order_once(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Some are queued, some wait, some both; in order of their names, with the one chunk and the next in between."""
    monkeypatch.setattr(deciding, "CHUNK_ORDERS", size)
    count = 12 if size == 1 else 100
    shop = saved(session, shop_of(*(order(f"o_{number:03d}") for number in range(count)), seen=None))
    decide(beijing(DEADLINE - HOUR))
    shop.save(session, list(shop.orders)[::3])
    looked(session, shop, DEADLINE + HOUR)
    assert decide(NOW) == {"grant": count}
    assert disagreements(database, shop.verdicts(Rule(), NOW)) == []
    assert database.value("SELECT COUNT(*) FROM benefit_decision_log") == 2 * count


# --- what merges leave to be decided -------------------------------------------------------------------


def queue(database: Database) -> set[str]:
    return {row["order_id"] for row in database.rows("SELECT order_id FROM benefit_queue")}


def test_an_emulated_shop_after_its_syncs(
    sync: Sync, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three thousand orders and their after-sales; then the clock goes on, and only what changed is decided."""
    sync.run(EVERYTHING)
    sync.run(EVERYTHING, resource=REFUNDS)
    assert len(queue(database)) == 3000
    assert sum(decide(END).values()) == 3000
    assert disagreements(database, held_by(database).verdicts(Rule(), END)) == []
    held = Counter(row["decision"] for row in decisions(database).values())
    assert set(held) == {"pending", "grant", "revoke", "review", "not_applicable"}
    now = END
    for step in (1 / 24, 14):
        before, old = held_by(database), decisions(database)
        now += days(step)
        api.set_clock(now.isoformat())
        monkeypatch.setattr(
            "xiaoe.clock.now", lambda moment=now: moment
        )  # the shop's time: what lies behind it is no future
        window = Window(now - days(29), now)
        sync.run(window, mode="rescan")
        sync.run(window, resource=REFUNDS, mode="rescan")
        after = held_by(database)
        changed_orders = {name for name, one in after.orders.items() if before.orders.get(name) != one}
        sold = {
            name for name, sales in after.after_sales.items()
            if Counter(before.after_sales.get(name, [])) != Counter(sales)
        }  # fmt: skip
        assert changed_orders | sold <= queue(database)
        decide(now)
        assert differences(database, api, window) == []
        verdicts = after.verdicts(Rule(), now)
        assert disagreements(database, verdicts) == []
        kept = [name for name in old if old[name]["decision"] == verdicts[name].decision]
        assert all(
            old[name]["decided_at"] == decisions_now[name]["decided_at"]
            for decisions_now in [decisions(database)]
            for name in kept
        )
    assert "grant" in {row["decision"] for row in decisions(database).values()}


@pytest.mark.parametrize("then", ["as it was", "as something else"])
def test_an_order_that_cannot_be_read_any_more_is_decided_anew(
    sync: Sync, database: Database, tmp_path: Path, then: str
) -> None:
    """And again when it can be read again, even if it is just as it was before."""
    now = beijing(DEADLINE + 10 * DAY)
    good, bad = raw_order(1), raw_order(1, price="九十九")
    second = {"as it was": good, "as something else": raw_order(1, title="other")}[then]
    expected = ["grant", "review", "grant"]
    for number, raw in enumerate((good, bad, second)):
        seen = at(86_400 * 20 + number)
        sync.merge(*StagedRun([(seen, [raw])], run_id=f"run-{number}", mode="rescan").write(tmp_path))
        decide(now + number * HOUR)
        [row] = decisions(database).values()
        assert row["decision"] == expected[number]
        assert disagreements(database, held_by(database).verdicts(Rule(), now + number * HOUR)) == []
    assert [entry["new_decision"] for entry in log_of(database)] == expected


def test_an_order_that_is_gone_is_decided_anew_and_again_when_it_is_back(
    sync: Sync, database: Database, tmp_path: Path
) -> None:
    now = beijing(DEADLINE + 10 * DAY)
    both, one = [raw_order(1), raw_order(2)], [raw_order(2)]
    for number, rows in enumerate((both, one, both)):
        seen = at(86_400 * 20 + number)
        run = StagedRun([(seen, rows)], run_id=f"run-{number}", mode="rescan").write(tmp_path)
        sync.merge(*run, accept_missing=True)
        decide(now + number * HOUR)
        assert disagreements(database, held_by(database).verdicts(Rule(), now + number * HOUR)) == []
    assert [entry["new_decision"] for entry in log_of(database)] == ["grant", "grant", "review", "grant"]
