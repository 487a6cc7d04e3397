"""What the warehouse's ``live_streams`` table must hold: told from a stream's moments, not the API's answer.

shop_id             the shop's app_id
live_id             id
title               as it is
alive_type, alive_state, recycle_bin_state: codes as integers
alive_type_text, alive_state_text: the documented text of the code; null for one that is not documented
start_at, stop_at   alive_start_at and alive_stop_at, both as planned; an open end is null
manual_stop_at      alive_manual_stop_at; null unless, and until, it is stopped by hand
view_count, purchase_count: integers
reward_sum          yuan with two decimals, 0.00 for none

A field the API leaves out of a row is null. Streams that the list has dropped have no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import ALIVE_STATES, ALIVE_TYPES
from emulator.encodings import time_text, yuan
from emulator.live_streams.generator import Live, LiveBook, screen_at

# The API's name of a field where the table's differs.
_COLUMNS = {"alive_manual_stop_at": "manual_stop_at"}


def rows(shop_id: str, book: LiveBook, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """Yield the expected rows of the streams listed at ``now`` that start in [begin, end), latest first."""
    return (truth(shop_id, live, now) for live in book.listed(now) if begin <= live.starts_at < end)


def truth(shop_id: str, live: Live, now: int) -> dict[str, object]:
    """Return the expected row, without the warehouse's bookkeeping columns."""
    screen = screen_at(live, now)
    row: dict[str, object] = {
        "shop_id": shop_id,
        "live_id": live.live_id,
        "title": live.title,
        "alive_type": live.alive_type,
        "alive_type_text": ALIVE_TYPES.get(live.alive_type),
        "alive_state": screen.state,
        "alive_state_text": ALIVE_STATES.get(screen.state),
        "start_at": to_text(live.starts_at),
        "stop_at": time_text(live.stops_at),
        "manual_stop_at": time_text(screen.stopped),
        "view_count": screen.views,
        "reward_sum": yuan(screen.reward),
        "purchase_count": screen.purchases,
        "recycle_bin_state": screen.recycle_bin_state,
    }
    row.update(dict.fromkeys((_COLUMNS.get(field, field) for field in live.omitted), None))
    return row
