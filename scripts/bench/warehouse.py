"""A warehouse of any number of orders, made by the server itself and not through the API.

Two shops over two years up to now, with lines, users, products, after-sales, decisions and their log, live streams,
windows and targets. Numbers look random and are the same each time; many more orders belong to some products than to
others, users buy mostly soon after they registered, six orders of a hundred are refunded within weeks.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from MySQLdb.cursors import Cursor

from xiaoe.clock import BEIJING

DAYS = 730
SHOPS = {"appbench000001": 0.7, "appbench000002": 0.3}
"""Shop → its share of the orders."""
ORDERS_PER_USER = 6
TYPES = "'图文', '音频', '视频', '直播', '会员', '专栏', '圈子', '大专栏'"
PRODUCTS, STREAMS, STREAM_DAYS = 300, 1_000, 100
LARGE = ("orders", "users", "refunds", "order_state_log", "benefit_decisions", "benefit_decision_log")
"""Tables that are filled without their secondary keys."""
CHUNK = 250_000
"""Orders per statement."""


def dice(salt: str, sides: int) -> str:
    """A number from 0 to `sides` - 1 that depends on `n`; each salt gives another."""
    return f"(CRC32(CONCAT(n, '{salt}')) % {sides})"


def fill(cursor: Cursor, size: int, now: datetime) -> None:
    """Fill the empty tables of a migrated database.

    Args:
        cursor: Of a connection to it that commits each statement.
        size: Orders of both shops together.
        now: The time up to which there are orders, with an offset.
    """
    run = cursor.execute
    run("CREATE TEMPORARY TABLE bench_digits (n INT PRIMARY KEY)")
    run("CREATE TEMPORARY TABLE bench_thousands (n INT PRIMARY KEY)")
    for table in ("bench_digits", "bench_thousands"):
        run(
            f"INSERT INTO {table} WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 999)"
            " SELECT n FROM s"
        )
    end = now.astimezone(BEIJING).replace(tzinfo=None, microsecond=0)
    first = end - timedelta(days=DAYS)
    run("SET SESSION foreign_key_checks = 0")  # lines are made from their orders
    keys = {table: _keys(cursor, table) for table in LARGE}
    for table, held in keys.items():
        run(f"ALTER TABLE {table} {', '.join(f'DROP KEY {key}' for key in held)}")
    for shop, share in SHOPS.items():
        count = int(size * share)
        for start in range(0, count, CHUNK):
            numbers = _numbers(start, min(start + CHUNK, count))
            for statement in _orders(shop, count, numbers, first, end):
                run(statement)
        for statement in _others(shop, count, first, end):
            run(statement)
    for table, held in keys.items():  # built at once from sorted rows
        run(f"ALTER TABLE {table} {', '.join(f'ADD KEY {key} ({columns})' for key, columns in held.items())}")
    run(f"ANALYZE TABLE {', '.join([*LARGE, 'order_items', 'products', 'live_stream_days', 'sync_windows'])}")


def _keys(cursor: Cursor, table: str) -> dict[str, str]:
    """Name → columns of a table's secondary keys that do not have to be unique."""
    cursor.execute(
        "SELECT index_name, GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', ')"
        f" FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = '{table}'"
        " AND non_unique = 1 GROUP BY index_name"
    )
    return dict(cursor.fetchall())


def _numbers(first: int, end: int) -> str:
    """A derived table of the numbers from `first` up to `end`, excluded, in their order; at most a million."""
    return (
        f"(SELECT {first} + t.n * 1000 + d.n AS n FROM bench_thousands AS t STRAIGHT_JOIN bench_digits AS d"
        f" WHERE t.n <= {(end - first) // 1000} AND t.n * 1000 + d.n < {end - first}) AS numbers"
    )


def _orders(shop: str, count: int, numbers: str, first: datetime, end: datetime) -> list[str]:
    """Statements that make the orders `n` of a shop, and what hangs on each."""
    product = f"FLOOR(POW({dice('p', 10000)} / 10000, 2) * {PRODUCTS})"
    user = f"FLOOR(n / {ORDERS_PER_USER} * (1 - POW({dice('w', 100_000)} / 100000, 3)))"
    made = f"'{first}' + INTERVAL FLOOR(n * {DAYS * 86400 / count}) SECOND"
    back = f"{made} + INTERVAL 30 + FLOOR(POW({dice('a', 1000)} / 1000, 3) * 5000000) SECOND"
    is_paid = f"{dice('u', 100)} >= 15"
    refunded = f"{is_paid} AND {dice('r', 100)} < 6 AND {back} < '{end}'"
    price = f"IF({product} % 17 = 0, 0, 9.90 + {product} % 500)"
    coupon = f"{dice('c', 100)} < 20"
    columns = {
        "order_id": "CONCAT('o_', LPAD(n, 10, '0'))",
        "user_id": f"CONCAT('u_', LPAD({user}, 10, '0'))",
        "resource_type": f"1 + {product} % 8",
        "resource_type_text": f"ELT(1 + {product} % 8, {TYPES})",
        "resource_id": f"CONCAT('p_', {product})",
        "title": f"CONCAT('商品 ', {product})",
        "quantity": "1",
        "price": price,
        "coupon_id": f"IF({coupon}, 'c_1', NULL)",
        "coupon_name": f"IF({coupon}, CONCAT('优惠券 ', {dice('c', 100)}), NULL)",
        "coupon_price": f"IF({coupon}, 5, 0)",
        "discount_price": f"IF({coupon}, 5, IF({dice('d', 10)} = 0, 3, 0))",
        "client_type": f"IF({dice('i', 100)} = 0, 10, 1)",
        "order_type": f"ELT(1 + {dice('k', 5)}, '2', '2', '22', '26', '2,22')",
        "order_type_text": f"ELT(1 + {dice('k', 5)}, '普通', '普通', '推广员', '秒杀', '普通,推广员')",
        "refund_money": f"IF({refunded}, IF({dice('h', 5)} = 0, ROUND({price} / 2, 2), {price}), 0)",
        "order_state": f"IF({is_paid}, IF({refunded} AND {dice('h', 5)} > 0, 10, 1), 6)",
        "order_state_text": f"IF({is_paid}, IF({refunded} AND {dice('h', 5)} > 0, '已退款', '已支付'), '已过期')",
        "transaction_id": "CONCAT('42000', LPAD(CRC32(n), 20, '0'))",
        "system_info": "'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) MicroMessenger/8.0.49'",
        "created_time": made,
        "pay_time": f"IF({is_paid}, {made} + INTERVAL 30 SECOND, NULL)",
        "refund_time": f"IF({refunded}, {back}, NULL)",
    }
    stamp = {"row_hash": "1", "raw_hash": "1", "observed_at": "UTC_TIMESTAMP(3)", "batch_id": "'bench'"}
    chosen = columns | stamp
    return [
        f"INSERT INTO orders (shop_id, {', '.join(chosen)}) SELECT '{shop}', {', '.join(chosen.values())}"
        f" FROM {numbers}"
    ]


def _others(shop: str, count: int, first: datetime, end: datetime) -> list[str]:
    """Statements for all that is not an order, once the orders of the shop are there."""
    users = count // ORDERS_PER_USER + 1
    of_shop = f"shop_id = '{shop}'"
    stamp, values = "row_hash, raw_hash, observed_at, batch_id", "1, 1, UTC_TIMESTAMP(3), 'bench'"
    source = f"ELT(1 + {dice('s', 8)}, '微信', '微信', '微信', '小程序', 'H5', '抖音', '视频号', NULL)"
    deadline = "o.created_time + INTERVAL 14 DAY"
    decision = (
        f"CASE WHEN o.pay_time IS NULL THEN 'not_applicable' WHEN o.refund_time < {deadline} THEN 'revoke'"
        f" WHEN {deadline} > '{end}' THEN 'pending' ELSE 'grant' END"
    )
    registered = f"'{first}' + INTERVAL FLOOR(n * {ORDERS_PER_USER * DAYS * 86400 / count}) SECOND"
    reason = "CONCAT('原因 ', CRC32(order_id) % 12)"
    year_ago = end - timedelta(days=365)
    return [
        *(
            f"INSERT INTO users (shop_id, user_id, source, registered_at, {stamp}) SELECT '{shop}',"
            f" CONCAT('u_', LPAD(n, 10, '0')), {source}, {registered}, {values}"
            f" FROM {_numbers(start, min(start + CHUNK, users))}"
            for start in range(0, users, CHUNK)
        ),
        f"INSERT INTO products (shop_id, resource_id, name, sale_status_text, {stamp}) SELECT '{shop}',"
        f" CONCAT('p_', n), CONCAT('商品 ', n), '上架', {values} FROM {_numbers(0, PRODUCTS)}",
        "INSERT INTO order_items (shop_id, order_id, line_no, resource_type, resource_id, title, quantity, amount)"
        f" SELECT shop_id, order_id, 1, resource_type, resource_id, title, quantity, price FROM orders WHERE {of_shop}",
        "INSERT INTO order_state_log (shop_id, order_id, field, old_value, new_value, observed_at, batch_id)"
        " SELECT shop_id, order_id, 'refund_time', NULL, refund_time, refund_time, 'bench' FROM orders"
        f" WHERE {of_shop} AND refund_time IS NOT NULL",
        "INSERT INTO refunds (shop_id, aftersale_id, order_id, state, state_text, sale_type, sale_type_text, reason,"
        f" apply_refund_money, refund_money, created_at, updated_at, {stamp}) SELECT shop_id,"
        f" CONCAT('as_', order_id), order_id, 13, '退款完成', 1, '仅退款', {reason}, refund_money, refund_money,"
        f" refund_time, refund_time, {values} FROM orders WHERE {of_shop} AND refund_time IS NOT NULL",
        "INSERT INTO benefit_decisions (shop_id, order_id, decision, decision_text, reason, deadline_at, basis,"
        f" policy_id, decided_at) SELECT d.shop_id, d.order_id, d.decision, ELT(FIELD(d.decision, 'not_applicable',"
        " 'revoke', 'pending', 'grant'), '不适用', '取消', '待定', '发放'), '原因', d.deadline_at, '', 1,"
        f" LEAST(d.deadline_at, '{end}') - INTERVAL 8 HOUR FROM (SELECT o.shop_id, o.order_id,"
        f" {decision} AS decision, {deadline} AS deadline_at FROM orders AS o WHERE o.{of_shop}) AS d",
        # Of the last year every change was seen; what is older was loaded as history, and decided on once.
        "INSERT INTO benefit_decision_log (shop_id, order_id, old_decision, new_decision, reason, policy_id,"
        " decided_by, decided_at) SELECT shop_id, order_id, NULL, IF(deadline_at >= '{year_ago}' AND decision IN"
        " ('grant', 'revoke'), 'pending', decision), reason, 1, 'system', deadline_at - INTERVAL 14 * 24 + 8 HOUR"
        f" FROM benefit_decisions WHERE {of_shop}".replace("{year_ago}", f"{year_ago}"),
        "INSERT INTO benefit_decision_log (shop_id, order_id, old_decision, new_decision, reason, policy_id,"
        " decided_by, decided_at) SELECT shop_id, order_id, 'pending', decision, reason, 1, 'system', decided_at"
        f" FROM benefit_decisions WHERE {of_shop} AND deadline_at >= '{year_ago}' AND decision IN ('grant', 'revoke')",
        "INSERT INTO live_streams (shop_id, live_id, title, alive_type, start_at, view_count, reward_sum,"
        f" purchase_count, {stamp}) SELECT '{shop}', CONCAT('l_', n), CONCAT('直播 ', n), 10,"
        f" '{first}' + INTERVAL FLOOR(n * {DAYS * 24 / STREAMS}) HOUR, n * 100, n, n % 7, {values}"
        f" FROM {_numbers(0, STREAMS)}",
        "INSERT INTO live_stream_days (shop_id, live_id, day, view_count, reward_sum, purchase_count, observed_at)"
        f" SELECT '{shop}', CONCAT('l_', n % {STREAMS}), DATE('{first}' + INTERVAL FLOOR(n % {STREAMS} *"
        f" {DAYS * 24 / STREAMS}) HOUR) + INTERVAL n DIV {STREAMS} DAY, n, n DIV 10, 1, UTC_TIMESTAMP(3)"
        f" FROM {_numbers(0, STREAMS * STREAM_DAYS)}",
        "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total, staged,"
        f" inserted, updated, unchanged, rejected, passes, batch_id, run_id, merged_at) SELECT '{shop}', 'orders',"
        f" 'incremental', '{first}' + INTERVAL n * 10 - 60 MINUTE, '{first}' + INTERVAL n * 10 MINUTE,"
        f" '{first}' + INTERVAL n * 10 - 480 MINUTE, 300, 300, 50, 0, 250, 0, 1, n, 'r',"
        f" '{first}' + INTERVAL n * 10 - 480 MINUTE FROM {_numbers(0, DAYS * 144)}",
        "INSERT INTO sync_status (shop_id, resource, mode, watermark, last_success_at, last_attempt_at, status) VALUES"
        f" ('{shop}', 'orders', 'incremental', '{end}', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 'success')",
        f"INSERT INTO shops (shop_id, name, updated_at) VALUES ('{shop}', '店铺 {shop[-1]}', UTC_TIMESTAMP(3))",
        *(
            f"INSERT INTO targets (shop_id, month, metric, value, updated_at) SELECT '{shop}', '{first:%Y-%m-01}' +"
            f" INTERVAL n MONTH, '{metric}', 100000, UTC_TIMESTAMP(3) FROM {_numbers(0, 25)}"
            for metric in ("paid_amount", "net_amount", "orders_paid", "new_buyers")
        ),
    ]
