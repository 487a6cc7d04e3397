"""A live stream as the API sends it (docs/xiaoe-api.md sections 6 and 9)."""

from __future__ import annotations

from emulator.encodings import UNKNOWN_FIELDS, Forms, yuan
from emulator.live_streams.generator import Live, Screen
from emulator.seeded import draw


def render(live: Live, screen: Screen, salt: int) -> dict[str, object]:
    """Return one row; another ``salt`` gives other forms. ``reward_sum``: yuan as text, or the integer 0."""
    forms = Forms(draw(live.forms ^ salt, screen.views << 3 | screen.state << 1 | screen.recycle_bin_state))
    row: dict[str, object] = {
        "id": live.live_id,
        "title": live.title,
        "alive_type": forms.number(live.alive_type),
        "alive_state": forms.number(screen.state),
        "alive_start_at": forms.time(live.starts_at),
        "alive_stop_at": forms.time(live.stops_at),
        "alive_manual_stop_at": forms.time(screen.stopped),
        "view_count": forms.number(screen.views),
        "reward_sum": yuan(screen.reward) if screen.reward else 0,
        "purchase_count": str(screen.purchases),
        "recycle_bin_state": forms.number(screen.recycle_bin_state),
    }
    for name in live.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if live.has_unknown_fields else row
