"""`xe.user.batch.get/2.0.0` (docs/xiaoe-api.md section 4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from emulator.clock import DAY, to_unix
from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import integer, list_data, window_key
from emulator.options import Options
from emulator.shop import Shop
from emulator.users.generator import UserGenerator
from emulator.users.registrations import VisibleUsers
from emulator.users.response import LAST_VISIT, render

PAGE_SIZE = 50


class UserPage(NamedTuple):
    """The requested page; `start` is the position after its cursor."""

    key: str
    start: int
    page_size: int


class UserListing:
    """The requested users, newest first, and the page after a cursor.

    Args:
        users: All users of the shop.
        numbers: The requested users, oldest first.
        now: Shop time in unix seconds.
        salt: Chooses the encodings of the rows.
        page: The requested page.
        with_last_visit: Whether rows have `latest_visited_at`.
    """

    follows = True

    def __init__(
        self,
        users: UserGenerator,
        numbers: Sequence[int],
        now: int,
        salt: int,
        page: UserPage,
        *,
        with_last_visit: bool,
    ) -> None:
        self._users = users
        self._numbers = numbers
        self._now = now
        self._salt = salt
        self._with_last_visit = with_last_visit
        self.key, self.start, self.page_size = page
        self.page = -(-self.start // self.page_size) + 1
        self.total = len(numbers)

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions, 0 being the newest user."""
        users = (self._users.user(self._numbers[self.total - 1 - position]) for position in positions)
        rows = (render(user, self._now, self._salt, with_last_visit=self._with_last_visit) for user in users)
        return [msgspec.Raw(msgspec.json.encode(row)) for row in rows]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"total", "list"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows)


class RankedNumbers(Sequence[int]):
    """The numbers of the visible users with ranks in [first, last), without a list of them."""

    def __init__(self, visible: VisibleUsers, first: int, last: int) -> None:
        self._visible = visible
        self._ranks = range(first, max(first, last))

    def __len__(self) -> int:
        return len(self._ranks)

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        return self._visible.number(self._ranks[index])


def _day(body: dict[str, object], name: str) -> int | None:
    """The first second of a day sent as `YYYY-MM-DD`, unix seconds; None if it is missing."""
    value = body.get(name)
    if value in (None, ""):
        return None
    try:
        return to_unix(date.fromisoformat(str(value)).isoformat())
    except ValueError:
        raise ApiError(1002, f"{name} is invalid") from None


def _days(body: dict[str, object], name: str) -> tuple[int | None, int | None]:
    """The half-open range of `name`_start and `name`_end, unix seconds. Guess: both are inclusive and optional."""
    first, last = _day(body, f"{name}_start"), _day(body, f"{name}_end")
    return first, None if last is None else last + DAY


def _needs_last_visit(body: dict[str, object]) -> bool:
    """Whether `need_column` names the last visit. Guess: anything but a list is refused, unknown names are ignored."""
    columns = body.get("need_column") or []
    if not isinstance(columns, list):
        raise ApiError(1002, "need_column is invalid")
    return LAST_VISIT in columns


def _numbers(users: UserGenerator, body: dict[str, object], now: int, filters: str) -> Sequence[int]:
    """The numbers of the requested users, oldest first."""
    visible = users.visible(now)
    if filters == "ignored":
        return RankedNumbers(visible, 0, visible.count)
    begin, end = _days(body, "user_created")
    first, last = (visible.before(users.count_before(moment, now)) for moment in (begin or 0, end or now + 1))
    numbers = RankedNumbers(visible, first, last)
    visited = _days(body, "latest_visited")
    if filters == "refused" and (begin, end, *visited) != (None,) * 4:
        raise ApiError(1002, "the parameters are invalid")
    return numbers if visited == (None, None) else users.visited_between(tuple(numbers), *visited, now)


def _after(skip: object, users: UserGenerator, numbers: Sequence[int], now: int) -> int:
    """The position after a cursor, whose user need not be listed any more.

    Guesses: an empty cursor means the first page; an incomplete one is refused; of users registered in the same
    millisecond those after the cursor's user follow, and none if that user is unknown.
    """
    if skip in (None, "", {}, []):
        return 0
    if not isinstance(skip, dict):
        raise ApiError(1002, "es_skip is invalid")
    registered, user_id = integer(skip, "user_created_at", -1, 0), skip.get("id")
    if registered < 0 or not isinstance(user_id, str) or not user_id:
        raise ApiError(1002, "es_skip is invalid")
    return len(numbers) - bisect_left(numbers, users.number_at(min(registered, (now + 1) * 1000), user_id))


class UserEndpoint:
    """Lists the users of a shop by cursor.

    Guesses: a `page_size` over 50 is silently reduced to 50, which is also the default; the filters
    `last_paytime_start/_end`, `user_type`, `tag_id` and `from` are ignored.
    """

    path = "xe.user.batch.get/2.0.0"
    resource = "users"

    def limit(self, options: Options) -> Limit:
        """The documented 3000 calls in 10 s."""
        return Limit(3000, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> UserListing:
        """Parse a request; unknown keys such as `page` are ignored, so the first page is sent again."""
        numbers = _numbers(shop.users, body, now, options.user_filters)
        start = _after(body.get("es_skip"), shop.users, numbers, now)
        size = min(integer(body, "page_size", PAGE_SIZE, 1), PAGE_SIZE)
        salt = call if options.jitter == "per_call" else 0
        page = UserPage(window_key(shop, body, "es_skip"), start, size)
        return UserListing(shop.users, numbers, now, salt, page, with_last_visit=_needs_last_visit(body))
