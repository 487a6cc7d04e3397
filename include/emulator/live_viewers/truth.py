"""Expected rows of the warehouse's `live_viewers` table, computed from what the viewers did, not from the response.

row_key             live_id/user_id
seconds             in the room, learning in all, live, replay
amount              yuan with two decimals, 0.00 if nothing was bought
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.encodings import yuan
from emulator.live_streams.generator import LiveStreamGenerator
from emulator.live_viewers.generator import viewers_at
from emulator.users.generator import UserGenerator


def rows(
    shop_id: str, streams: LiveStreamGenerator, users: UserGenerator, begin: int, end: int, now: int
) -> Iterator[dict[str, object]]:
    """Expected rows of the streams listed at `now` that start in [begin, end)."""
    for live in streams.listed(now):
        if begin <= live.starts_at < end:
            for viewer in viewers_at(live, users, now):
                yield {
                    "shop_id": shop_id,
                    "row_key": f"{live.live_id}/{viewer.user_id}",
                    "live_id": live.live_id,
                    "user_id": viewer.user_id,
                    "nickname": viewer.nickname,
                    "online_seconds": viewer.online,
                    "learn_seconds": viewer.live + viewer.replay,
                    "live_seconds": viewer.live,
                    "replay_seconds": viewer.replay,
                    "comment_num": viewer.comments,
                    "amount": yuan(viewer.spent),
                }
