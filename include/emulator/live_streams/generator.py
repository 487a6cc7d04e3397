"""One shop's live streams: those sold as products, and two free ones a day."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.products.generator import Goods, ProductGenerator
from emulator.seeded import between, draws_of, fraction, key_of

LIVE = 4  # the resource_type of a live stream (docs/xiaoe-api.md section 2)
_MINUTE = 60
_REFRESH = 300  # seconds between two updates of the counts (section 6)
_FREE_BEFORE = 30  # days of free streams before the shop's first order
_FREE_HOURS = (10, 20)
_LONGEST_NOTICE = 7 * DAY
_TYPES = (10, 10, 11, 12, 13)
_ODD_TYPE = 14  # an undocumented code
_TITLES = (
    "早安直播间",
    "名师答疑🔥",
    "新书分享\t会",
    '家长课堂"公益"',
    "一起\n冥想",
    "\\直播\\",
    "O'Neil 的英语角",
    "👨\u200d👩\u200d👧 亲子夜话",
)
# Fields omitted from some rows (docs/xiaoe-api.md section 9.8).
_OMISSIONS = (("purchase_count",), ("reward_sum",), ("alive_manual_stop_at",), ("recycle_bin_state",))


class LiveStream(NamedTuple):
    """The constant attributes of a live stream. Times are unix seconds, None: never; `reward` is in fen."""

    live_id: str
    title: str
    alive_type: int
    listed_at: int
    starts_at: int
    stops_at: int | None  # as planned; `None`: open end
    stopped_at: int | None  # by hand
    binned_at: int | None
    gone_at: int | None  # no longer listed from then on
    views: int  # final count; the next two as well
    reward: int
    purchases: int
    omitted: tuple[str, ...]
    has_unknown_fields: bool
    encoding: int

    @property
    def ends_at(self) -> int:
        """When it ends: when it is stopped by hand, early or late, otherwise as planned."""
        return self.stopped_at or self.stops_at or self.starts_at


class LiveSnapshot(NamedTuple):
    """The state of a live stream at one time; `reward` in fen. `stopped` is None until it is stopped by hand."""

    state: int
    stopped: int | None
    views: int
    reward: int
    purchases: int
    recycle_bin_state: int


def snapshot_at(live: LiveStream, now: int) -> LiveSnapshot:
    """The state at `now`; all counts grow in steps of five minutes until the stream ends."""
    seconds = live.ends_at - live.starts_at
    if now >= live.ends_at:
        state, run = 2, seconds
    else:
        state, run = (1, (now - live.starts_at) // _REFRESH * _REFRESH) if now >= live.starts_at else (0, 0)
    stopped = live.stopped_at if live.stopped_at is not None and live.stopped_at <= now else None
    views, reward, purchases = (count * run // seconds for count in (live.views, live.reward, live.purchases))
    binned = live.binned_at is not None and live.binned_at <= now
    return LiveSnapshot(state, stopped, views, reward, purchases, int(binned))


class LiveStreamGenerator:
    """All live streams of one shop, generated on demand."""

    def __init__(self, key: bytes, start: int, products: ProductGenerator) -> None:
        self._key = key_of(key.hex(), "lives")
        self._first_day = start - _FREE_BEFORE * DAY
        self._products = products
        self._free = lru_cache(maxsize=4096)(self._make_free)
        self._paid = lru_cache(maxsize=1024)(self._make_paid)

    def listed(self, now: int) -> list[LiveStream]:
        """The streams listed at `now` by planned start, latest first."""
        streams = [live for live in self._created(now) if live.gone_at is None or now < live.gone_at]
        return sorted(streams, key=lambda live: (-live.starts_at, live.live_id))

    def _created(self, now: int) -> list[LiveStream]:
        frees = max(0, (now + _LONGEST_NOTICE - self._first_day) // DAY + 1) * len(_FREE_HOURS)
        free = [live for live in map(self._free, range(frees)) if live.listed_at <= now]
        return free + [
            self._paid(goods) for goods in self._products.created(now) if goods.product.resource_type == LIVE
        ]

    def _make_free(self, number: int) -> LiveStream:
        draws = draws_of(self._key, number)
        day, slot = divmod(number, len(_FREE_HOURS))
        starts_at = self._first_day + day * DAY + _FREE_HOURS[slot] * 3600 + draws[0] % 4 * 15 * _MINUTE
        listed_at = starts_at - between(draws[1], DAY, _LONGEST_NOTICE - DAY)
        ended_at = starts_at + DAY
        binned_at = ended_at + between(draws[2], 0, 60 * DAY) if fraction(draws[3]) < 0.1 else None
        gone_at = binned_at + 30 * DAY if binned_at and draws[3] & 1 else None
        name = (f"l_{draws[4]:08x}{number:06x}", _TITLES[draws[5] % len(_TITLES)])
        return _live(name, (listed_at, starts_at, binned_at, gone_at), draws, is_paid=False)

    def _make_paid(self, goods: Goods) -> LiveStream:
        """Generate a product's stream: same id and title, moved to the bin and delisted with the product."""
        draws = draws_of(key_of(self._key.hex(), "sold"), goods.number)
        day = (goods.created - self._first_day) // DAY + between(draws[0], 1, 30)
        starts_at = self._first_day + day * DAY + between(draws[1], 9, 21) * 3600
        name = (goods.product.resource_id, goods.product.title)
        return _live(name, (goods.created, starts_at, goods.deleted_at, goods.gone_at), draws, is_paid=True)


def _live(
    name: tuple[str, str], moments: tuple[int, int, int | None, int | None], draws: tuple[int, ...], *, is_paid: bool
) -> LiveStream:
    """Generate a live stream from draws 6 to 15; `moments`: listed, start, moved to the bin, delisted."""
    listed_at, starts_at, binned_at, gone_at = moments
    planned = starts_at + between(draws[6], 2, 12) * 15 * _MINUTE
    by_hand = fraction(draws[7]) < 0.6
    stopped_at = (
        max(starts_at + 5 * _MINUTE, planned + between(draws[8], -20 * _MINUTE, 40 * _MINUTE)) if by_hand else None
    )
    omission = draws[13] % 150
    return LiveStream(
        *name,
        _ODD_TYPE if draws[9] % 60 == 0 else _TYPES[draws[9] % len(_TYPES)],
        listed_at,
        starts_at,
        None if by_hand and draws[8] % 12 == 0 else planned,
        stopped_at,
        binned_at,
        gone_at,
        draws[10] % 10 ** (2 + (draws[10] >> 24 & 3)) + draws[10] % 300,
        draws[11] % 100_000 if draws[11] & 1 << 20 else 0,
        draws[12] % 300 if is_paid else 0,
        _OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
        draws[14] % 60 == 0,
        draws[14] ^ draws[15] << 32,
    )
