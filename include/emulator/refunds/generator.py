"""One shop's after-sales, found by the day their orders were created, since none is far from its order.

Kept in memory besides a cache of after-sales: three numbers per after-sale of the days requested last, and one
per after-sale of the windows requested last.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.orders.generator import Order, OrderGenerator
from emulator.refunds.lifecycle import DONE, LONGEST, OPEN, AfterSaleLifecycle, lifecycles_of
from emulator.seeded import draw, draws_of, key_of, salt_of

_MASK = (1 << 48) - 1
_SCATTER = 0xB5297A4D3F2B  # odd: no two after-sales of a shop share an id
PLACES = 2  # after-sales per order, at most
_EXTRAS = 14  # one order in this many has an after-sale that does not change it
_DAYS_KEPT = 800
_AFTER_SALES_KEPT = 20_000
_STATE_LIFE = 7 * DAY
_APPLICATION_LIFE = 15 * DAY
# state_reason by state: a guess.
_STATE_REASONS = {
    1: "买家撤销申请",
    4: "商家拒绝：已学习\n超过 50%",
    5: '商家拒绝："影响二次销售"',
    7: "超时未退货，系统关闭",
    12: "商家逾期未退款",
    18: "商家拒绝换货",
}
_REASONS = (
    "不想要了",
    "课程与描述不符",
    "拍错/多拍😅",
    '老师说"可以退"',
    "其他\n原因",
    "\\",
    "七天无理由\t退款",
    "O'Neil",
    "",
)
_REMARKS = ("", "", "", "已电话沟通", "买家留言：\r\n尽快！🙏", "\\N", "走线下", "{{ ds }}")
# Fields omitted from some rows (docs/xiaoe-api.md section 9.8).
_OFTEN_OMITTED = ("sale_type", "remark", "sku_id")
_OMISSIONS = (
    ("remark",), ("reason", "remark"), ("sku_id",), ("nick_name",), ("state_invalid_time",), ("refund_money",),
    ("goods_list",),
)  # fmt: skip


class AfterSale(NamedTuple):
    """The constant attributes of an after-sale; text may be `""` or None."""

    order: Order
    aftersale_id: str
    lifecycle: AfterSaleLifecycle
    original_price: int  # fen
    no_refund: int | None  # refund_money while nothing is paid back
    no_text: str | None
    reason: str | None
    remark: str | None
    sku_id: str | None
    omitted: tuple[str, ...]
    has_gift: bool  # a second item in goods_list
    has_unknown_fields: bool
    encoding: int

    @property
    def created(self) -> int:
        """When it was requested, unix seconds."""
        return self.lifecycle.steps[0][0]


class AfterSaleSnapshot(NamedTuple):
    """The state of an after-sale at one time: unix seconds or None, and fen or None."""

    state: int
    reason: str | None  # state_reason
    updated: int
    refunded_at: int | None
    refund_money: int | None
    invalid: int | None
    state_invalid: int | None


def snapshot_at(after_sale: AfterSale, now: int) -> AfterSaleSnapshot:
    """The state of an after-sale at `now`, which must not be before its creation.

    `invalid_time` is when the application lapses, `state_invalid_time` when its present state is overdue. Guesses:
    fifteen days after the request and seven days after the state began, both empty once it is closed.
    """
    updated, state = [step for step in after_sale.lifecycle.steps if step[0] <= now][-1]
    is_done, is_open = state in DONE, state in OPEN
    return AfterSaleSnapshot(
        state,
        "商家主动退款" if after_sale.lifecycle.by_merchant else _STATE_REASONS.get(state, after_sale.no_text),
        updated,
        updated if is_done else None,
        after_sale.lifecycle.paid_back if is_done else after_sale.no_refund,
        after_sale.created + _APPLICATION_LIFE if is_open else None,
        updated + _STATE_LIFE if is_open else None,
    )


class AfterSaleQuery(NamedTuple):
    """The requested after-sales: `field` in [begin, end) unix seconds, and one of `states` unless empty."""

    field: str
    begin: int
    end: int
    states: tuple[int, ...]


def _value(field: str, after_sale: AfterSale, snapshot: AfterSaleSnapshot) -> int | None:
    """The time used for filter and order. Guess: `apply_time` is the time of creation."""
    if field == "updated_at":
        return snapshot.updated
    return snapshot.refunded_at if field == "refund_time" else after_sale.created


@dataclass
class _ExaminedDay:
    """The orders of a day examined so far, counted from the first, and their after-sales."""

    examined: int = 0
    is_over: bool = False
    spans: array[int] = field(default_factory=lambda: array("q"))  # code, first and last second of each


class AfterSaleGenerator:
    """All after-sales of one shop, generated on demand."""

    def __init__(self, key: bytes, orders: OrderGenerator) -> None:
        self._key = key_of(key.hex(), "after-sales")
        self._salt = salt_of(key.hex(), "extra after-sales")
        self._mark = draw(self._salt, 1 << 50) & _MASK
        self._orders = orders
        self._day = lru_cache(maxsize=_DAYS_KEPT)(lambda day: _ExaminedDay())
        self._found = lru_cache(maxsize=8)(self._find)
        self.of_order = lru_cache(maxsize=_AFTER_SALES_KEPT)(self._make_all)

    def touched_between(self, begin: int, end: int, now: int) -> Iterator[tuple[int, AfterSale]]:
        """Code and after-sale of those open at some time in [begin, end), by order; none created after `now`.

        A code is the number of the order times `PLACES` plus place. Costs O(orders of that time and two months)
        when their days are requested for the first time, and O(their after-sales) later.
        """
        orders = self._orders
        first, last = max(begin - LONGEST, orders.starts) // DAY, min(end, now + 1) // DAY
        for day in range(first, last + 1):
            for code, created, ended in zip(*[iter(self._spans(day, now))] * 3, strict=True):
                if created < end and created <= now and ended >= begin:
                    yield code, self.after_sale(code)

    def after_sale(self, code: int) -> AfterSale:
        """The after-sale with this code."""
        number, place = divmod(code, PLACES)
        return self.of_order(number)[place]

    def found(self, query: AfterSaleQuery, now: int) -> array[int]:
        """The codes of the requested after-sales, latest first."""
        is_settled = query.field in ("created_at", "apply_time") and not query.states
        return self._found(query, min(now, query.end) if is_settled else now)

    def _find(self, query: AfterSaleQuery, now: int) -> array[int]:
        found = []
        for code, after_sale in self.touched_between(query.begin, query.end, now):
            snapshot = snapshot_at(after_sale, now)
            moment = _value(query.field, after_sale, snapshot)
            is_meant = not query.states or snapshot.state in query.states
            if is_meant and moment is not None and query.begin <= moment < query.end:
                found.append((moment, code))
        return array("q", (code for _, code in sorted(found, reverse=True)))

    def _spans(self, day: int, now: int) -> array[int]:
        """Code, first and last second of the after-sales of a day's orders (UTC), at least up to `now`.

        Each order is examined once, even while the day lasts: a busy shop has a million orders a day.
        """
        orders, known = self._orders, self._day(day)
        if not known.is_over:
            made = orders.created_between(day * DAY, (day + 1) * DAY, now)
            for number in made[known.examined :]:
                if orders.may_refund(number) or self._has_extra(number):
                    for place, after_sale in enumerate(self.of_order(number)):
                        known.spans.extend(
                            (number * PLACES + place, after_sale.created, after_sale.lifecycle.steps[-1][0])
                        )
            known.examined = max(known.examined, len(made))
            known.is_over = (day + 1) * DAY <= now
        return known.spans

    def _has_extra(self, number: int) -> bool:
        return draw(self._salt, number) % _EXTRAS == 0

    def _make_all(self, number: int) -> tuple[AfterSale, ...]:
        order, draws = self._orders.as_created(number), draws_of(self._key, number)
        lifecycles = lifecycles_of(order, draws, has_extra=self._has_extra(number))
        return tuple(self._make(order, place, lifecycle, draws) for place, lifecycle in enumerate(lifecycles))

    def _make(self, order: Order, place: int, lifecycle: AfterSaleLifecycle, draws: tuple[int, ...]) -> AfterSale:
        own = draws[6 + place]
        no_text = ("", None)[own & 1]
        scattered = (order.number * PLACES + place) * _SCATTER & _MASK ^ self._mark
        return AfterSale(
            order,
            f"as_{lifecycle.steps[0][0]}_{scattered:012x}",
            lifecycle,
            order.price + order.discount_price,
            (0, None)[own >> 1 & 1],
            no_text,
            _REASONS[draws[10 + place] % len(_REASONS)] or no_text,
            _REMARKS[draws[12 + place] % len(_REMARKS)] or no_text,
            f"sku_{draws[14]:08x}" if order.lifecycle.physical else no_text,
            _omitted(draws[8 + place]),
            order.lifecycle.physical and own >> 2 & 7 == 0,
            own % 97 == 0,
            own ^ draws[15] << 32,
        )


def _omitted(bits: int) -> tuple[str, ...]:
    """The fields omitted from a row: three of them from every fourth row, others rarely."""
    if bits // 400 % 4 == 0:
        return _OFTEN_OMITTED
    return _OMISSIONS[bits % 400] if bits % 400 < len(_OMISSIONS) else ()
