"""Expected rows of the warehouse's `live_streams` table, computed from a stream's events, not from the response.

shop_id             the shop's app_id
live_id             id
title               unchanged
alive_type, alive_state, recycle_bin_state: codes as integers
alive_type_text, alive_state_text: the documented text of the code; null for an undocumented code
start_at, stop_at   alive_start_at and alive_stop_at, both as planned; an open end is null
manual_stop_at      alive_manual_stop_at; null until it is stopped by hand
view_count, purchase_count: integers
reward_sum          yuan with two decimals, 0.00 if there is none

A field omitted from the response is null. Streams no longer listed have no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import ALIVE_STATES, ALIVE_TYPES
from emulator.encodings import time_text, yuan
from emulator.live_streams.generator import LiveStream, LiveStreamGenerator, snapshot_at

# API field -> column, where the names differ.
_COLUMNS = {"alive_manual_stop_at": "manual_stop_at"}


def rows(shop_id: str, generator: LiveStreamGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """Expected rows of the streams listed at `now` that start in [begin, end), latest first."""
    return (truth(shop_id, live, now) for live in generator.listed(now) if begin <= live.starts_at < end)


def truth(shop_id: str, live: LiveStream, now: int) -> dict[str, object]:
    """The expected row without the warehouse's bookkeeping columns."""
    snapshot = snapshot_at(live, now)
    row: dict[str, object] = {
        "shop_id": shop_id,
        "live_id": live.live_id,
        "title": live.title,
        "alive_type": live.alive_type,
        "alive_type_text": ALIVE_TYPES.get(live.alive_type),
        "alive_state": snapshot.state,
        "alive_state_text": ALIVE_STATES.get(snapshot.state),
        "start_at": to_text(live.starts_at),
        "stop_at": time_text(live.stops_at),
        "manual_stop_at": time_text(snapshot.stopped),
        "view_count": snapshot.views,
        "reward_sum": yuan(snapshot.reward),
        "purchase_count": snapshot.purchases,
        "recycle_bin_state": snapshot.recycle_bin_state,
    }
    row.update(dict.fromkeys((_COLUMNS.get(field, field) for field in live.omitted), None))
    return row
