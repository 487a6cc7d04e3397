"""The cost of dashboards at some million orders: fills a separate database, computes the marts, times each chart.

    PYTHONPATH=scripts:include .venv/bin/python -m bench.marts [--size 5000000] [--keep]

Prints the time of computing the marts from scratch and after an hour of changes, and the median of each query.
docs/performance.md explains the figures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from servers.airflow import ROOT

NAME = "xiaoe_bench_marts"
SHOP = "appbench000001"
TODAY = datetime(2026, 11, 20, 12)
DAYS, PRODUCTS, STREAMS = 690, 300, 1000
CHUNK = 250_000
REPEATS = 5
FIRST = f"{TODAY - timedelta(days=DAYS):%Y-%m-%d}"
CHARTS = ROOT / "scripts" / "bench" / "marts.sql"

# Numbers that look random and are the same each time: `n` is the order, each `salt` gives another.
DICE = "(CRC32(CONCAT(n, '{salt}')) % {sides})"


def dice(salt: str, sides: int) -> str:
    """A number from 0 to `sides` - 1 that depends on the order."""
    return DICE.format(salt=salt, sides=sides)


def orders(size: int) -> str:
    """Statement that makes orders `n`: more of some products than of others, six of a hundred refunded within weeks."""
    product = f"FLOOR(POW({dice('p', 10000)} / 10000, 2) * {PRODUCTS})"
    seconds = f"FLOOR(n * {DAYS * 86400 / size}) + {dice('t', 60)}"
    coupon = f"{dice('c', 100)} < 20"
    refunded = f"{dice('r', 100)} < 6 AND {dice('u', 100)} >= 15"
    return (
        "INSERT INTO orders (shop_id, order_id, user_id, resource_type, resource_type_text, resource_id, title,"
        " quantity, price, coupon_id, coupon_name, coupon_price, order_type, order_type_text, refund_money,"
        " order_state, order_state_text, created_time, pay_time, refund_time, row_hash, raw_hash, observed_at,"
        f" batch_id) SELECT '{SHOP}', CONCAT('o_', LPAD(n, 10, '0')),"
        f" CONCAT('u_', {dice('w', max(size // 6, 1))}), 1 + {product} % 8, ELT(1 + {product} % 8, '图文', '音频',"
        f" '视频', '直播', '会员', '专栏', '圈子', '大专栏'), CONCAT('p_', {product}), CONCAT('商品 ', {product}), 1,"
        f" 9.90 + {product} % 500, IF({coupon}, 'c_1', NULL), IF({coupon}, CONCAT('优惠券 ', {dice('c', 100)}), NULL),"
        f" IF({coupon}, 5, 0), ELT(1 + {dice('k', 5)}, '2', '2', '22', '26', '2,22'),"
        f" ELT(1 + {dice('k', 5)}, '普通', '普通', '推广员', '秒杀', '普通,推广员'),"
        f" IF({refunded}, 9.90 + {product} % 500, 0), IF({dice('u', 100)} < 15, 6, IF({refunded}, 10, 1)), NULL,"
        f" '{FIRST}' + INTERVAL {seconds} SECOND,"
        f" IF({dice('u', 100)} < 15, NULL, '{FIRST}' + INTERVAL {seconds} + 30 SECOND),"
        f" IF({refunded}, '{FIRST}' + INTERVAL {seconds} + 30 + FLOOR(POW({dice('a', 1000)} / 1000, 3) * 5000000)"
        " SECOND, NULL), 1, 1, UTC_TIMESTAMP(3), 'bench' FROM bench_numbers WHERE n >= {first} AND n < {last}"
    )


OTHERS = (
    f"INSERT INTO users (shop_id, user_id, source, registered_at, row_hash, raw_hash, observed_at, batch_id)"
    f" SELECT '{SHOP}', CONCAT('u_', n), ELT(1 + {dice('s', 8)}, '微信', '微信', '微信', '小程序', 'H5', '抖音',"
    f" '视频号', NULL), '{FIRST}' + INTERVAL {dice('g', DAYS * 24)} HOUR, 1, 1, UTC_TIMESTAMP(3), 'bench'"
    " FROM bench_numbers WHERE n < {users}",
    f"INSERT INTO products (shop_id, resource_id, name, sale_status_text, row_hash, raw_hash, observed_at, batch_id)"
    f" SELECT '{SHOP}', CONCAT('p_', n), CONCAT('商品 ', n), '上架', 1, 1, UTC_TIMESTAMP(3), 'bench' FROM bench_numbers"
    f" WHERE n < {PRODUCTS}",
    "INSERT INTO refunds (shop_id, aftersale_id, order_id, state, state_text, sale_type, sale_type_text,"
    " reason, apply_refund_money, refund_money, created_at, updated_at, row_hash, raw_hash, observed_at, batch_id)"
    " SELECT shop_id, CONCAT('as_', order_id), order_id, 13, '退款完成', 1, '仅退款',"
    " CONCAT('原因 ', CRC32(order_id) % 12), refund_money, refund_money,"
    " refund_time, refund_time, 1, 1, observed_at, 'bench' FROM orders WHERE refund_time IS NOT NULL",
    "INSERT INTO benefit_decisions (shop_id, order_id, decision, decision_text, reason, deadline_at, basis, policy_id,"
    " decided_at) SELECT shop_id, order_id, @decision := IF(pay_time IS NULL, 'not_applicable', IF(refund_time <"
    " created_time + INTERVAL 14 DAY, 'revoke', IF(created_time + INTERVAL 14 DAY > '{today}', 'pending', 'grant'))),"
    " ELT(FIELD(@decision, 'not_applicable', 'revoke', 'pending', 'grant'), '不适用', '取消', '待定', '发放'), '原因',"
    " created_time + INTERVAL 14 DAY, '', 1, created_time + INTERVAL 14 DAY FROM orders",
    "INSERT INTO benefit_decision_log (shop_id, order_id, old_decision, new_decision, reason, policy_id, decided_by,"
    " decided_at) SELECT shop_id, order_id, NULL, decision, reason, 1, 'system', decided_at FROM benefit_decisions",
    f"INSERT INTO live_streams (shop_id, live_id, title, alive_type, start_at, view_count, row_hash, raw_hash,"
    f" observed_at, batch_id) SELECT '{SHOP}', CONCAT('l_', n), CONCAT('直播 ', n), 10, '{FIRST}' + INTERVAL n HOUR,"
    f" n * 100, 1, 1, UTC_TIMESTAMP(3), 'bench' FROM bench_numbers WHERE n < {STREAMS}",
    f"INSERT INTO live_stream_days (shop_id, live_id, day, view_count, reward_sum, purchase_count, observed_at)"
    f" SELECT '{SHOP}', CONCAT('l_', n % {STREAMS}), '{FIRST}' + INTERVAL n DIV {STREAMS} DAY, n, 1, 1,"
    f" UTC_TIMESTAMP(3) FROM bench_numbers WHERE n < {STREAMS} * 100",
    f"INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total, staged,"
    f" inserted, updated, unchanged, rejected, passes, batch_id, run_id, merged_at)"
    f" SELECT '{SHOP}', 'orders', 'incremental', '{FIRST}' + INTERVAL n * 10 MINUTE,"
    f" '{FIRST}' + INTERVAL n * 10 + 60 MINUTE, '{FIRST}' + INTERVAL n * 10 MINUTE, 300, 300, 50, 0, 250, 0, 1, n,"
    f" 'r', '{FIRST}' + INTERVAL n * 10 MINUTE FROM bench_numbers WHERE n < {DAYS} * 144",
    f"INSERT INTO sync_status (shop_id, resource, mode, last_attempt_at, status)"
    f" VALUES ('{SHOP}', 'orders', 'incremental', UTC_TIMESTAMP(3), 'success')",
)


def main() -> int:
    """Fill, compute, time; drop the database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=5_000_000, help="orders")
    parser.add_argument("--keep", action="store_true", help="leave the database; go on with one that is there")
    options = parser.parse_args()
    connection = _database(options.keep)
    try:
        with connection.cursor() as cursor:
            run = cursor.execute
            if not options.keep or run(f"SELECT 1 FROM {NAME}.orders LIMIT 1") == 0:
                fill(run, options.size)
            print(f"{'marts from nothing':<40}{refresh(rebuild=True):8.1f} s")
            an_hour(run)
            print(f"{'marts after an hour of changes':<40}{refresh():8.1f} s")
            for name, sql in charts().items():
                print(f"{name:<40}{median(run, sql) * 1000:8.0f} ms")
            if not options.keep:
                run(f"DROP DATABASE {NAME}")
    finally:
        connection.close()
    return 0


def _database(keep: bool) -> Any:
    """A migrated database for this script, on the private server or on the one named by the environment."""
    import MySQLdb

    command = [ROOT / "scripts" / "servers" / "database", "dsn"]
    dsn = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()  # noqa: S603
    parts = urlsplit(dsn)
    server = MySQLdb.connect(
        host=parts.hostname, port=parts.port or 3306, user=parts.username, passwd=parts.password or "",
        charset="utf8mb4", autocommit=True,
    )  # fmt: skip
    if not keep:
        server.query(f"DROP DATABASE IF EXISTS {NAME}")
    os.environ |= {
        "AIRFLOW_CONN_XIAOE_MYSQL": parts._replace(path=f"/{NAME}", query="charset=utf8mb4").geturl(),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
    from xiaoe.mysql.migrate import migrate

    migrate()
    server.select_db(NAME)
    return server


def fill(run: Callable[[str], Any], size: int) -> None:
    """Insert orders and their dependent rows without the API: a few microseconds per row."""
    began = time.perf_counter()
    run("SET SESSION cte_max_recursion_depth = 1000000")
    run("CREATE TABLE bench_numbers (n INT PRIMARY KEY)")
    run(
        "INSERT INTO bench_numbers"
        " WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 999) SELECT n FROM s"
    )
    wanted = max(size, STREAMS * 100, DAYS * 144)
    for first in range(1000, wanted, 1000 * 100):
        thousands = min(100, -(-(wanted - first) // 1000))
        run(
            f"INSERT INTO bench_numbers SELECT a.n + 1000 * (b.n + {first // 1000})"
            f" FROM bench_numbers a, bench_numbers b WHERE a.n < 1000 AND b.n < {thousands}"
        )
    statement = orders(size)
    for first in range(0, size, CHUNK):
        run(statement.replace("{first}", str(first)).replace("{last}", str(min(first + CHUNK, size))))
    for other in OTHERS:
        run(other.replace("{users}", str(max(size // 6, 1))).replace("{today}", f"{TODAY}"))
    run("ANALYZE TABLE orders, users, products, refunds, benefit_decisions, benefit_decision_log, sync_windows")
    print(f"{f'filled with {size:,} orders':<40}{time.perf_counter() - began:8.1f} s")


def refresh(*, rebuild: bool = False) -> float:
    """Refresh the marts; return seconds."""
    from xiaoe.clock import BEIJING
    from xiaoe.marts.refresh import Refresher
    from xiaoe.mysql.warehouse import Warehouse

    began = time.perf_counter()
    Refresher(Warehouse(), SHOP, now=TODAY.replace(tzinfo=BEIJING)).refresh(rebuild=rebuild)
    return time.perf_counter() - began


def an_hour(run: Callable[[str], Any]) -> None:
    """Queue the changes of an hour: every day of the last two weeks, and five months back for late refunds."""

    def queue(kind: str, day: datetime) -> None:
        run(f"INSERT INTO mart_queue (shop_id, kind, day) VALUES ('{SHOP}', '{kind}', '{day:%Y-%m-%d}')")

    for number in range(15):
        queue("buyers" if number < 2 else "sales", TODAY - timedelta(days=number))
        queue("deadline", TODAY + timedelta(days=13 - number))
    for number in range(1, 6):
        queue("sales", TODAY - timedelta(days=30 * number))
    queue("decided", TODAY)


def charts() -> dict[str, str]:
    """Name of a chart → its query."""
    _, *parts = CHARTS.read_text("utf-8").split("\n-- ")
    return {name: sql for name, _, sql in (part.partition("\n") for part in parts)}


def median(run: Callable[[str], Any], sql: str) -> float:
    """Seconds that a query takes, without the first run."""
    taken = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        run(sql)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    sys.exit(main())
