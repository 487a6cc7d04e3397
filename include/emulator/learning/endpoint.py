"""The two interfaces about learning (docs/xiaoe-api.md section 10). Neither names a total."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from emulator.clock import DAY, to_unix
from emulator.encodings import UNKNOWN_FIELDS, Encoder
from emulator.errors import ApiError
from emulator.learning.generator import Record, learned_on, records
from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, parse_page
from emulator.options import Options
from emulator.shop import Shop

MOST_USERS = 100
MOST_RECORDS = 50
_DEFAULT_RECORDS = 10


class PlainListing(NumberedPages):
    """Rows that are made already, in a list of a certain name, without a total."""

    def __init__(self, made: Sequence[dict[str, object]], name: str, request: Request) -> None:
        super().__init__(request, len(made))
        self._made = made
        self._name = name

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions."""
        return [msgspec.Raw(msgspec.json.encode(self._made[position])) for position in positions]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """The rows alone."""
        return {self._name: rows}


class LearningDayEndpoint:
    """Seconds that some users learned on a day.

    Guesses: a user without learning has no row; at most 100 users, more are refused; rows stand in the order in which
    the users were asked for; 1000 calls in 10 s, as for one user's records.
    """

    path = "xe.learning_records.daily.get/1.0.0"
    resource = "learning_days"

    def limit(self, options: Options) -> Limit:
        """A guess."""
        return Limit(1000, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> PlainListing:
        """Parse a request."""
        asked = body.get("user_id_list")
        if not isinstance(asked, list) or not 0 < len(asked) <= MOST_USERS:
            raise ApiError(1002, "user_id_list is invalid")
        try:
            begin = to_unix(date.fromisoformat(str(body.get("date"))).isoformat())
        except ValueError:
            raise ApiError(1002, "date is invalid") from None
        salt = call if options.jitter == "per_call" else 0
        made: list[dict[str, object]] = []
        for user_id in map(str, asked):
            number = shop.users.number_of(user_id, now)
            seconds = 0 if number is None else learned_on(shop.users.user(number), begin, begin + DAY, now)
            if seconds:
                made.append({"user_id": user_id, "stay_time": Encoder(seconds ^ salt).number(seconds)})
        return PlainListing(made, "list", parse_page(shop, body, "page", MOST_USERS, MOST_USERS))


class LearningRecordEndpoint:
    """What one user has learned, the latest first; the paging fields stand in a group `data`."""

    path = "xe.user.learning.records.get/1.0.0"
    resource = "learning_progress"

    def limit(self, options: Options) -> Limit:
        """The documented 1000 calls in 10 s."""
        return Limit(1000, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> PlainListing:
        """Parse a request. Guess: a user who is not known has learned nothing."""
        group = body.get("data")
        fields = {**body, **(group if isinstance(group, dict) else {})}
        number = shop.users.number_of(str(body.get("user_id") or ""), now)
        found = [] if number is None else records(shop.users.user(number), shop.orders.catalogue, now)
        salt = call if options.jitter == "per_call" else 0
        made = [_render(record, salt) for record in found]
        return PlainListing(made, "goods_list", parse_page(shop, fields, "page", _DEFAULT_RECORDS, MOST_RECORDS))


def _render(record: Record, salt: int) -> dict[str, object]:
    encoder = Encoder(record.bits ^ salt)
    row: dict[str, object] = {
        "id": record.record_id,
        "resource_id": record.resource_id,
        "resource_type": encoder.number(record.resource_type),
        "product_id": record.product_id,
        "learn_progress": encoder.number(record.progress),
        "max_learn_progress": encoder.number(record.best),
        "is_finish": encoder.number(int(record.finished_at is not None)),
        "finished_at": encoder.time(record.finished_at),
        "last_learn_time": encoder.time(record.last_at),
        "created_at": encoder.time(record.first_at),
        "stay_time": encoder.number(record.seconds),
    }
    return {**row, **UNKNOWN_FIELDS} if record.bits % 50 == 0 else row
