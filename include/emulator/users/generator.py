"""One shop's users by number: their constant attributes and their visits."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.orders.catalogue import Catalogue
from emulator.seeded import between, draws_of, fraction, key_of
from emulator.users.registrations import Registrations, Visibility, VisibleUsers, identity

_HOUR = 3600
_NAMES = ("小鹅", "阳光", "Lily", "静水流深", "老王", "糖糖妈妈", "David", "平安是福", "匿名用户", "")
_TAILS = (
    *[""] * 8, "😀", "🐧🐧", " \"引号\"", "O'Neil", "\t", "\n二行", "\\", "\\N", "👨\u200d👩\u200d👧", "𠮷", ",",
    " 空格 ", "NULL", "=1+1", "\r\n", "<b>", "；", "{{ ds }}", "%s", "\u3000",
)  # fmt: skip
_SOURCES = ("微信", "微信", "微信", "小程序", "H5", "APP", "抖音", "PC", "导入", "")
# Fields omitted from some rows (docs/xiaoe-api.md section 9.8).
_OMISSIONS = (("collect_phone",), ("avatar", "from"), ("punch_count",), ("pay_sum",), ("wx_app_open_id",))


class User(NamedTuple):
    """The constant attributes of a user. Text may be `""` or None; `pay_sum` has the digits that are sent."""

    number: int
    registered: int  # milliseconds
    user_id: str
    nickname: str
    phone: str | None
    collect_phone: str | None
    avatar: str | None
    source: str
    pay_sum: str | None
    punch_count: int
    union_id: str | None
    open_id: str | None
    app_open_id: str | None
    first_visit: int | None  # unix seconds
    visit_every: int
    visits: int
    visit_millisecond: int
    omitted: tuple[str, ...]
    has_unknown_fields: bool
    encoding: int


def last_visit(user: User, now: int) -> int:
    """The unix millisecond of a user's last visit up to `now`, 0 if there is none."""
    if user.first_visit is None or user.first_visit > now:
        return 0
    back = min((now - user.first_visit) // user.visit_every, user.visits - 1)
    return (user.first_visit + back * user.visit_every) * 1000 + user.visit_millisecond


class Nicknames:
    """The nicknames of a shop's users by user id."""

    def __init__(self, key: bytes) -> None:
        self._key = key_of(key.hex(), "nicknames").hex()

    def of(self, user_id: str) -> str:
        """A nickname, possibly empty."""
        bits = key_of(self._key, user_id)
        return _NAMES[bits[0] % len(_NAMES)] + _TAILS[bits[1] % len(_TAILS)]


class UserGenerator:
    """All users of one shop, generated on demand."""

    def __init__(self, key: bytes, catalogue: Catalogue, registrations: Registrations, visibility: Visibility) -> None:
        self._key = key_of(key.hex(), "user facts")
        self._catalogue = catalogue
        self.nicknames = Nicknames(key)
        self.registrations = registrations
        self.visibility = visibility
        self._numbers: dict[str, int] = {}
        self.user = lru_cache(maxsize=4096)(self._user)
        self.visited_between = lru_cache(maxsize=8)(self._visited_between)

    def visible(self, now: int) -> VisibleUsers:
        """The users listed at `now`."""
        return VisibleUsers(self.registrations.count(now), self.visibility.places(now))

    def count_before(self, moment: int, now: int) -> int:
        """How many users registered before this unix second and have registered by `now`."""
        return self.registrations.count_before(min(moment, now + 1) * 1000)

    def number_at(self, registered: int, user_id: str) -> int:
        """The number up to which users are older than a cursor's, that user excluded.

        Args:
            registered: The cursor's registration time in unix milliseconds.
            user_id: The cursor's user id; for an unknown one, only users of earlier milliseconds count.
        """
        first, last = (self.registrations.count_before(moment) for moment in (registered, registered + 1))
        return next((number for number in range(first, last) if self.user_id(number) == user_id), first)

    def user_id(self, number: int) -> str:
        """The id of the user with this number."""
        return self._catalogue.user_id(identity(number))

    def number_of(self, user_id: str, now: int) -> int | None:
        """The number of the user with this id who has registered by `now`."""
        count = self.registrations.count(now)
        for number in range(len(self._numbers), count):
            self._numbers[self.user_id(number)] = number
        number_ = self._numbers.get(user_id, count)
        return number_ if number_ < count else None

    def _visited_between(
        self, numbers: tuple[int, ...], begin: int | None, end: int | None, now: int
    ) -> tuple[int, ...]:
        """Those of `numbers` whose last visit is in [begin, end), unix seconds; costs O(numbers)."""
        first, last = (begin or 0) * 1000, now * 1000 + 1000 if end is None else end * 1000
        return tuple(number for number in numbers if first <= (last_visit(self.user(number), now) or -1) < last)

    def _user(self, number: int) -> User:
        draws = draws_of(self._key, number)
        no_text = ("", None)[draws[0] & 1]
        registered = self.registrations.registered(number)
        user_id = self.user_id(number)
        omission = draws[1] % 500
        returns = fraction(draws[2]) >= 0.12
        return User(
            number,
            registered,
            user_id,
            self.nicknames.of(user_id),
            f"1{30 + draws[3] % 60}{draws[4] % 100_000_000:08d}" if draws[5] & 3 else no_text,
            f"1{30 + draws[3] % 60}{draws[6] % 100_000_000:08d}" if draws[5] & 12 == 0 else no_text,
            f"https://avatar.invalid/{draws[7]:08x}/0?a=1&b=2" if draws[7] % 10 else no_text,
            _SOURCES[draws[8] % len(_SOURCES)],
            _pay_sum(draws[9]),
            draws[10] % 30 if draws[10] & 1 << 20 else 0,
            f"o6_{draws[11]:08x}{number:06x}" if draws[11] % 5 else no_text,
            f"oX_{draws[12]:08x}{number:06x}" if draws[12] % 4 else no_text,
            f"oA_{draws[13]:08x}{number:06x}" if draws[13] % 9 == 0 else no_text,
            registered // 1000 + between(draws[14], 1, 2 * DAY) if returns else None,
            between(draws[15], _HOUR, 40 * DAY),
            1 + draws[2] % 60,
            draws[14] % 1000,
            _OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
            draws[1] % 97 == 0,
            draws[0] ^ draws[15] << 32,
        )


def _pay_sum(bits: int) -> str | None:
    """A user's `pay_sum`. Its unit is not documented, and it is not the sum of the user's orders."""
    kind = bits % 16
    if kind < 8:
        return "0"
    return None if kind == 8 else f"{bits % 3000}.5" if kind == 9 else str(bits % 300_000)
