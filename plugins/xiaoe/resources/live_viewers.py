"""One viewer of `xe.alive.user.list/1.0.0` → one row of `live_viewers` (docs/xiaoe-api.md section 10).

One list per stream. Seconds stay seconds; `user_total_price` arrives in fen and leaves as yuan. No field says when a
replay is closed: it counts as closed a month after the stream ended, or once the stream lies in the recycle bin.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from xiaoe import settings
from xiaoe.clock import BEIJING
from xiaoe.resources.base import Numbered, Parents, Resource, Scope, everything
from xiaoe.resources.privacy import forms_of
from xiaoe.rows import values
from xiaoe.rows.children import KEY, PARENT, Parent
from xiaoe.rows.decode import Mapping, RowReader
from xiaoe.windows import EVER, Window

if TYPE_CHECKING:
    from xiaoe.mysql.session import Session

MAPPING: Mapping = {
    "row_key": (KEY, values.identifier),
    "live_id": (PARENT, values.identifier),
    "user_id": ("user_id", values.identifier),
    "nickname": ("wx_nickname", values.text),
    "online_seconds": ("his_online_time", values.count),
    "learn_seconds": ("his_learn_time", values.count),
    "live_seconds": ("his_learning_time", values.count),
    "replay_seconds": ("his_learned_time", values.count),
    "comment_num": ("comment_num", values.count),
    "amount": ("user_total_price", values.fen),
}
"""Column → field of the API and how it is read."""

PERSONAL = ("nickname",)
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""

HOURLY_FOR = timedelta(days=3)
"""After the end of a stream its viewers are read in every run, from then on once a day."""
REPLAY = timedelta(days=30)
"""After the end of a stream its replay counts as open."""
DAILY = timedelta(hours=20)
"""Between two readings of a day: less than a day, or a run that is an hour early would skip one."""
_PLANNED, _LIVE = 0, 1


class Stream(NamedTuple):
    """What decides whether a stream's viewers are read again. Times are Beijing wall-clock, without an offset.

    Args:
        live_id: The stream.
        state: 0 not begun, 1 live, 2 ended; the list of streams may be an hour old.
        is_binned: Whether it lies in the recycle bin.
        start: As planned.
        stop: As planned.
        stopped: When somebody ended it.
        read_at: The last complete reading of its viewers.
        same_since: The earliest reading with the same content.
    """

    live_id: str
    state: int | None
    is_binned: bool
    start: datetime | None
    stop: datetime | None
    stopped: datetime | None
    read_at: datetime | None
    same_since: datetime | None


def ended_at(stream: Stream) -> datetime | None:
    """When the stream ended; None while it is live. One that was never begun ends as planned."""
    if stream.state == _LIVE and stream.stopped is None:
        return None
    return stream.stopped or stream.stop or stream.start


def began_at(stream: Stream) -> datetime | None:
    """When the stream began; where that cannot be read, when it ended. None where no time of it can."""
    return stream.start or stream.stopped or stream.stop


def is_due(stream: Stream, now: datetime) -> bool:
    """Whether the viewers of a stream may have changed since they were read.

    Args:
        stream: The stream.
        now: Beijing, without an offset.
    """
    is_ahead = stream.start > now if stream.start is not None else stream.state == _PLANNED
    if stream.state != _LIVE and is_ahead:
        return False
    end = ended_at(stream)
    if stream.state == _LIVE and end is None:
        return True
    if end is not None and now - end < HOURLY_FOR:
        return True
    if stream.read_at is None or stream.same_since is None:
        return end is None or now - end < REPLAY  # older ones are read when somebody asks for them
    was_closed = stream.is_binned or end is None or stream.read_at >= end + REPLAY
    is_settled = was_closed and stream.read_at - stream.same_since >= DAILY
    return now - stream.read_at >= DAILY and not is_settled


def due(session: Session, shop_id: str, window: Window) -> list[Parent]:
    """Streams whose viewers are read now, the latest first; of a chosen window, all that begin in it."""
    rows = session.query(
        "SELECT l.live_id, l.alive_state, COALESCE(l.recycle_bin_state, 0) <> 0, l.start_at, l.stop_at,"
        " l.manual_stop_at, r.observed_at + INTERVAL 8 HOUR, r.same_since + INTERVAL 8 HOUR, r.observed_at"
        " FROM live_streams AS l LEFT JOIN parent_readings AS r"
        " ON r.shop_id = l.shop_id AND r.resource = 'live_viewers' AND r.parent_id = l.live_id"
        " WHERE l.shop_id = %s AND l.absent_since IS NULL ORDER BY l.start_at DESC, l.live_id",
        (shop_id,),
    )
    begin, now = (moment.astimezone(BEIJING).replace(tzinfo=None) for moment in (window.begin, window.end))
    found = [(Stream(live_id, state, bool(binned), *times), read) for live_id, state, binned, *times, read in rows]
    if window.begin > EVER:
        chosen = [(one, read) for one, read in found if begin <= (began_at(one) or EVER.replace(tzinfo=None)) < now]
    else:
        chosen = [(one, read) for one, read in found if is_due(one, now)]
    return [Parent.read(one.live_id, {"resource_id": one.live_id}, read) for one, read in chosen]


LIVE_VIEWERS = Resource(
    name="live_viewers",
    table="live_viewers",
    endpoint="/xe.alive.user.list/1.0.0",
    scope=Scope.PER_PARENT,
    parents=Parents("live_id", ("user_id",), due),
    paging=Numbered("page"),
    size_key="page_size",
    total_key="total",
    largest_page=100,  # what clients use; the largest is not documented
    calls_per_second=10,  # a guess: as of the call for streams by ids
    quota_seconds=10,
    filters=everything,
    time=None,
    time_index="idx_live_viewers_live",
    reader=RowReader(MAPPING, {}, key="row_key", forms=forms_of("live_viewers", PERSONAL)),
    personal=PERSONAL,
    fresh_within={"incremental": timedelta(hours=3)} if "live_viewers" in settings.more_lists() else {},
    more="live_viewers",
)
