-- Who buys again: buyers, what they are worth by month of first purchase, from registration to the first purchase,
-- coupons, sources of orders, reasons of after-sales.
-- depends: 0024-targets

ALTER TABLE mart_queue
    MODIFY kind VARCHAR(16) NOT NULL
    COMMENT '需重算：sales、buyers、buyer_day、deadline、decided、covered、signup 日，week，month，user、buyer 用户，everyone、customers';

CREATE TABLE IF NOT EXISTS mart_buyers (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    user_id VARCHAR(128) NOT NULL COMMENT '用户ID',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    segment VARCHAR(16) NOT NULL COMMENT '客户分层（RFM）；规则见 docs/bi.zh-CN.md',
    first_day DATE NOT NULL COMMENT '首次支付日期（北京时间）',
    second_day DATE NULL COMMENT '第二单支付日期（北京时间）；只有一单为空',
    last_day DATE NOT NULL COMMENT '最近支付日期（北京时间）',
    orders_paid INT NOT NULL COMMENT '支付订单数',
    paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）',
    refund_amount DECIMAL(24, 2) NOT NULL COMMENT '退款金额（元）：这些订单至今所退',
    net_amount DECIMAL(25, 2) GENERATED ALWAYS AS (paid_amount - refund_amount) VIRTUAL COMMENT '净收入（元）',
    PRIMARY KEY (shop_id, user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '付款用户（看板不可读；看板读 bi_customers）';

CREATE TABLE IF NOT EXISTS bi_customers (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    cohort_month DATE NOT NULL COMMENT '首购月（首日）',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    segment VARCHAR(16) NOT NULL COMMENT '客户分层（RFM）',
    times INT NOT NULL COMMENT '购买次数：支付订单数；10 为 10 次及以上',
    interval_text VARCHAR(16) NOT NULL COMMENT '首购至第二单的间隔',
    within_days INT NULL COMMENT '该间隔的上限（天）；9999 为超过 365 天，空为尚未复购',
    buyers INT NOT NULL COMMENT '付款用户数',
    orders_paid BIGINT NOT NULL COMMENT '支付订单数',
    span_days BIGINT NOT NULL COMMENT '首购至最近一次购买的天数之和',
    paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）',
    refund_amount DECIMAL(24, 2) NOT NULL COMMENT '退款金额（元）',
    net_amount DECIMAL(25, 2) GENERATED ALWAYS AS (paid_amount - refund_amount) VIRTUAL COMMENT '净收入（元）',
    as_of DATE NOT NULL COMMENT '截至日期（北京时间）',
    PRIMARY KEY (shop_id, cohort_month, channel, segment, times, interval_text)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '客户：每个付款用户计入一行';

CREATE TABLE IF NOT EXISTS bi_registrations (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '注册日（北京时间）',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（用户来源）',
    interval_text VARCHAR(16) NOT NULL COMMENT '注册至首次支付的间隔',
    within_days INT NULL COMMENT '该间隔的上限（天）；9999 为超过 365 天，空为尚未购买',
    users INT NOT NULL COMMENT '注册用户数',
    PRIMARY KEY (shop_id, day, channel, interval_text)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '注册至首购';

CREATE TABLE IF NOT EXISTS mart_cohorts_daily (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '支付日期（北京时间）',
    cohort_month DATE NOT NULL COMMENT '首购月（首日）',
    channel VARCHAR(64) NOT NULL COMMENT '渠道（买家来源）',
    orders_paid INT NOT NULL COMMENT '支付订单数',
    paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）',
    refund_amount DECIMAL(24, 2) NOT NULL COMMENT '退款金额（按支付日，元）',
    PRIMARY KEY (shop_id, day, cohort_month, channel)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '首购月用户的逐日金额；看板读视图 bi_ltv';

CREATE TABLE IF NOT EXISTS mart_promotions_daily (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '支付日期（北京时间）',
    order_type VARCHAR(128) NOT NULL COMMENT '订单类型；可多个，逗号分隔',
    discount VARCHAR(16) NOT NULL COMMENT '优惠方式：优惠券、其他优惠、无优惠',
    coupon VARCHAR(128) NOT NULL COMMENT '优惠券名称；未用券为空串',
    orders_paid INT NOT NULL COMMENT '支付订单数',
    paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）',
    coupon_amount DECIMAL(24, 2) NOT NULL COMMENT '优惠券抵扣金额（元）',
    discount_amount DECIMAL(24, 2) NOT NULL COMMENT '优惠总额（元）；含优惠券',
    new_orders INT NOT NULL COMMENT '新客订单数：买家当日首次支付',
    refund_orders_by_pay_day INT NOT NULL COMMENT '退款订单数（按支付日）',
    refund_amount_by_pay_day DECIMAL(24, 2) NOT NULL COMMENT '退款金额（按支付日，元）',
    PRIMARY KEY (shop_id, day, order_type, discount, coupon)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
COMMENT = '每日优惠与订单类型；看板读视图 bi_coupons_daily、bi_order_sources_daily';

-- What a month's buyers brought so far; like bi_cohorts without gaps.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_ltv AS
SELECT
    c.shop_id,
    c.channel,
    c.cohort_month,
    m.active_month,
    TIMESTAMPDIFF(MONTH, c.cohort_month, m.active_month) AS month_offset,
    c.buyers AS cohort_buyers,
    COALESCE(a.paid_amount, 0) AS paid_amount,
    COALESCE(a.net_amount, 0) AS net_amount,
    SUM(COALESCE(a.net_amount, 0)) OVER so_far AS total_net_amount
FROM mart_cohorts AS c
INNER JOIN (SELECT DISTINCT shop_id, active_month FROM mart_cohorts) AS m -- noqa: ST05, LT09
    ON c.shop_id = m.shop_id AND c.cohort_month <= m.active_month
LEFT JOIN ( -- noqa: ST05
    SELECT
        shop_id,
        channel,
        cohort_month,
        day - INTERVAL DAYOFMONTH(day) - 1 DAY AS active_month,
        SUM(paid_amount) AS paid_amount,
        SUM(paid_amount - refund_amount) AS net_amount
    FROM mart_cohorts_daily
    GROUP BY shop_id, channel, cohort_month, day - INTERVAL DAYOFMONTH(day) - 1 DAY
) AS a
    ON
        c.shop_id = a.shop_id AND m.active_month = a.active_month
        AND c.cohort_month = a.cohort_month AND c.channel = a.channel
WHERE c.active_month = c.cohort_month
WINDOW so_far AS (PARTITION BY c.shop_id, c.channel, c.cohort_month ORDER BY m.active_month);

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_coupons_daily AS
SELECT
    shop_id,
    day,
    discount,
    CASE WHEN coupon = '' THEN discount ELSE coupon END AS coupon,
    SUM(orders_paid) AS orders_paid,
    SUM(paid_amount) AS paid_amount,
    SUM(coupon_amount) AS coupon_amount,
    SUM(discount_amount) AS discount_amount,
    SUM(new_orders) AS new_orders,
    SUM(refund_orders_by_pay_day) AS refund_orders_by_pay_day,
    SUM(refund_amount_by_pay_day) AS refund_amount_by_pay_day
FROM mart_promotions_daily
GROUP BY shop_id, day, discount, CASE WHEN coupon = '' THEN discount ELSE coupon END;

-- An order of several types counts in each; in one that is named twice, once.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_order_sources_daily AS
SELECT
    t.shop_id,
    t.day,
    t.order_source,
    SUM(t.orders_paid) AS orders_paid,
    SUM(t.paid_amount) AS paid_amount,
    SUM(t.new_orders) AS new_orders,
    SUM(t.refund_orders_by_pay_day) AS refund_orders_by_pay_day,
    SUM(t.refund_amount_by_pay_day) AS refund_amount_by_pay_day
FROM (
    SELECT
        p.shop_id,
        p.day,
        p.order_type,
        p.orders_paid,
        p.paid_amount,
        p.new_orders,
        p.refund_orders_by_pay_day,
        p.refund_amount_by_pay_day,
        n.number,
        SUBSTRING_INDEX(SUBSTRING_INDEX(p.order_type, ',', n.number), ',', -1) AS order_source
    FROM mart_promotions_daily AS p
    INNER JOIN (
        SELECT 1 AS number
        UNION ALL
        SELECT 2
        UNION ALL
        SELECT 3
        UNION ALL
        SELECT 4
        UNION ALL
        SELECT 5
        UNION ALL
        SELECT 6
        UNION ALL
        SELECT 7
        UNION ALL
        SELECT 8
    ) AS n ON CHAR_LENGTH(p.order_type) - CHAR_LENGTH(REPLACE(p.order_type, ',', '')) >= n.number - 1
) AS t
WHERE FIND_IN_SET(t.order_source, t.order_type) = t.number
GROUP BY t.shop_id, t.day, t.order_source;

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
    COUNT(*) AS aftersales,
    SUM(r.is_done) AS done_aftersales,
    SUM(r.apply_amount) AS apply_amount,
    SUM(r.refund_amount) AS refund_amount
FROM (
    SELECT
        shop_id,
        DATE(created_at) AS day,
        COALESCE(LEFT(TRIM(reason), 32), '') AS reason,
        COALESCE(state IN (13, 14), 0) AS is_done,
        COALESCE(apply_refund_money, 0) AS apply_amount,
        COALESCE(refund_money, 0) AS refund_amount
    FROM refunds
    WHERE created_at IS NOT NULL AND absent_since IS NULL
) AS r
LEFT JOIN ( -- noqa: ST05
    SELECT
        shop_id,
        COALESCE(LEFT(TRIM(reason), 32), '') AS reason
    FROM refunds
    WHERE created_at IS NOT NULL AND absent_since IS NULL
    GROUP BY shop_id, COALESCE(LEFT(TRIM(reason), 32), '')
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
