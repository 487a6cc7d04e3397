"""One shop's live streams: those that are on sale as products, and two free ones a day."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.products.generator import Goods, ProductBook
from emulator.seeded import between, fraction, key_of, roll

LIVE = 4  # the resource_type of a live stream (docs/xiaoe-api.md section 2)
_MINUTE = 60
_REFRESH = 300  # seconds between two counts of the viewers (section 6)
_FREE_BEFORE = 30  # days before the shop's first order on which there were free ones already
_FREE_HOURS = (10, 20)
_LONGEST_NOTICE = 7 * DAY
_TYPES = (10, 10, 11, 12, 13)
_ODD_TYPE = 14  # a code the documentation does not know
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
# Fields that some rows leave out (docs/xiaoe-api.md section 9.8).
_OMISSIONS = (("purchase_count",), ("reward_sum",), ("alive_manual_stop_at",), ("recycle_bin_state",))


class Live(NamedTuple):
    """What never changes about a live stream; moments in unix seconds, ``None``: never. ``reward`` is in fen."""

    live_id: str
    title: str
    alive_type: int
    listed_at: int
    starts_at: int
    stops_at: int | None  # as planned; ``None``: open end
    stopped_at: int | None  # by hand
    binned_at: int | None
    gone_at: int | None  # from then on no list shows it
    views: int  # how many there are in the end, likewise the next two
    reward: int
    purchases: int
    omitted: tuple[str, ...]
    has_unknown_fields: bool
    forms: int

    @property
    def ends_at(self) -> int:
        """Return when it is over: when it is stopped by hand, be it early or late, or else as planned."""
        return self.stopped_at or self.stops_at or self.starts_at


class Screen(NamedTuple):
    """What a live stream shows at one time; ``reward`` in fen. ``stopped`` is null until it is stopped by hand."""

    state: int
    stopped: int | None
    views: int
    reward: int
    purchases: int
    recycle_bin_state: int


def screen_at(live: Live, now: int) -> Screen:
    """Return what a live stream shows at ``now``; all counts grow in steps of five minutes until it is over."""
    seconds = live.ends_at - live.starts_at
    if now >= live.ends_at:
        state, run = 2, seconds
    else:
        state, run = (1, (now - live.starts_at) // _REFRESH * _REFRESH) if now >= live.starts_at else (0, 0)
    stopped = live.stopped_at if live.stopped_at is not None and live.stopped_at <= now else None
    views, reward, purchases = (count * run // seconds for count in (live.views, live.reward, live.purchases))
    binned = live.binned_at is not None and live.binned_at <= now
    return Screen(state, stopped, views, reward, purchases, int(binned))


class LiveBook:
    """All live streams of one shop, made on demand."""

    def __init__(self, key: bytes, start: int, products: ProductBook) -> None:
        self._key = key_of(key.hex(), "lives")
        self._first_day = start - _FREE_BEFORE * DAY
        self._products = products
        self._free = lru_cache(maxsize=4096)(self._make_free)
        self._sold = lru_cache(maxsize=1024)(self._make_sold)

    def listed(self, now: int) -> list[Live]:
        """Return what the list shows at ``now``, by planned start, latest first."""
        lives = [live for live in self._made(now) if live.gone_at is None or now < live.gone_at]
        return sorted(lives, key=lambda live: (-live.starts_at, live.live_id))

    def _made(self, now: int) -> list[Live]:
        frees = max(0, (now + _LONGEST_NOTICE - self._first_day) // DAY + 1) * len(_FREE_HOURS)
        free = [live for live in map(self._free, range(frees)) if live.listed_at <= now]
        return free + [self._sold(goods) for goods in self._products.made(now) if goods.product.resource_type == LIVE]

    def _make_free(self, number: int) -> Live:
        dice = roll(self._key, number)
        day, slot = divmod(number, len(_FREE_HOURS))
        starts_at = self._first_day + day * DAY + _FREE_HOURS[slot] * 3600 + dice[0] % 4 * 15 * _MINUTE
        listed_at = starts_at - between(dice[1], DAY, _LONGEST_NOTICE - DAY)
        ended_at = starts_at + DAY
        binned_at = ended_at + between(dice[2], 0, 60 * DAY) if fraction(dice[3]) < 0.1 else None
        gone_at = binned_at + 30 * DAY if binned_at and dice[3] & 1 else None
        name = (f"l_{dice[4]:08x}{number:06x}", _TITLES[dice[5] % len(_TITLES)])
        return _live(name, (listed_at, starts_at, binned_at, gone_at), dice, is_sold=False)

    def _make_sold(self, goods: Goods) -> Live:
        """Make the stream of a product: the same id and title, binned and dropped when the product is."""
        dice = roll(key_of(self._key.hex(), "sold"), goods.number)
        day = (goods.created - self._first_day) // DAY + between(dice[0], 1, 30)
        starts_at = self._first_day + day * DAY + between(dice[1], 9, 21) * 3600
        name = (goods.product.resource_id, goods.product.title)
        return _live(name, (goods.created, starts_at, goods.deleted_at, goods.gone_at), dice, is_sold=True)


def _live(
    name: tuple[str, str], moments: tuple[int, int, int | None, int | None], dice: tuple[int, ...], *, is_sold: bool
) -> Live:
    """Make a live stream from draws 6 to 15; ``moments``: listed, starts, binned and gone at."""
    listed_at, starts_at, binned_at, gone_at = moments
    planned = starts_at + between(dice[6], 2, 12) * 15 * _MINUTE
    by_hand = fraction(dice[7]) < 0.6
    stopped_at = (
        max(starts_at + 5 * _MINUTE, planned + between(dice[8], -20 * _MINUTE, 40 * _MINUTE)) if by_hand else None
    )
    omission = dice[13] % 150
    return Live(
        *name,
        _ODD_TYPE if dice[9] % 60 == 0 else _TYPES[dice[9] % len(_TYPES)],
        listed_at,
        starts_at,
        None if by_hand and dice[8] % 12 == 0 else planned,
        stopped_at,
        binned_at,
        gone_at,
        dice[10] % 10 ** (2 + (dice[10] >> 24 & 3)) + dice[10] % 300,
        dice[11] % 100_000 if dice[11] & 1 << 20 else 0,
        dice[12] % 300 if is_sold else 0,
        _OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
        dice[14] % 60 == 0,
        dice[14] ^ dice[15] << 32,
    )
