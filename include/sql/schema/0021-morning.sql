-- Names of shops, the figures of a shop's day in one row, and which reports were sent.
-- depends: 0020-times

CREATE TABLE IF NOT EXISTS shops (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    name VARCHAR(64) NULL COMMENT '店铺名称：连接的 shop_name；未填为空',
    conn_id VARCHAR(250) NOT NULL DEFAULT '' COMMENT 'Airflow 连接名',
    updated_at DATETIME(3) NOT NULL COMMENT '名称或连接最近一次变化的时间（UTC）',
    PRIMARY KEY (shop_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '店铺名称：由 xiaoe_marts 取自连接';

CREATE TABLE IF NOT EXISTS report_sends (
    period VARCHAR(16) NOT NULL COMMENT '报告：day 早报、week 周报、month 月报',
    first_day DATE NOT NULL COMMENT '所报告的第一天（北京时间）',
    channel VARCHAR(16) NOT NULL COMMENT '方式：mail 邮件、chat 群消息',
    is_complete TINYINT NOT NULL COMMENT '发出时数据是否完整：0 补齐后可再发一次',
    sent_at DATETIME(3) NOT NULL COMMENT '发出时间（UTC）',
    PRIMARY KEY (period, first_day, channel)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '已发出的经营早报、周报、月报';

-- A name that two shops have is followed by the id.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_shops AS
SELECT
    shop_id,
    CASE
        WHEN name IS NULL THEN shop_id
        WHEN COUNT(*) OVER (PARTITION BY name) > 1 THEN CONCAT(name, '（', shop_id, '）')
        ELSE name
    END AS shop_name
FROM shops;

-- A buyer has one channel (users.source), so the buyers of a day's channels add up to those of the shop.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_kpi_daily AS
SELECT
    d.shop_id,
    COALESCE(s.shop_name, d.shop_id) AS shop_name,
    d.day,
    d.is_covered,
    d.orders_paid,
    d.paid_amount,
    d.orders_without_amount,
    d.refund_orders,
    d.refund_amount,
    d.refunds_without_amount,
    d.paid_amount - d.refund_amount AS net_amount,
    d.buyers,
    d.buyers_amount,
    d.new_buyers,
    ROUND(d.buyers_amount / NULLIF(d.buyers, 0), 2) AS amount_per_buyer,
    ROUND(d.paid_amount / NULLIF(d.orders_paid, 0), 2) AS amount_per_order
FROM (
    SELECT
        f.shop_id,
        f.day,
        MAX(f.is_covered) AS is_covered,
        SUM(f.orders_paid) AS orders_paid,
        SUM(f.paid_amount) AS paid_amount,
        SUM(f.orders_without_amount) AS orders_without_amount,
        SUM(f.refund_orders) AS refund_orders,
        SUM(f.refund_amount) AS refund_amount,
        SUM(f.refunds_without_amount) AS refunds_without_amount,
        SUM(f.buyers) AS buyers,
        SUM(f.buyers_amount) AS buyers_amount,
        SUM(f.new_buyers) AS new_buyers
    FROM (
        SELECT
            shop_id,
            day,
            0 AS is_covered,
            orders_paid,
            paid_amount,
            orders_without_amount,
            refund_orders,
            refund_amount,
            refunds_without_amount,
            0 AS buyers,
            0 AS buyers_amount,
            0 AS new_buyers
        FROM bi_sales_daily
        UNION ALL
        SELECT
            shop_id,
            day,
            0 AS is_covered,
            0 AS orders_paid,
            0 AS paid_amount,
            0 AS orders_without_amount,
            0 AS refund_orders,
            0 AS refund_amount,
            0 AS refunds_without_amount,
            buyers,
            paid_amount AS buyers_amount,
            new_buyers
        FROM bi_buyers_daily
        UNION ALL
        SELECT
            shop_id,
            day,
            is_covered,
            0 AS orders_paid,
            0 AS paid_amount,
            0 AS orders_without_amount,
            0 AS refund_orders,
            0 AS refund_amount,
            0 AS refunds_without_amount,
            0 AS buyers,
            0 AS buyers_amount,
            0 AS new_buyers
        FROM bi_sync_coverage
    ) AS f
    GROUP BY f.shop_id, f.day
) AS d
LEFT JOIN bi_shops AS s ON d.shop_id = s.shop_id;
