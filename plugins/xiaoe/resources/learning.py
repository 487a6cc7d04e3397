"""Who learned: `learning_days` and `learning_progress` (docs/xiaoe-api.md section 10).

Days come from the one call that takes many users, for those who visited the shop since; progress from one list per
user, for buyers of the last `XIAOE_LEARNING_DAYS` who visited since it was last read. Seconds stay seconds, times
Beijing wall-clock; `learn_progress` is 0 to 100.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from xiaoe import settings
from xiaoe.clock import BEIJING, beijing_text
from xiaoe.resources.base import DAY, Numbered, Parents, Resource, Scope, everything
from xiaoe.rows import values
from xiaoe.rows.children import KEY, PARENT, Parent
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping, RowReader
from xiaoe.windows import EVER, Window, slices, whole_days

if TYPE_CHECKING:
    from xiaoe.mysql.session import Session

DAYS_BACK = timedelta(days=7)
"""Days that a run still reads if no run has."""
SETTLE = timedelta(hours=2)
"""After the end of a day until what was read of it counts: the API is some minutes behind."""
_MAY_VISIT = "({0}last_visited_at IS NULL OR FIND_IN_SET('last_visited_at', {0}problem_columns))"
"""Nobody knows when a user was there: the shop does not tell it, or what it tells cannot be read."""
USERS_AT_ONCE = 100
"""Users of one call; a guess, as the documentation names no maximum."""
_ON = "learning" in settings.more_lists()

DAY_MAPPING: Mapping = {
    "row_key": (KEY, values.identifier),
    "day": (PARENT, values.day),
    "user_id": ("user_id", values.identifier),
    "stay_seconds": ("stay_time", values.count),
}
"""Column → field of the API and how it is read."""

PROGRESS_MAPPING: Mapping = {
    "row_key": (KEY, values.identifier),
    "user_id": (PARENT, values.identifier),
    "resource_id": ("resource_id", values.identifier),
    "product_id": ("product_id", values.identifier),
    "record_id": ("id", values.identifier),
    "resource_type": ("resource_type", values.code),
    "progress": ("learn_progress", values.number),
    "max_progress": ("max_learn_progress", values.number),
    "is_finished": ("is_finish", values.code),
    "finished_at": ("finished_at", values.time),
    "last_learned_at": ("last_learn_time", values.time),
    "stay_seconds": ("stay_time", values.count),
    "created_at": ("created_at", values.time),
}
"""Column → field of the API and how it is read."""


def due_days(session: Session, shop_id: str, window: Window) -> list[Parent]:
    """Days that no run has read since they were over, the latest first; of a chosen window, all of its days.

    Each is asked for with the users who may have learned on it: registered by then, and seen on that day or later, or
    at a time that nobody knows. So a day waits until the list of users was read behind its end.
    """
    now = window.end
    [(known,)] = session.query(
        "SELECT MAX(watermark) FROM sync_status WHERE shop_id = %s AND resource = 'users'", (shop_id,)
    )
    known_until = EVER if known is None else known.replace(tzinfo=BEIJING)
    chosen = window if window.begin > EVER else Window(now - DAYS_BACK, now)
    days = slices(whole_days(chosen), DAY)
    over = [day for day in days if day.end + SETTLE <= now and day.end <= known_until]
    rows = session.query(
        "SELECT parent_id, observed_at FROM parent_readings WHERE shop_id = %s AND resource = 'learning_days'",
        (shop_id,),
    )
    read_at = {day: moment.replace(tzinfo=timezone.utc) for day, moment in rows}
    parents = []
    for day in reversed(over):
        name = f"{day.begin:%Y-%m-%d}"
        read = read_at.get(name)
        if window.begin == EVER and read is not None and read >= day.end + SETTLE:
            continue
        users = session.query(
            f"SELECT user_id FROM users WHERE shop_id = %s AND (last_visited_at >= %s OR {_MAY_VISIT.format('')})"  # noqa: S608 - ours
            " AND absent_since IS NULL AND (registered_at IS NULL OR registered_at < %s) ORDER BY user_id",
            (shop_id, beijing_text(day.begin), beijing_text(day.end)),
        )
        ids = [user_id for (user_id,) in users]
        parents += [
            Parent.read(name, {"date": name, "user_id_list": ids[start : start + USERS_AT_ONCE]}, read)
            for start in range(0, len(ids), USERS_AT_ONCE)
        ]
    return parents


def due_users(session: Session, shop_id: str, window: Window) -> list[Parent]:
    """Buyers who visited since their progress was read, those that wait longest first; of a chosen window, all."""
    is_chosen = window.begin > EVER
    begin = window.begin if is_chosen else window.end - settings.learning_days()
    rows = session.query(
        "SELECT o.user_id, r.observed_at FROM orders AS o"  # noqa: S608 - ours
        " LEFT JOIN users AS u ON u.shop_id = o.shop_id AND u.user_id = o.user_id"
        " LEFT JOIN parent_readings AS r"
        " ON r.shop_id = o.shop_id AND r.resource = 'learning_progress' AND r.parent_id = o.user_id"
        " WHERE o.shop_id = %s AND o.pay_time >= %s AND o.pay_time < %s AND o.user_id > '' AND o.absent_since IS NULL"
        f" AND (%s OR r.observed_at IS NULL OR {_MAY_VISIT.format('u.')}"
        " OR u.last_visited_at > r.observed_at + INTERVAL 470 MINUTE)"  # Beijing, less ten minutes
        " GROUP BY o.user_id, r.observed_at ORDER BY r.observed_at IS NOT NULL, r.observed_at, o.user_id",
        (shop_id, beijing_text(begin), beijing_text(window.end), int(is_chosen)),
    )
    return [Parent.read(user_id, {"user_id": user_id}, read) for user_id, read in rows]


LEARNING_DAYS = Resource(
    name="learning_days",
    table="learning_days",
    endpoint="/xe.learning_records.daily.get/1.0.0",
    scope=Scope.PER_PARENT,
    parents=Parents("day", ("user_id",), due_days, lists_all=False),
    paging=Numbered("page"),
    size_key="page_size",
    total_key="total",
    tells_total=False,
    largest_page=USERS_AT_ONCE,
    calls_per_second=100,  # a guess: as of the list of one user
    quota_seconds=10,
    filters=everything,
    time=None,
    reader=RowReader(DAY_MAPPING, {}, key="row_key"),
    fresh_within={"incremental": timedelta(hours=30)} if _ON else {},
    more="learning",
)

LEARNING_PROGRESS = Resource(
    name="learning_progress",
    table="learning_progress",
    endpoint="/xe.user.learning.records.get/1.0.0",
    scope=Scope.PER_PARENT,
    parents=Parents("user_id", ("id",), due_users, budget=settings.nightly_calls),
    paging=Numbered("page"),
    size_key="page_size",
    group="data",
    list_key="goods_list",
    total_key="total",
    tells_total=False,
    largest_page=50,
    calls_per_second=100,
    quota_seconds=10,
    filters=everything,
    time=None,
    time_index="idx_learning_progress_user",
    reader=RowReader(PROGRESS_MAPPING, {"resource_type": texts("resource_type")}, key="row_key"),
    fresh_within={"incremental": timedelta(hours=30)} if _ON else {},
    more="learning",
)
