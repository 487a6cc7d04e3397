"""`xe.user.batch.get/2.0.0` (docs/xiaoe-api.md section 4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import integer, list_data, window_key
from emulator.options import Options
from emulator.shop import Shop
from emulator.users.generator import UserGenerator
from emulator.users.registrations import VisibleUsers
from emulator.users.response import number_of, render

PAGE_SIZE = 50


class UserListing:
    """All users, newest first, and the page after a cursor."""

    follows = True

    def __init__(
        self, users: UserGenerator, shown: VisibleUsers, now: int, salt: int, page: tuple[str, int, int]
    ) -> None:
        self._users = users
        self._shown = shown
        self._now = now
        self._salt = salt
        self.key, self.start, self.page_size = page
        self.page = -(-self.start // self.page_size) + 1
        self.total = shown.count

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions, 0 being the newest user."""
        numbers = (self._shown.number(self.total - 1 - position) for position in positions)
        users = (render(self._users.user(number), self._now, self._salt) for number in numbers)
        return [msgspec.Raw(msgspec.json.encode(user)) for user in users]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"total", "list"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows)


def _after(skip: object, users: UserGenerator, shown: VisibleUsers, now: int) -> int:
    """The position after a cursor, whose user need not be visible any more.

    Guesses: an empty cursor means the first page; an incomplete one is refused; the parts are compared in the order
    registration time, id, as with a search engine's search_after.
    """
    if skip in (None, "", {}, []):
        return 0
    if not isinstance(skip, dict):
        raise ApiError(1002, "es_skip is invalid")
    registered = integer(skip, "user_created_at", -1, 0)
    identifier = integer(skip, "id", -1, 0)
    if registered < 0 or identifier < 0:
        raise ApiError(1002, "es_skip is invalid")
    registered = min(registered, (now + 1) * 1000)
    first, last = users.registrations.count_before(registered), users.registrations.count_before(registered + 1)
    older = first + bisect_left(range(first, last), number_of(identifier))
    return max(0, shown.count - shown.before(older))


class UserEndpoint:
    """Lists all users of a shop by cursor.

    Guess: a `page_size` over 50 is silently reduced to 50, which is also the default.
    """

    path = "xe.user.batch.get/2.0.0"

    def limit(self, options: Options) -> Limit:
        """The documented 3000 calls in 10 s."""
        return Limit(3000, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> UserListing:
        """Parse a request; unknown keys such as `page` are ignored, so the first page is sent again."""
        shown = shop.users.shown(now)
        start = _after(body.get("es_skip"), shop.users, shown, now)
        size = min(integer(body, "page_size", PAGE_SIZE, 1), PAGE_SIZE)
        salt = call if options.jitter == "per_call" else 0
        return UserListing(shop.users, shown, now, salt, (window_key(shop, body, "es_skip"), start, size))
