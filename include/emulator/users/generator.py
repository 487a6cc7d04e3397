"""One shop's users by number: the facts that never change, and their visits."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from emulator.clock import DAY
from emulator.orders.catalogue import Catalogue
from emulator.seeded import between, fraction, key_of, roll
from emulator.users.registrations import Crowd, Hiding, Shown, identity

_HOUR = 3600
_NAMES = ("小鹅", "阳光", "Lily", "静水流深", "老王", "糖糖妈妈", "David", "平安是福", "匿名用户", "")
_TAILS = (
    *[""] * 8, "😀", "🐧🐧", " \"引号\"", "O'Neil", "\t", "\n二行", "\\", "\\N", "👨\u200d👩\u200d👧", "𠮷", ",",
    " 空格 ", "NULL", "=1+1", "\r\n", "<b>", "；", "{{ ds }}", "%s", "\u3000",
)  # fmt: skip
_SOURCES = ("微信", "微信", "微信", "小程序", "H5", "APP", "抖音", "PC", "导入", "")
# Fields that some rows leave out (docs/xiaoe-api.md section 9.8).
_OMISSIONS = (("collect_phone",), ("avatar", "from"), ("punch_count",), ("pay_sum",), ("wx_app_open_id",))


class User(NamedTuple):
    """What never changes about a user. Text may be ``""`` or ``None``; ``pay_sum`` is written as it is sent."""

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
    forms: int


def last_visit(user: User, now: int) -> int:
    """Return the millisecond of a user's last visit up to ``now``, 0 for none."""
    if user.first_visit is None or user.first_visit > now:
        return 0
    back = min((now - user.first_visit) // user.visit_every, user.visits - 1)
    return (user.first_visit + back * user.visit_every) * 1000 + user.visit_millisecond


class Nicknames:
    """The nickname of any user id of a shop."""

    def __init__(self, key: bytes) -> None:
        self._key = key_of(key.hex(), "nicknames").hex()

    def of(self, user_id: str) -> str:
        """Return a nickname; it may be empty."""
        bits = key_of(self._key, user_id)
        return _NAMES[bits[0] % len(_NAMES)] + _TAILS[bits[1] % len(_TAILS)]


class UserBook:
    """All users of one shop, made on demand."""

    def __init__(self, key: bytes, catalogue: Catalogue, crowd: Crowd, hiding: Hiding) -> None:
        self._key = key_of(key.hex(), "user facts")
        self._catalogue = catalogue
        self.nicknames = Nicknames(key)
        self.crowd = crowd
        self.hiding = hiding
        self.user = lru_cache(maxsize=4096)(self._user)

    def shown(self, now: int) -> Shown:
        """Return the users the list shows at ``now``."""
        return Shown(self.crowd.count(now), self.hiding.shown(now))

    def _user(self, number: int) -> User:
        dice = roll(self._key, number)
        no_text = ("", None)[dice[0] & 1]
        registered = self.crowd.registered(number)
        user_id = self._catalogue.user_id(identity(number))
        omission = dice[1] % 500
        returns = fraction(dice[2]) >= 0.12
        return User(
            number,
            registered,
            user_id,
            self.nicknames.of(user_id),
            f"1{30 + dice[3] % 60}{dice[4] % 100_000_000:08d}" if dice[5] & 3 else no_text,
            f"1{30 + dice[3] % 60}{dice[6] % 100_000_000:08d}" if dice[5] & 12 == 0 else no_text,
            f"https://avatar.invalid/{dice[7]:08x}/0?a=1&b=2" if dice[7] % 10 else no_text,
            _SOURCES[dice[8] % len(_SOURCES)],
            _pay_sum(dice[9]),
            dice[10] % 30 if dice[10] & 1 << 20 else 0,
            f"o6_{dice[11]:08x}{number:06x}" if dice[11] % 5 else no_text,
            f"oX_{dice[12]:08x}{number:06x}" if dice[12] % 4 else no_text,
            f"oA_{dice[13]:08x}{number:06x}" if dice[13] % 9 == 0 else no_text,
            registered // 1000 + between(dice[14], 1, 2 * DAY) if returns else None,
            between(dice[15], _HOUR, 40 * DAY),
            1 + dice[2] % 60,
            dice[14] % 1000,
            _OMISSIONS[omission] if omission < len(_OMISSIONS) else (),
            dice[1] % 97 == 0,
            dice[0] ^ dice[15] << 32,
        )


def _pay_sum(bits: int) -> str | None:
    """Return what the API says a user has paid. Its unit is unsettled, and this is not the sum of any orders."""
    kind = bits % 16
    if kind < 8:
        return "0"
    return None if kind == 8 else f"{bits % 3000}.5" if kind == 9 else str(bits % 300_000)
