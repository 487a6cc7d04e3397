"""Two shops over a day, a week and a month that are over, small enough to work every figure out by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from support.worlds.marts import merge, sales
from xiaoe.clock import BEIJING, midnight
from xiaoe.mysql.session import Session

A, B = "appA", "appB"
NOW = datetime(2026, 6, 1, 8, 30, tzinfo=BEIJING)
"""A Monday, and the first of a month: a day, a week and a month are over."""
SEEN = datetime(2026, 6, 1)
"""08:00 in Beijing, as the ledger has it."""

# Sunday, May 31st, in A: a1 and a2 are of one buyer, who is not new; ud is; nobody bought a9. uc's money went back on
# that day. a8 is of this morning. ua also bought on Friday, so the week's buyers are fewer than its days'.
ORDERS = """
shop | order | buyer | product | type | created        | paid           | price   | state | refunded       | back
appA | a1    | ua    | p1      | 视频 | 05-31 09:00:00 | 05-31 09:00:00 | 100.00  | 1     | -              | -
appA | a2    | ua    | p2      | 图文 | 05-31 10:00:00 | 05-31 10:00:00 | 50.00   | 1     | -              | -
appA | a3    | ub    | p1      | 视频 | 05-31 11:00:00 | 05-31 11:00:00 | 30.00   | 1     | -              | -
appA | a4    | ub    | p1      | 视频 | 05-24 10:00:00 | 05-24 10:00:00 | 120.00  | 1     | -              | -
appA | a5    | uc    | p1      | 视频 | 05-30 10:00:00 | 05-30 10:00:00 | 90.00   | 10    | 05-31 12:00:00 | 90.00
appA | a6    | ua    | p1      | 视频 | 04-15 10:00:00 | 04-15 10:00:00 | 200.00  | 1     | -              | -
appA | a7    | ud    | p1      | 视频 | 05-31 12:00:00 | 05-31 12:00:00 | 20.00   | 1     | -              | -
appA | a8    | uc    | p1      | 视频 | 06-01 07:00:00 | 06-01 07:00:00 | 40.00   | 1     | -              | -
appA | a9    | -     | p1      | 视频 | 05-31 13:00:00 | 05-31 13:00:00 | 10.00   | 1     | -              | -
appA | a10   | ua    | p1      | 视频 | 05-29 10:00:00 | 05-29 10:00:00 | 60.00   | 1     | -              | -
appB | b1    | ue    | p1      | 视频 | 05-31 10:00:00 | 05-31 10:00:00 | 1000.00 | 1     | -              | -
appB | b2    | ue    | p1      | 视频 | 05-30 10:00:00 | 05-30 10:00:00 | 1000.00 | 1     | -              | -
"""


def fill(session: Session) -> None:
    """Both shops, every day of April and May read after it was over, and today up to eight."""
    found = sales(ORDERS)
    for shop_id in (A, B):
        merge(session, [one for one in found if one.shop_id == shop_id], SEEN)
        read(session, shop_id, midnight(date(2026, 4, 1)), NOW - timedelta(minutes=30), SEEN)
    session.commit()


def read(session: Session, shop_id: str, begin: datetime, end: datetime, seen: datetime) -> None:
    """A window in the ledger, and the watermark at its end; `seen` is UTC, naive."""
    session.execute(
        "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, run_id, batch_id, api_total,"
        " staged, inserted, updated, unchanged, rejected, passes, observed_at, merged_at)"
        " VALUES (%s, 'orders', 'rescan', %s, %s, 'r', %s, 0, 0, 0, 0, 0, 0, 1, %s, %s)",
        (shop_id, begin.replace(tzinfo=None), end.replace(tzinfo=None), f"{shop_id}-{seen:%m%d%H%M}", seen, seen),
    )
    session.execute(
        "REPLACE INTO sync_status (shop_id, resource, mode, watermark, last_success_at, last_attempt_at, status)"
        " VALUES (%s, 'orders', 'incremental', %s, %s, %s, 'success')",
        (shop_id, end.replace(tzinfo=None) + timedelta(seconds=30), seen, seen),
    )
    session.commit()
