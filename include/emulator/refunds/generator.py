"""One shop's after-sales: found by the day their orders were made on, since none is far from its order.

Kept in memory, beside the ones asked for last: three numbers for each after-sale of the days asked for last, and
one for each of the windows asked for last.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.orders.generator import Book, Order
from emulator.refunds.lifecycle import CLOSED_WITHOUT, DONE, LONGEST, OPEN, Tale, tell
from emulator.seeded import draw, key_of, roll, salt_of

_MASK = (1 << 48) - 1
_SCATTER = 0xB5297A4D3F2B  # odd: no two after-sales of a shop share an id
PLACES = 2  # after-sales of one order, at most
_EXTRAS = 14  # one order in so many has one that leaves it alone, if it can
_DAYS_KEPT = 800
_CASES_KEPT = 20_000
_STATE_LIFE = 7 * DAY
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
# Fields that some rows leave out (docs/xiaoe-api.md section 9.8).
_OMISSIONS = (
    ("remark",), ("reason", "remark"), ("sku_id",), ("nick_name",), ("state_invalid_time",), ("refund_money",),
    ("goods_list",),
)  # fmt: skip


class Case(NamedTuple):
    """What never changes about an after-sale; text may be ``""`` or ``None``."""

    order: Order
    aftersale_id: str
    tale: Tale
    original_price: int  # fen
    no_refund: int | None  # what refund_money is while nothing is paid back
    reason: str | None
    remark: str | None
    sku_id: str | None
    omitted: tuple[str, ...]
    has_unknown_fields: bool
    forms: int

    @property
    def created(self) -> int:
        """Return when it was asked for."""
        return self.tale.steps[0][0]


class Standing(NamedTuple):
    """What an after-sale shows at one time: unix seconds or ``None``, and fen or ``None``."""

    state: int
    updated: int
    refunded_at: int | None
    refund_money: int | None
    invalid: int | None
    state_invalid: int | None


def standing_at(case: Case, now: int) -> Standing:
    """Return what an after-sale shows at ``now``, which is not before its creation.

    Guesses: ``invalid_time`` is when it was cancelled or refused, ``state_invalid_time`` when the present
    state will have lasted seven days; each is empty otherwise.
    """
    updated, state = [step for step in case.tale.steps if step[0] <= now][-1]
    is_done = state in DONE
    return Standing(
        state,
        updated,
        updated if is_done else None,
        case.tale.paid_back if is_done else case.no_refund,
        updated if state in CLOSED_WITHOUT else None,
        updated + _STATE_LIFE if state in OPEN else None,
    )


class Query(NamedTuple):
    """Which after-sales are asked for: ``field`` in [begin, end) unix seconds, and a state if one is wanted."""

    field: str
    begin: int
    end: int
    state: int | None


def _value(field: str, case: Case, standing: Standing) -> int | None:
    """Return the time filtered on and sorted by. Guess: ``apply_time`` is the time of creation."""
    if field == "updated_at":
        return standing.updated
    return standing.refunded_at if field == "refund_time" else case.created


@dataclass
class _Day:
    """What is known of the orders of a day: how many were looked at, from the first on, and their after-sales."""

    looked_at: int = 0
    is_over: bool = False
    spans: array[int] = field(default_factory=lambda: array("q"))  # code, first and last second of each


class CaseBook:
    """All after-sales of one shop, made on demand."""

    def __init__(self, key: bytes, orders: Book) -> None:
        self._key = key_of(key.hex(), "after-sales")
        self._salt = salt_of(key.hex(), "extra after-sales")
        self._mark = draw(self._salt, 1 << 50) & _MASK
        self._orders = orders
        self._day = lru_cache(maxsize=_DAYS_KEPT)(lambda day: _Day())
        self._found = lru_cache(maxsize=8)(self._find)
        self.cases = lru_cache(maxsize=_CASES_KEPT)(self._cases)

    def touched_between(self, begin: int, end: int, now: int) -> Iterator[tuple[int, Case]]:
        """Yield code and after-sale for those open at some time in [begin, end), by order; none created after ``now``.

        A code is the number of the order times ``PLACES`` plus place. Costs O(orders of that time and two months)
        where their days are asked for the first time, and O(their after-sales) later.
        """
        orders = self._orders
        first, last = max(begin - LONGEST, orders.starts) // DAY, min(end, now + 1) // DAY
        for day in range(first, last + 1):
            for code, created, ended in zip(*[iter(self._spans(day, now))] * 3, strict=True):
                if created < end and created <= now and ended >= begin:
                    yield code, self.case(code)

    def case(self, code: int) -> Case:
        """Return the after-sale of a code."""
        number, place = divmod(code, PLACES)
        return self.cases(number)[place]

    def found(self, query: Query, now: int) -> array[int]:
        """Return the codes of what is asked for, latest first."""
        is_settled = query.field in ("created_at", "apply_time") and query.state is None
        return self._found(query, min(now, query.end) if is_settled else now)

    def _find(self, query: Query, now: int) -> array[int]:
        found = []
        for code, case in self.touched_between(query.begin, query.end, now):
            standing = standing_at(case, now)
            moment = _value(query.field, case, standing)
            is_meant = query.state in (None, standing.state)
            if is_meant and moment is not None and query.begin <= moment < query.end:
                found.append((moment, code))
        return array("q", (code for _, code in sorted(found, reverse=True)))

    def _spans(self, day: int, now: int) -> array[int]:
        """Return code, first and last second of the after-sales of a day's orders (UTC), at least to ``now``.

        Each order is looked at once, also on a day that goes on: a busy shop makes a million before it ends.
        """
        orders, known = self._orders, self._day(day)
        if not known.is_over:
            made = orders.created_between(day * DAY, (day + 1) * DAY, now)
            for number in made[known.looked_at :]:
                if orders.may_refund(number) or self._has_extra(number):
                    for place, case in enumerate(self.cases(number)):
                        known.spans.extend((number * PLACES + place, case.created, case.tale.steps[-1][0]))
            known.looked_at = max(known.looked_at, len(made))
            known.is_over = (day + 1) * DAY <= now
        return known.spans

    def _has_extra(self, number: int) -> bool:
        return draw(self._salt, number) % _EXTRAS == 0

    def _cases(self, number: int) -> tuple[Case, ...]:
        order, dice = self._orders.order(number), roll(self._key, number)
        tales = tell(order, dice, has_extra=self._has_extra(number))
        return tuple(self._case(order, place, tale, dice) for place, tale in enumerate(tales))

    def _case(self, order: Order, place: int, tale: Tale, dice: tuple[int, ...]) -> Case:
        own = dice[6 + place]
        no_text = ("", None)[own & 1]
        omission = dice[8 + place] % 400
        scattered = (order.number * PLACES + place) * _SCATTER & _MASK ^ self._mark
        return Case(
            order,
            f"as_{tale.steps[0][0]}_{scattered:012x}",
            tale,
            order.price + order.coupon_price,
            (0, None)[own >> 1 & 1],
            _REASONS[dice[10 + place] % len(_REASONS)] or no_text,
            _REMARKS[dice[12 + place] % len(_REMARKS)] or no_text,
            f"sku_{dice[14]:08x}" if order.story.physical else no_text,
            _OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
            own % 97 == 0,
            own ^ dice[15] << 32,
        )
