"""Two small shops whose figures are worked out by hand, in test_marts.py and test_customers.py."""

from __future__ import annotations

from datetime import datetime

from support.worlds.marts import lose, merge, merge_users, refresh, sales
from xiaoe.mysql.session import Session

NOW = datetime(2026, 8, 1, 12)
SEEN = datetime(2026, 7, 31)
A, B = "appA", "appB"

# Two shops. In A: a02 is paid 10 seconds into the next day; a03 is refunded in full, a04 in part on the same day;
# a05 is never paid; a06 waits for its refund, that of a10 failed: no refund yet, although the API tells an amount;
# a07 cost nothing; a08 is refunded months later; a09 has no user; a11 is gone from the shop's list; the API does not
# tell when a12 was refunded, nor how much of a13. Type 99 has no text. ud's source is not known, ua buys in both shops.
ORDERS = """
shop | order | buyer | product | type | created        | paid           | price  | state | refunded       | back
appA | a01   | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:01:00 | 100.00 | 1     | -              | -
appA | a02   | ua    | p1      | 视频 | 03-01 23:59:30 | 03-02 00:00:10 | 100.00 | 1     | -              | 0.00
appA | a03   | ub    | p2      | 图文 | 03-02 09:00:00 | 03-02 09:00:00 | 50.00  | 10    | 03-05 12:00:00 | 50.00
appA | a04   | uc    | p1      | 视频 | 03-02 12:00:00 | 03-02 12:05:00 | 100.00 | 11    | 03-02 20:00:00 | 30.00
appA | a05   | uc    | p2      | 图文 | 03-02 13:00:00 | -              | 50.00  | 6     | -              | -
appA | a06   | ub    | p1      | 视频 | 03-10 08:00:00 | 03-10 08:00:00 | 100.00 | 8     | -              | 100.00
appA | a07   | ua    | p3      | 视频 | 04-01 00:00:00 | 04-01 00:00:00 | 0.00   | 1     | -              | -
appA | a08   | ud    | p9      | -    | 04-02 10:00:00 | 04-02 10:01:00 | 80.00  | 10    | 07-15 00:00:00 | 80.00
appA | a09   | -     | p1      | 视频 | 04-02 11:00:00 | 04-02 11:00:00 | 20.00  | 1     | -              | -
appA | a10   | uc    | p1      | 视频 | 04-30 23:59:59 | 04-30 23:59:59 | 100.00 | 9     | 05-01 09:00:00 | 100.00
appA | a11   | ub    | p2      | 图文 | 05-01 00:00:00 | 05-01 00:00:00 | 50.00  | 1     | -              | -
appA | a12   | uc    | p2      | 图文 | 03-02 15:00:00 | 03-02 15:00:00 | 50.00  | 10    | -              | 50.00
appA | a13   | ud    | p9      | -    | 04-02 10:30:00 | 04-02 10:30:00 | 10.00  | 10    | 04-03 10:30:00 | -
appB | b01   | ua    | p1      | 视频 | 03-02 10:00:00 | 03-02 10:00:00 | 200.00 | 1     | -              | -
appB | b02   | ue    | p1      | 视频 | 03-31 23:00:00 | 04-01 00:30:00 | 200.00 | 3     | 04-01 01:00:00 | 200.00
"""
SOURCES = {"ua": "微信", "ub": "微信", "uc": " 抖音 ", "ud": ""}


def fill(session: Session) -> None:
    """Both shops, merged, and their marts as of `NOW`."""
    found = sales(ORDERS)
    for name, sources in ((A, SOURCES), (B, {"ua": "微信", "ue": "微信"})):
        merge(session, [one for one in found if one.shop_id == name], SEEN)
        merge_users(session, name, sources, SEEN)
    [gone] = [one for one in found if one.order_id == "a11"]
    lose(session, gone)
    session.insert_many(
        "INSERT INTO products (shop_id, resource_id, name, sale_status, sale_status_text, row_hash, raw_hash,"
        " observed_at, batch_id) VALUES (%s, %s, %s, 1, %s, 1, 1, %s, 'b')",
        [(A, "p1", "Python 入门", "上架", SEEN), (A, "p2", "图文专栏", None, SEEN), (B, "p1", "", "下架", SEEN)],
    )
    session.commit()
    for name in (A, B):
        refresh(name, NOW)
