-- Targets of shops by month, and how far they are reached.
-- depends: 0021-morning

CREATE TABLE IF NOT EXISTS targets (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    month DATE NOT NULL COMMENT '月份（首日）',
    metric VARCHAR(32) NOT NULL COMMENT '指标：paid_amount 实收、net_amount 净收入、orders_paid 支付订单数、new_buyers 新客',
    value DECIMAL(24, 2) NOT NULL COMMENT '目标值；金额为元',
    updated_at DATETIME(3) NOT NULL COMMENT '导入时间（UTC）',
    PRIMARY KEY (shop_id, month, metric)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '月目标：由 make import-targets 导入';

-- Days are over when Beijing has begun the next one; what today brings counts as reached.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_targets AS
SELECT
    t.shop_id,
    t.shop_name,
    t.month,
    t.metric,
    CASE t.metric
        WHEN 'paid_amount' THEN '实收' WHEN 'net_amount' THEN '净收入' WHEN 'orders_paid' THEN '支付订单数'
        WHEN 'new_buyers' THEN '新客' ELSE t.metric
    END AS metric_text,
    t.target,
    t.actual,
    ROUND(t.actual / t.target, 4) AS attained,
    GREATEST(t.target - t.actual, 0) AS gap,
    t.month_days,
    t.days_over,
    ROUND(t.days_over / t.month_days, 4) AS time_share
FROM (
    SELECT
        g.shop_id,
        COALESCE(s.shop_name, g.shop_id) AS shop_name,
        g.month,
        g.metric,
        g.value AS target,
        COALESCE(
            CASE g.metric
                WHEN 'paid_amount' THEN k.paid_amount WHEN 'net_amount' THEN k.net_amount
                WHEN 'orders_paid' THEN k.orders_paid WHEN 'new_buyers' THEN k.new_buyers
            END,
            0
        ) AS actual,
        DAYOFMONTH(LAST_DAY(g.month)) AS month_days,
        LEAST(
            GREATEST(DATEDIFF(UTC_TIMESTAMP() + INTERVAL 8 HOUR, g.month), 0),
            DAYOFMONTH(LAST_DAY(g.month))
        ) AS days_over
    FROM targets AS g
    LEFT JOIN bi_shops AS s ON g.shop_id = s.shop_id
    LEFT JOIN (
        SELECT
            shop_id,
            day - INTERVAL DAYOFMONTH(day) - 1 DAY AS month,
            SUM(paid_amount) AS paid_amount,
            SUM(net_amount) AS net_amount,
            SUM(orders_paid) AS orders_paid,
            SUM(new_buyers) AS new_buyers
        FROM bi_kpi_daily
        GROUP BY shop_id, day - INTERVAL DAYOFMONTH(day) - 1 DAY
    ) AS k ON g.shop_id = k.shop_id AND g.month = k.month
) AS t;
