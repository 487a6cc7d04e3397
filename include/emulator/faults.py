"""Which call gets which fault: at a rate, deterministic from the seed, or from a script of upcoming failures.

Answer faults damage one answer; `code_N` answers with the documented code N. Data faults
(`data_faults.py`) falsify one window: the first that matches, for `times` passes over it. Requesting
a page for the second time starts the next pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulator.admin_fields import integer, integer_or_none, number, objects, text, text_or_none, texts
from emulator.data_faults import DATA_FAULTS, DEFAULT_PAGE, PERMANENT, FaultPlace
from emulator.errors import MESSAGES
from emulator.listing import Listing, RowSpan
from emulator.seeded import draw, fraction, salt_of
from emulator.tokens import Token

HTTP_FAULTS = ("http_500", "http_502", "http_429", "stall", "cut", "non_json")
CODE_FAULTS = ("code_1001", "code_1002", "code_2008", "code_2053", "code_2054")
# What --fault-rate draws from: a correct client recovers from each of them by retrying.
RETRIABLE = (*HTTP_FAULTS, *CODE_FAULTS, "null_data")
KINDS = {*HTTP_FAULTS, "null_data", *DATA_FAULTS, *(f"code_{code}" for code in MESSAGES)}
# A rate expires no token younger than this, except a shop's first: a client may give up after two 2008 in a row,
# and may fetch only 100 tokens in 10 minutes.
_SPARED_TOKEN_AGE = 15.0
_OWN_KEYS = ("kind", "times", "interface", "shop_id", "page_index", "amount")  # of a script entry
_NO_PLAN: dict[str, object] = {
    "rate": 0.0,
    "kinds": RETRIABLE,
    "next": (),
    "stall_seconds": 5.0,
    "retry_after": 1,
}


@dataclass
class Entry:
    """One entry of a script. `times=None`: permanent. `match`: parameters the request must have.

    `page_index` counts pages from 1 for every interface, including those paged by cursor.
    """

    kind: str
    times: int | None = 1
    interface: str | None = None
    shop_id: str | None = None
    page_index: int | None = None
    amount: int = 1
    match: dict[str, object] = field(default_factory=dict)
    window: str | None = None
    pages: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, raw: Mapping[str, object]) -> Entry:
        """Parse an entry, e.g. `{"kind": "http_500", "times": 2, "page_index": 3}`; other keys are matches."""
        kind = text(raw, "kind")
        if kind not in KINDS:
            raise ValueError(f"unknown fault kind {kind!r}; known: {', '.join(sorted(KINDS))}")
        return cls(
            kind,
            times=integer_or_none({"times": None if kind in PERMANENT else 1, **raw}, "times"),
            interface=text_or_none(raw, "interface"),
            shop_id=text_or_none(raw, "shop_id"),
            page_index=integer_or_none(raw, "page_index"),
            amount=integer({"amount": 1, **raw}, "amount"),
            match={name: value for name, value in raw.items() if name not in _OWN_KEYS},
        )

    @property
    def is_over(self) -> bool:
        """Whether it has been applied `times` times."""
        return self.times is not None and self.times <= 0

    def concerns(self, interface: str, shop_id: str | None, body: Mapping[str, object]) -> bool:
        """Whether it applies to a call."""
        return (
            not self.is_over
            and (self.interface == interface if self.interface else interface != "token")
            and self.shop_id in (None, shop_id)
            and all(str(body.get(name)) == str(value) for name, value in self.match.items())
        )

    def is_on(self, listing: Listing) -> bool:
        """Whether a page gets this data fault; records the page."""
        if self.times is None:
            return True
        self.window = self.window or listing.key
        if self.window != listing.key:
            return False
        if listing.page in self.pages:
            self.times -= 1
            self.pages.clear()
        self.pages.add(listing.page)
        return not self.is_over


class FaultPlan:
    """All active faults."""

    def __init__(self, seed: int, rate: float, stall_seconds: float) -> None:
        self._salt = salt_of(seed, "faults")
        self._calls = 0
        self._just_hit: set[str] = set()
        self.set({"rate": rate, "stall_seconds": stall_seconds})

    def set(self, plan: Mapping[str, object]) -> None:
        """Replace the plan: `rate`, `kinds`, `next`, `stall_seconds`, `retry_after`."""
        unknown = plan.keys() - _NO_PLAN.keys()
        plan = {**_NO_PLAN, **plan}
        kinds = texts(plan, "kinds")
        if unknown or not set(kinds) <= set(RETRIABLE):
            raise ValueError(f"unknown keys {sorted(unknown)} or kinds a rate cannot have {kinds}")
        self._script = [Entry.read(raw) for raw in objects(plan, "next")]
        self._rate = number(plan, "rate")
        self._kinds = kinds
        self.stall_seconds = number(plan, "stall_seconds")
        self.retry_after = integer(plan, "retry_after")

    def as_dict(self) -> dict[str, object]:
        """The active plan, with the remaining script entries."""
        return {
            "rate": self._rate,
            "kinds": self._kinds,
            "stall_seconds": self.stall_seconds,
            "retry_after": self.retry_after,
            "next": [{"kind": entry.kind, "times": entry.times} for entry in self._script if not entry.is_over],
        }

    def scripted(
        self, interface: str, shop_id: str | None, body: Mapping[str, object], page: Callable[[], int]
    ) -> str | None:
        """Take the scripted answer fault for a call off the script."""
        for entry in self._script:
            if (
                entry.kind not in DATA_FAULTS
                and entry.concerns(interface, shop_id, body)
                and (entry.page_index is None or entry.page_index == page())
            ):
                if entry.times is not None:
                    entry.times -= 1
                return entry.kind
        return None

    def by_rate(self, shop_id: str, body: Mapping[str, object], token: Token, at: float) -> str | None:
        """Draw the answer fault for a call; the same request never fails twice in a row."""
        if not self._rate:
            return None
        self._calls += 1
        request = json.dumps([shop_id, {**body, "access_token": None}], sort_keys=True)
        bits = draw(self._salt, self._calls)
        if request in self._just_hit or fraction(bits & 0xFFFFFFFF) >= self._rate:
            self._just_hit.discard(request)
            return None
        self._just_hit.add(request)
        kind = self._kinds[(bits >> 32) % len(self._kinds)]
        spared = token.serial > 1 and at - token.issued_at < _SPARED_TOKEN_AGE
        return "code_1001" if kind == "code_2008" and spared else kind

    def falsify(
        self, span: RowSpan, interface: str, shop_id: str, body: Mapping[str, object], listing: Listing
    ) -> RowSpan:
        """Apply the data faults of a page."""
        for entry in self._script:
            if entry.kind in DATA_FAULTS and entry.concerns(interface, shop_id, body) and entry.is_on(listing):
                page = entry.page_index or DEFAULT_PAGE.get(entry.kind, 2)
                span = DATA_FAULTS[entry.kind](span, listing, FaultPlace(page, entry.amount))
        return span
