"""`xe.alive.user.list/1.0.0` (docs/xiaoe-api.md section 10): the viewers of one stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emulator.encodings import UNKNOWN_FIELDS, Encoder
from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, list_data, parse_page
from emulator.live_viewers.generator import Viewer, viewers_at
from emulator.options import Options
from emulator.shop import Shop

PAGE_SIZE = 100
_DEFAULT_PAGE_SIZE = 20


class ViewerListing(NumberedPages):
    """The viewers of a stream, and the requested page."""

    def __init__(self, viewers: Sequence[Viewer], salt: int, request: Request) -> None:
        super().__init__(request, len(viewers))
        self._viewers = viewers
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions."""
        page = (self._viewers[position] for position in positions)
        return [msgspec.Raw(msgspec.json.encode(_render(viewer, self._salt))) for viewer in page]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"total", "list"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows)


def _render(viewer: Viewer, salt: int) -> dict[str, object]:
    encoder = Encoder(viewer.bits ^ salt)
    row: dict[str, object] = {
        "user_id": viewer.user_id,
        "wx_nickname": viewer.nickname,
        "his_online_time": encoder.number(viewer.online),
        "his_learn_time": encoder.number(viewer.live + viewer.replay),
        "his_learning_time": encoder.number(viewer.live),
        "his_learned_time": encoder.number(viewer.replay),
        "comment_num": encoder.number(viewer.comments),
        "user_total_price": encoder.fen(viewer.spent),
    }
    return {**row, **UNKNOWN_FIELDS} if viewer.bits % 50 == 0 else row


class ViewerEndpoint:
    """Lists the viewers of a stream.

    Guesses: first come first; 20 per page, at most 100 (more is silently 100); 100 calls in 10 s, as for other calls
    about streams; a stream that is not listed is refused with 1002.
    """

    path = "xe.alive.user.list/1.0.0"
    resource = "live_viewers"

    def limit(self, options: Options) -> Limit:
        """A guess: as of the call for streams by ids."""
        return Limit(100, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> ViewerListing:
        """Parse a request."""
        asked = str(body.get("resource_id") or "")
        live = next((one for one in shop.live_streams.listed(now) if one.live_id == asked), None)
        if live is None:
            raise ApiError(1002, "resource_id is invalid")
        request = parse_page(shop, body, "page", _DEFAULT_PAGE_SIZE, PAGE_SIZE)
        salt = call if options.jitter == "per_call" else 0
        return ViewerListing(viewers_at(live, shop.users, now), salt, request)
