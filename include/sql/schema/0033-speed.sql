-- Dashboards of millions of orders: what is asked for by day, whichever the shop, lies together by day.
-- depends: 0032-words

-- Each of these can be repeated: it makes the key that there may already be.
ALTER TABLE mart_products_daily
    DROP PRIMARY KEY, ADD PRIMARY KEY (day, shop_id, resource_id, product_type, channel);

ALTER TABLE bi_sales_daily
    DROP PRIMARY KEY, ADD PRIMARY KEY (day, shop_id, product_type, channel);

ALTER TABLE bi_buyers_daily
    DROP PRIMARY KEY, ADD PRIMARY KEY (day, shop_id, channel);

ALTER TABLE bi_refund_ages
    DROP PRIMARY KEY, ADD PRIMARY KEY (pay_day, shop_id, product_type, channel, age_days);

ALTER TABLE bi_refund_curve
    DROP PRIMARY KEY, ADD PRIMARY KEY (pay_week, shop_id, product_type, channel, age_days);

ALTER TABLE bi_benefits_daily
    DROP PRIMARY KEY, ADD PRIMARY KEY (deadline_day, shop_id, decision, reason, product_type);

ALTER TABLE mart_promotions_daily
    DROP PRIMARY KEY, ADD PRIMARY KEY (day, shop_id, order_type, discount, coupon);

ALTER TABLE orders
    DROP KEY idx_orders_paid, ADD KEY idx_orders_paid (pay_time, shop_id, created_time),
    DROP KEY idx_orders_refunded, ADD KEY idx_orders_refunded (refund_time, shop_id);

-- MySQL knows no ADD KEY IF NOT EXISTS.
SET @add = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE orders ADD KEY idx_orders_made (created_time, shop_id, pay_time)',
            'DO 0'
        )
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND index_name = 'idx_orders_made'
);

PREPARE add_it FROM @add;

EXECUTE add_it;

SET @add = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE mart_promotions_daily ADD KEY idx_mart_promotions_daily_type (shop_id, order_type)',
            'DO 0'
        )
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND index_name = 'idx_mart_promotions_daily_type'
);

PREPARE add_it FROM @add;

EXECUTE add_it;

SET @add = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE refunds'
            ' ADD COLUMN created_day DATE GENERATED ALWAYS AS (DATE(created_at)) VIRTUAL'
            ' COMMENT ''申请日（北京时间）'' AFTER created_at,'
            ' ADD COLUMN reason_text VARCHAR(32) GENERATED ALWAYS AS (COALESCE(LEFT(TRIM(reason), 32), '''')) VIRTUAL'
            ' COMMENT ''申请原因的前 32 字；看板按它统计'' AFTER reason,'
            ' ADD KEY idx_refunds_created_day (created_day),'
            ' ADD KEY idx_refunds_reason (shop_id, reason_text, order_id, absent_since, created_day)',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'refunds' AND column_name = 'created_day'
);

PREPARE add_it FROM @add;

EXECUTE add_it;

SET @add = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE sync_windows'
            ' ADD COLUMN merged_day DATE GENERATED ALWAYS AS (DATE(merged_at + INTERVAL 8 HOUR)) VIRTUAL'
            ' COMMENT ''入库日（北京时间）'' AFTER merged_at,'
            ' ADD KEY idx_sync_windows_merged_day (merged_day)',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'sync_windows' AND column_name = 'merged_day'
);

PREPARE add_it FROM @add;

EXECUTE add_it;

SET @add = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE benefit_decision_log'
            ' ADD COLUMN decided_day DATE GENERATED ALWAYS AS (DATE(decided_at + INTERVAL 8 HOUR)) VIRTUAL'
            ' COMMENT ''变化日（北京时间）'' AFTER decided_at,'
            ' ADD KEY idx_benefit_decision_log_day (new_decision, decided_day)',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'benefit_decision_log' AND column_name = 'decided_day'
);

PREPARE add_it FROM @add;

EXECUTE add_it;

SET @add = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE mart_kpi_spans'
            ' ADD COLUMN is_current TINYINT NOT NULL DEFAULT 0'
            ' COMMENT ''1：此后该时段内没有影响付款人数的变化，付款人数可沿用''',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'mart_kpi_spans' AND column_name = 'is_current'
);

PREPARE add_it FROM @add;

EXECUTE add_it;

DEALLOCATE PREPARE add_it;

-- What the filters of dashboards offer, without reading orders.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_products AS
SELECT
    shop_id,
    resource_id,
    COALESCE(NULLIF(LEFT(name, 255), ''), resource_id) AS product_name
FROM products;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_order_types AS
SELECT DISTINCT
    shop_id,
    order_type
FROM mart_promotions_daily;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_aftersales_daily AS
SELECT
    r.shop_id,
    r.created_day AS day,
    COALESCE(r.state_text, CONCAT('未知(', r.state, ')'), '未知') AS state,
    COALESCE(r.sale_type_text, CONCAT('未知(', r.sale_type, ')'), '未知') AS sale_type,
    COUNT(*) AS aftersales,
    COALESCE(SUM(r.apply_refund_money), 0) AS apply_amount,
    COALESCE(SUM(r.refund_money), 0) AS refund_amount
FROM refunds AS r
WHERE r.created_day IS NOT NULL AND r.absent_since IS NULL
GROUP BY
    r.shop_id,
    r.created_day,
    COALESCE(r.state_text, CONCAT('未知(', r.state, ')'), '未知'),
    COALESCE(r.sale_type_text, CONCAT('未知(', r.sale_type, ')'), '未知');

-- What a customer writes may name somebody: a reason is shown when five orders or more give it.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_refund_reasons AS
SELECT
    r.shop_id,
    r.day,
    CASE
        WHEN r.reason = '' THEN '未填写'
        WHEN RIGHT(r.reason, 2) = '**' OR r.reason REGEXP '^[0-9a-f]{32}$' THEN '已按设置隐去'
        ELSE COALESCE(f.reason, '其他')
    END AS reason,
    SUM(r.aftersales) AS aftersales,
    SUM(r.done_aftersales) AS done_aftersales,
    SUM(r.apply_amount) AS apply_amount,
    SUM(r.refund_amount) AS refund_amount
FROM ( -- noqa: ST05
    SELECT
        shop_id,
        created_day AS day,
        reason_text AS reason,
        COUNT(*) AS aftersales,
        SUM(COALESCE(state IN (13, 14), 0)) AS done_aftersales,
        SUM(COALESCE(apply_refund_money, 0)) AS apply_amount,
        SUM(COALESCE(refund_money, 0)) AS refund_amount
    FROM refunds
    WHERE created_day IS NOT NULL AND absent_since IS NULL
    GROUP BY shop_id, created_day, reason_text
) AS r
LEFT JOIN ( -- noqa: ST05
    SELECT
        shop_id,
        reason_text AS reason
    FROM refunds
    WHERE created_day IS NOT NULL AND absent_since IS NULL
    GROUP BY shop_id, reason_text
    HAVING COUNT(DISTINCT order_id) >= 5
) AS f ON r.shop_id = f.shop_id AND r.reason = f.reason
GROUP BY
    r.shop_id,
    r.day,
    CASE
        WHEN r.reason = '' THEN '未填写'
        WHEN RIGHT(r.reason, 2) = '**' OR r.reason REGEXP '^[0-9a-f]{32}$' THEN '已按设置隐去'
        ELSE COALESCE(f.reason, '其他')
    END;

-- The day before of a stream: read backwards from its last day. LAG would read every day of every stream.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_live_daily AS
SELECT
    d.shop_id,
    d.day,
    d.live_id,
    LEFT(l.title, 255) AS title,
    COALESCE(l.alive_type_text, CONCAT('未知(', l.alive_type, ')'), '未知') AS live_type,
    d.view_count,
    d.reward_sum AS reward_amount,
    d.purchase_count,
    d.view_count - b.view_count AS more_views,
    d.reward_sum - b.reward_sum AS more_reward,
    d.purchase_count - b.purchase_count AS more_purchases
FROM ( -- noqa: ST05
    SELECT
        c.shop_id,
        c.live_id,
        c.day,
        c.view_count,
        c.reward_sum,
        c.purchase_count,
        (
            SELECT p.day
            FROM live_stream_days AS p
            WHERE p.shop_id = c.shop_id AND p.live_id = c.live_id AND p.day < c.day
            ORDER BY p.shop_id DESC, p.live_id DESC, p.day DESC
            LIMIT 1
        ) AS day_before
    FROM live_stream_days AS c
) AS d
LEFT JOIN live_stream_days AS b ON d.shop_id = b.shop_id AND d.live_id = b.live_id AND d.day_before = b.day
LEFT JOIN live_streams AS l ON d.shop_id = l.shop_id AND d.live_id = l.live_id;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_order_states AS
SELECT
    s.shop_id,
    t.order_state
FROM bi_shops AS s
CROSS JOIN ( -- noqa: ST05
    SELECT '未支付' AS order_state
    UNION ALL
    SELECT '支付成功' AS order_state
    UNION ALL
    SELECT '支付失败' AS order_state
    UNION ALL
    SELECT '已退款' AS order_state
    UNION ALL
    SELECT '预付款' AS order_state
    UNION ALL
    SELECT '支付处理中' AS order_state
    UNION ALL
    SELECT '超时未支付自动取消' AS order_state
    UNION ALL
    SELECT '手动取消' AS order_state
    UNION ALL
    SELECT '退款中' AS order_state
    UNION ALL
    SELECT '退款失败' AS order_state
    UNION ALL
    SELECT '退款成功' AS order_state
    UNION ALL
    SELECT '部分退款' AS order_state
) AS t;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_sync_daily AS
SELECT
    w.shop_id,
    w.merged_day AS day,
    w.resource,
    CASE w.resource
        WHEN 'orders' THEN '订单' WHEN 'refunds' THEN '售后' WHEN 'users' THEN '用户' WHEN 'products' THEN '商品'
        WHEN 'live_streams' THEN '直播' WHEN 'order_origins' THEN '变更列表' ELSE w.resource
    END AS resource_text,
    w.mode,
    CASE w.mode
        WHEN 'incremental' THEN '增量' WHEN 'history' THEN '历史' WHEN 'rescan' THEN '15 天复查'
        WHEN 'deep_rescan' THEN '90 天复查' WHEN 'late' THEN '旧单补查' WHEN 'whole' THEN '全量'
        WHEN 'csv' THEN '旧文件导入' ELSE w.mode
    END AS mode_text,
    COUNT(*) AS windows,
    SUM(w.staged) AS staged,
    SUM(w.inserted) AS inserted,
    SUM(w.updated) AS updated,
    SUM(w.unchanged) AS unchanged,
    SUM(w.rejected) AS rejected,
    SUM(w.passes > 1) AS repeated_windows
FROM sync_windows AS w
GROUP BY w.shop_id, w.merged_day, w.resource, w.mode;

-- The same rule as benefits/attention.py: granted once, revoked on the day, revoked still; what lay between does not
-- matter.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_benefits_taken_back AS
SELECT
    l.shop_id,
    l.decided_day AS day,
    COUNT(DISTINCT l.order_id) AS taken_back
FROM benefit_decision_log AS l
INNER JOIN benefit_decisions AS d ON l.shop_id = d.shop_id AND l.order_id = d.order_id
WHERE
    l.new_decision = 'revoke' AND d.decision = 'revoke'
    AND (
        SELECT p.new_decision
        FROM benefit_decision_log AS p
        WHERE
            p.shop_id = l.shop_id AND p.order_id = l.order_id AND p.id < l.id
            AND p.new_decision IN ('grant', 'revoke')
        ORDER BY p.id DESC
        LIMIT 1
    ) = 'grant'
GROUP BY l.shop_id, l.decided_day;

-- Days are over when Beijing has begun the next one; what today brings counts as reached. A month's days are a range of
-- the key for each target, and only those of the months that are asked for.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_targets AS
SELECT
    t.shop_id,
    COALESCE(s.shop_name, t.shop_id) AS shop_name,
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
    DAYOFMONTH(LAST_DAY(t.month)) AS month_days,
    t.days_over,
    ROUND(t.days_over / DAYOFMONTH(LAST_DAY(t.month)), 4) AS time_share
FROM (
    SELECT
        g.shop_id,
        g.month,
        g.metric,
        g.value AS target,
        COALESCE(
            SUM(
                CASE g.metric
                    WHEN 'paid_amount' THEN k.paid_amount WHEN 'net_amount' THEN k.net_amount
                    WHEN 'orders_paid' THEN k.orders_paid
                END
            ),
            0
        ) AS actual,
        LEAST(
            GREATEST(DATEDIFF(UTC_TIMESTAMP() + INTERVAL 8 HOUR, g.month), 0), DAYOFMONTH(LAST_DAY(g.month))
        ) AS days_over
    FROM targets AS g
    LEFT JOIN bi_sales_daily AS k ON g.shop_id = k.shop_id AND k.day BETWEEN g.month AND LAST_DAY(g.month)
    WHERE g.metric <> 'new_buyers'
    GROUP BY g.shop_id, g.month, g.metric, g.value
    UNION ALL
    SELECT
        g.shop_id,
        g.month,
        g.metric,
        g.value AS target,
        COALESCE(SUM(b.new_buyers), 0) AS actual,
        LEAST(
            GREATEST(DATEDIFF(UTC_TIMESTAMP() + INTERVAL 8 HOUR, g.month), 0), DAYOFMONTH(LAST_DAY(g.month))
        ) AS days_over
    FROM targets AS g
    LEFT JOIN bi_buyers_daily AS b ON g.shop_id = b.shop_id AND b.day BETWEEN g.month AND LAST_DAY(g.month)
    WHERE g.metric = 'new_buyers'
    GROUP BY g.shop_id, g.month, g.metric, g.value
) AS t
LEFT JOIN bi_shops AS s ON t.shop_id = s.shop_id;
