-- What dashboards read (docs/bi.md), and what keeps it up to date.
-- depends: 0004-benefits

-- Money by day of payment and by day of refund is looked up by these. MySQL knows no ADD KEY IF NOT EXISTS.
SET @add_keys = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE orders ADD KEY idx_orders_paid (shop_id, pay_time),'
            ' ADD KEY idx_orders_refunded (shop_id, refund_time)',
            'DO 0'
        )
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'orders' AND index_name = 'idx_orders_paid'
);

PREPARE add_keys FROM @add_keys;

EXECUTE add_keys;

DEALLOCATE PREPARE add_keys;

CREATE TABLE IF NOT EXISTS mart_queue (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    kind VARCHAR(16) NOT NULL
    COMMENT '需重算的内容：sales 销售、buyers 销售与用户、user 某用户的订单日、month 留存月、week 退款曲线周、deadline 福利截止日、decided 福利判定日',
    day DATE NULL COMMENT '需重算的日期（北京时间）；月、周为其首日；user 为空',
    user_id VARCHAR(128) NULL COMMENT 'user：来源有变化的用户ID',
    PRIMARY KEY (id),
    KEY idx_mart_queue_kind (shop_id, kind, day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '报表待重算的日期：与数据变化同一事务写入';

CREATE TABLE IF NOT EXISTS buyer_firsts (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    user_id VARCHAR(128) NOT NULL COMMENT '用户ID',
    first_day DATE NOT NULL COMMENT '首次支付日期（北京时间）',
    PRIMARY KEY (shop_id, user_id),
    KEY idx_buyer_firsts_day (shop_id, first_day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '用户首次支付日期（报表用，仪表板不可读）';

CREATE TABLE IF NOT EXISTS mart_products_daily (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '日期（北京时间）',
    resource_id VARCHAR(128) NOT NULL COMMENT '商品ID；订单未给出时为空串',
    product_type VARCHAR(48) NOT NULL COMMENT '商品类型',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    orders_created INT NOT NULL COMMENT '下单数',
    orders_paid INT NOT NULL COMMENT '支付订单数',
    quantity_paid INT NOT NULL COMMENT '支付件数',
    paid_amount DECIMAL(18, 2) NOT NULL COMMENT '实收金额（元）',
    refund_orders INT NOT NULL COMMENT '退款订单数（按退款日）',
    full_refund_orders INT NOT NULL COMMENT '全额退款订单数（按退款日）',
    refund_amount DECIMAL(18, 2) NOT NULL COMMENT '退款金额（按退款日，元）',
    refund_orders_by_pay_day INT NOT NULL COMMENT '退款订单数（按支付日）',
    refund_amount_by_pay_day DECIMAL(18, 2) NOT NULL COMMENT '退款金额（按支付日，元）',
    PRIMARY KEY (shop_id, day, resource_id, product_type, channel)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '每日商品销售汇总；看板读视图 bi_products_daily';

CREATE TABLE IF NOT EXISTS bi_sales_daily (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '日期（北京时间）',
    product_type VARCHAR(48) NOT NULL COMMENT '商品类型',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    orders_created INT NOT NULL COMMENT '下单数',
    orders_paid INT NOT NULL COMMENT '支付订单数',
    quantity_paid INT NOT NULL COMMENT '支付件数',
    paid_amount DECIMAL(18, 2) NOT NULL COMMENT '实收金额（元）',
    refund_orders INT NOT NULL COMMENT '退款订单数（按退款日）',
    full_refund_orders INT NOT NULL COMMENT '全额退款订单数（按退款日）',
    refund_amount DECIMAL(18, 2) NOT NULL COMMENT '退款金额（按退款日，元）',
    refund_orders_by_pay_day INT NOT NULL COMMENT '退款订单数（按支付日）',
    refund_amount_by_pay_day DECIMAL(18, 2) NOT NULL COMMENT '退款金额（按支付日，元）',
    net_amount DECIMAL(19, 2) GENERATED ALWAYS AS (paid_amount - refund_amount) VIRTUAL COMMENT '净收入（按退款日，元）',
    net_amount_by_pay_day DECIMAL(19, 2) GENERATED ALWAYS AS (paid_amount - refund_amount_by_pay_day) VIRTUAL
    COMMENT '净收入（按支付日，元）',
    PRIMARY KEY (shop_id, day, product_type, channel),
    KEY idx_bi_sales_daily_day (day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '每日销售';

CREATE TABLE IF NOT EXISTS bi_buyers_daily (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '支付日期（北京时间）',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    buyers INT NOT NULL COMMENT '付款用户数',
    new_buyers INT NOT NULL COMMENT '新客数',
    returning_buyers INT NOT NULL COMMENT '老客数',
    paid_amount DECIMAL(18, 2) NOT NULL COMMENT '实收金额（元）',
    new_amount DECIMAL(18, 2) NOT NULL COMMENT '新客实收（元）',
    returning_amount DECIMAL(18, 2) NOT NULL COMMENT '老客实收（元）',
    PRIMARY KEY (shop_id, day, channel)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '每日付款用户';

CREATE TABLE IF NOT EXISTS mart_cohorts (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    active_month DATE NOT NULL COMMENT '购买月（首日）',
    cohort_month DATE NOT NULL COMMENT '首购月（首日）',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    buyers INT NOT NULL COMMENT '付款用户数',
    repeat_buyers INT NOT NULL COMMENT '当月支付两单及以上的用户数',
    orders_paid INT NOT NULL COMMENT '支付订单数',
    paid_amount DECIMAL(18, 2) NOT NULL COMMENT '实收金额（元）',
    PRIMARY KEY (shop_id, active_month, cohort_month, channel)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '首购月用户的逐月购买；看板读视图 bi_cohorts';

CREATE TABLE IF NOT EXISTS bi_refund_ages (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    pay_day DATE NOT NULL COMMENT '支付日期（北京时间）',
    product_type VARCHAR(48) NOT NULL COMMENT '商品类型',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    age_days INT NOT NULL COMMENT '退款间隔（天，按自然日）',
    refund_orders INT NOT NULL COMMENT '退款订单数',
    refund_amount DECIMAL(18, 2) NOT NULL COMMENT '退款金额（元）',
    PRIMARY KEY (shop_id, pay_day, product_type, channel, age_days)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '退款间隔分布';

CREATE TABLE IF NOT EXISTS bi_refund_curve (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    pay_week DATE NOT NULL COMMENT '支付周（周一）',
    product_type VARCHAR(48) NOT NULL COMMENT '商品类型',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    age_days INT NOT NULL COMMENT '支付后天数（0 至 60）',
    paid_orders INT NOT NULL COMMENT '支付订单数（已满该天数）',
    refund_orders INT NOT NULL COMMENT '累计退款订单数',
    paid_amount DECIMAL(18, 2) NOT NULL COMMENT '实收金额（已满该天数，元）',
    refund_amount DECIMAL(18, 2) NOT NULL COMMENT '累计退款金额（元）',
    as_of DATE NOT NULL COMMENT '截至日期（北京时间）',
    PRIMARY KEY (shop_id, pay_week, product_type, channel, age_days)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '累计退款率曲线';

CREATE TABLE IF NOT EXISTS bi_benefits_daily (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    deadline_day DATE NOT NULL COMMENT '福利截止日（北京时间）',
    decision VARCHAR(16) NOT NULL COMMENT '判定代码',
    decision_text VARCHAR(16) NOT NULL COMMENT '判定',
    reason VARCHAR(64) NOT NULL COMMENT '判定原因',
    product_type VARCHAR(48) NOT NULL COMMENT '商品类型',
    orders INT NOT NULL COMMENT '订单数',
    order_amount DECIMAL(18, 2) NOT NULL COMMENT '订单金额（元）',
    PRIMARY KEY (shop_id, deadline_day, decision, reason, product_type)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '福利判定（按截止日）';

CREATE TABLE IF NOT EXISTS bi_benefit_changes_daily (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '判定日（北京时间）',
    old_decision VARCHAR(16) NOT NULL COMMENT '原判定代码；首次判定为空串',
    old_text VARCHAR(16) NOT NULL COMMENT '原判定',
    new_decision VARCHAR(16) NOT NULL COMMENT '新判定代码',
    new_text VARCHAR(16) NOT NULL COMMENT '新判定',
    changes INT NOT NULL COMMENT '变化次数',
    PRIMARY KEY (shop_id, day, old_decision, new_decision)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '每日判定变化';

CREATE TABLE IF NOT EXISTS bi_sync_coverage (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '下单日（北京时间）',
    is_covered TINYINT NOT NULL COMMENT '1：整日都在已入库的订单窗口内',
    looked_at DATETIME NULL COMMENT '最近核对时间（北京时间）；未覆盖为空',
    PRIMARY KEY (shop_id, day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '订单覆盖';

-- Views run with the rights of who made them: the reader needs none on what they read.

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_products_daily AS
SELECT
    m.shop_id,
    m.day,
    m.resource_id,
    COALESCE(NULLIF(LEFT(p.name, 255), ''), m.resource_id) AS product_name,
    m.product_type,
    COALESCE(p.sale_status_text, '未知') AS sale_status,
    m.channel,
    m.orders_created,
    m.orders_paid,
    m.quantity_paid,
    m.paid_amount,
    m.refund_orders,
    m.full_refund_orders,
    m.refund_amount,
    m.refund_orders_by_pay_day,
    m.refund_amount_by_pay_day,
    m.paid_amount - m.refund_amount AS net_amount,
    m.paid_amount - m.refund_amount_by_pay_day AS net_amount_by_pay_day
FROM mart_products_daily AS m
LEFT JOIN products AS p ON m.shop_id = p.shop_id AND m.resource_id = p.resource_id;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_cohorts AS
SELECT
    c.shop_id,
    c.channel,
    c.cohort_month,
    m.active_month,
    TIMESTAMPDIFF(MONTH, c.cohort_month, m.active_month) AS month_offset,
    c.buyers AS cohort_buyers,
    COALESCE(a.buyers, 0) AS buyers,
    COALESCE(a.repeat_buyers, 0) AS repeat_buyers,
    COALESCE(a.orders_paid, 0) AS orders_paid,
    COALESCE(a.paid_amount, 0) AS paid_amount
FROM mart_cohorts AS c
-- Months in which anybody of the shop bought.
INNER JOIN (SELECT DISTINCT shop_id, active_month FROM mart_cohorts) AS m -- noqa: ST05, LT09
    ON c.shop_id = m.shop_id AND c.cohort_month <= m.active_month
LEFT JOIN mart_cohorts AS a
    ON
        c.shop_id = a.shop_id AND m.active_month = a.active_month
        AND c.cohort_month = a.cohort_month AND c.channel = a.channel
WHERE c.active_month = c.cohort_month;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_aftersales_daily AS
SELECT
    r.shop_id,
    DATE(r.created_at) AS day,
    COALESCE(r.state_text, CONCAT('未知(', r.state, ')'), '未知') AS state,
    COALESCE(r.sale_type_text, CONCAT('未知(', r.sale_type, ')'), '未知') AS sale_type,
    COUNT(*) AS aftersales,
    COALESCE(SUM(r.apply_refund_money), 0) AS apply_amount,
    COALESCE(SUM(r.refund_money), 0) AS refund_amount
FROM refunds AS r
WHERE r.created_at IS NOT NULL AND r.absent_since IS NULL
GROUP BY
    r.shop_id,
    DATE(r.created_at),
    COALESCE(r.state_text, CONCAT('未知(', r.state, ')'), '未知'),
    COALESCE(r.sale_type_text, CONCAT('未知(', r.sale_type, ')'), '未知');

-- One count each: so every one of them is a range of the index, which begins with the shop.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_benefits_now AS
SELECT
    s.shop_id,
    (
        SELECT COUNT(*)
        FROM benefit_decisions AS d
        WHERE
            d.shop_id = s.shop_id AND d.decision = 'pending'
    ) AS pending_orders,
    (
        SELECT COUNT(*)
        FROM benefit_decisions AS d
        WHERE
            d.shop_id = s.shop_id AND d.decision = 'pending' AND d.deadline_at < UTC_TIMESTAMP() + INTERVAL 8 HOUR
    ) AS waiting_orders,
    (
        SELECT COALESCE(TIMESTAMPDIFF(HOUR, MIN(d.deadline_at), UTC_TIMESTAMP() + INTERVAL 8 HOUR), 0)
        FROM benefit_decisions AS d
        WHERE
            d.shop_id = s.shop_id AND d.decision = 'pending' AND d.deadline_at < UTC_TIMESTAMP() + INTERVAL 8 HOUR
    ) AS longest_wait_hours,
    (
        SELECT COUNT(*)
        FROM benefit_decisions AS d
        WHERE
            d.shop_id = s.shop_id AND d.decision = 'pending' AND d.deadline_at >= UTC_TIMESTAMP() + INTERVAL 8 HOUR
            AND d.deadline_at < UTC_TIMESTAMP() + INTERVAL 32 HOUR
    ) AS due_24h_orders,
    (
        SELECT COUNT(*)
        FROM benefit_decisions AS d
        WHERE
            d.shop_id = s.shop_id AND d.decision = 'pending' AND d.deadline_at >= UTC_TIMESTAMP() + INTERVAL 8 HOUR
            AND d.deadline_at < UTC_TIMESTAMP() + INTERVAL 176 HOUR
    ) AS due_7d_orders,
    (
        SELECT COUNT(*)
        FROM benefit_decisions AS d
        WHERE
            d.shop_id = s.shop_id AND d.decision = 'review'
    ) AS review_orders
FROM sync_status AS s
GROUP BY s.shop_id;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_benefit_reviews AS
SELECT
    v.shop_id,
    DATE(v.answered_at + INTERVAL 8 HOUR) AS day,
    v.answer,
    CASE v.answer WHEN 'grant' THEN '发放' WHEN 'revoke' THEN '取消' ELSE v.answer END AS answer_text,
    COUNT(*) AS answers
FROM benefit_reviews AS v
GROUP BY v.shop_id, DATE(v.answered_at + INTERVAL 8 HOUR), v.answer;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_live_streams AS
SELECT
    l.shop_id,
    l.live_id,
    LEFT(l.title, 255) AS title,
    COALESCE(l.alive_type_text, CONCAT('未知(', l.alive_type, ')'), '未知') AS live_type,
    COALESCE(l.alive_state_text, CONCAT('未知(', l.alive_state, ')'), '未知') AS live_state,
    l.start_at,
    DATE(l.start_at) AS start_day,
    l.view_count,
    l.reward_sum AS reward_amount,
    l.purchase_count
FROM live_streams AS l
WHERE l.absent_since IS NULL;

-- One LAG and a look-up: three of them take twice as long.
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
        shop_id,
        live_id,
        day,
        view_count,
        reward_sum,
        purchase_count,
        LAG(day) OVER (PARTITION BY shop_id, live_id ORDER BY day) AS day_before
    FROM live_stream_days
) AS d
LEFT JOIN live_stream_days AS b ON d.shop_id = b.shop_id AND d.live_id = b.live_id AND d.day_before = b.day
LEFT JOIN live_streams AS l ON d.shop_id = l.shop_id AND d.live_id = l.live_id;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_sync_status AS
SELECT
    s.shop_id,
    s.resource,
    CASE s.resource
        WHEN 'orders' THEN '订单' WHEN 'refunds' THEN '售后' WHEN 'users' THEN '用户' WHEN 'products' THEN '商品'
        WHEN 'live_streams' THEN '直播' WHEN 'benefits' THEN '福利判定' WHEN 'marts' THEN '报表汇总' ELSE s.resource
    END AS resource_text,
    s.mode,
    CASE s.mode
        WHEN 'incremental' THEN '增量' WHEN 'history' THEN '历史' WHEN 'rescan' THEN '15天复查'
        WHEN 'deep_rescan' THEN '深度复查' WHEN 'late' THEN '按单补查' WHEN 'whole' THEN '全量' WHEN 'decide' THEN '判定'
        WHEN 'refresh' THEN '刷新' ELSE s.mode
    END AS mode_text,
    s.status,
    CASE s.status WHEN 'success' THEN '成功' WHEN 'failed' THEN '失败' ELSE s.status END AS status_text,
    s.watermark,
    CAST(s.last_success_at + INTERVAL 8 HOUR AS DATETIME) AS last_success_at,
    CAST(s.last_attempt_at + INTERVAL 8 HOUR AS DATETIME) AS last_attempt_at,
    TIMESTAMPDIFF(MINUTE, s.last_success_at, UTC_TIMESTAMP(3)) AS minutes_since_success,
    TIMESTAMPDIFF(MINUTE, s.watermark, UTC_TIMESTAMP() + INTERVAL 8 HOUR) AS watermark_lag_minutes
FROM sync_status AS s;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_sync_daily AS
SELECT
    w.shop_id,
    DATE(w.merged_at + INTERVAL 8 HOUR) AS day,
    w.resource,
    CASE w.resource
        WHEN 'orders' THEN '订单' WHEN 'refunds' THEN '售后' WHEN 'users' THEN '用户' WHEN 'products' THEN '商品'
        WHEN 'live_streams' THEN '直播' ELSE w.resource
    END AS resource_text,
    w.mode,
    CASE w.mode
        WHEN 'incremental' THEN '增量' WHEN 'history' THEN '历史' WHEN 'rescan' THEN '15天复查'
        WHEN 'deep_rescan' THEN '深度复查' WHEN 'whole' THEN '全量' ELSE w.mode
    END AS mode_text,
    COUNT(*) AS windows,
    SUM(w.staged) AS staged,
    SUM(w.inserted) AS inserted,
    SUM(w.updated) AS updated,
    SUM(w.unchanged) AS unchanged,
    SUM(w.rejected) AS rejected,
    SUM(w.passes > 1) AS repeated_windows
FROM sync_windows AS w
GROUP BY w.shop_id, DATE(w.merged_at + INTERVAL 8 HOUR), w.resource, w.mode;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_rejected_rows AS
SELECT
    r.shop_id,
    r.resource,
    CASE r.resource
        WHEN 'orders' THEN '订单' WHEN 'refunds' THEN '售后' WHEN 'users' THEN '用户' WHEN 'products' THEN '商品'
        WHEN 'live_streams' THEN '直播' ELSE r.resource
    END AS resource_text,
    COUNT(*) AS open_rows,
    CAST(MIN(r.first_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS first_seen_at,
    CAST(MAX(r.last_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS last_seen_at
FROM rejected_rows AS r
WHERE r.resolved_at IS NULL
GROUP BY r.shop_id, r.resource;

-- What was there before this migration is in no mart yet.
INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'buyers' AS kind,
    DATE(pay_time) AS day
FROM orders
WHERE pay_time IS NOT NULL;

INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'sales' AS kind,
    DATE(created_time) AS day
FROM orders
WHERE created_time IS NOT NULL;

INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'sales' AS kind,
    DATE(refund_time) AS day
FROM orders
WHERE refund_time IS NOT NULL;

INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'deadline' AS kind,
    DATE(deadline_at) AS day
FROM benefit_decisions
WHERE deadline_at IS NOT NULL;

INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'decided' AS kind,
    DATE(decided_at + INTERVAL 8 HOUR) AS day
FROM benefit_decision_log;
