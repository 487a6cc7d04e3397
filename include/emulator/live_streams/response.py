"""A live stream as the API sends it (docs/xiaoe-api.md sections 6 and 9)."""

from __future__ import annotations

from emulator.encodings import UNKNOWN_FIELDS, Encoder, yuan
from emulator.live_streams.generator import LiveSnapshot, LiveStream
from emulator.seeded import draw


def render(live: LiveStream, snapshot: LiveSnapshot, salt: int) -> dict[str, object]:
    """One row; another `salt` gives other encodings. `reward_sum`: yuan as text, or the integer 0."""
    encoder = Encoder(
        draw(live.encoding ^ salt, snapshot.views << 3 | snapshot.state << 1 | snapshot.recycle_bin_state)
    )
    row: dict[str, object] = {
        "id": live.live_id,
        "title": live.title,
        "alive_type": encoder.number(live.alive_type),
        "alive_state": encoder.number(snapshot.state),
        "alive_start_at": encoder.time(live.starts_at),
        "alive_stop_at": encoder.time(live.stops_at),
        "alive_manual_stop_at": encoder.time(snapshot.stopped),
        "view_count": encoder.number(snapshot.views),
        "reward_sum": yuan(snapshot.reward) if snapshot.reward else 0,
        "purchase_count": str(snapshot.purchases),
        "recycle_bin_state": encoder.number(snapshot.recycle_bin_state),
    }
    for name in live.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if live.has_unknown_fields else row
