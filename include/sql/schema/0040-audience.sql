-- Dashboards of who watched, who learned and who brought the buyer.
-- depends: 0039-recent-users 0034-child-lists

ALTER TABLE mart_queue
    MODIFY kind VARCHAR(16) NOT NULL COMMENT
    '重算：sales、buyers、buyer_day、deadline、decided、covered、signup、live、customers、courses 日，week，month，user、buyer、everyone';

CREATE TABLE IF NOT EXISTS mart_live_audience (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    start_day DATE NOT NULL COMMENT '直播日期（计划开始日，北京时间）',
    live_id VARCHAR(128) NOT NULL COMMENT '直播ID',
    viewers INT NOT NULL COMMENT '观众人数：进入过直播间或看过回放',
    live_viewers INT NOT NULL COMMENT '看过直播的人数',
    replay_viewers INT NOT NULL COMMENT '看过回放的人数',
    live_seconds BIGINT NOT NULL COMMENT '看直播的时长合计（秒）',
    replay_seconds BIGINT NOT NULL COMMENT '看回放的时长合计（秒）',
    stayed_5 INT NOT NULL COMMENT '看直播满 5 分钟的人数',
    stayed_10 INT NOT NULL COMMENT '满 10 分钟',
    stayed_20 INT NOT NULL COMMENT '满 20 分钟',
    stayed_30 INT NOT NULL COMMENT '满 30 分钟',
    stayed_60 INT NOT NULL COMMENT '满 60 分钟',
    stayed_90 INT NOT NULL COMMENT '满 90 分钟',
    comments BIGINT NOT NULL COMMENT '评论数',
    room_amount DECIMAL(24, 2) NOT NULL COMMENT '观众在直播间的消费（元，接口值）',
    buyers INT NOT NULL COMMENT '开播后 7 天内付款的观众人数',
    orders_paid INT NOT NULL COMMENT '他们在此期间的支付订单数',
    paid_amount DECIMAL(24, 2) NOT NULL COMMENT '这些订单的实收金额（元）',
    seen_at DATETIME(3) NOT NULL COMMENT '所依据的观众名单从何时起没有变化（UTC）',
    as_of DATE NOT NULL COMMENT '统计日期（北京时间）',
    PRIMARY KEY (start_day, shop_id, live_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
COMMENT = '每场直播的观众；看板读视图 bi_live_audience、bi_live_retention';

CREATE TABLE IF NOT EXISTS mart_course_buyers (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    cohort_month DATE NOT NULL COMMENT '购买月（首日）：首次购买该课程',
    resource_id VARCHAR(128) NOT NULL COMMENT '课程（商品）ID',
    learning VARCHAR(16) NOT NULL COMMENT '学习情况：未开始、学习中、已学完、未读到',
    buyers INT NOT NULL COMMENT '购买人数',
    at_risk INT NOT NULL COMMENT '有流失风险的人数：购买满 14 天、未退款、未学完、近 14 天没学',
    refunded INT NOT NULL COMMENT '退款人数：该课程的订单有退款',
    bought_again INT NOT NULL COMMENT '续费人数：之后又买过任何商品',
    learn_seconds BIGINT NOT NULL COMMENT '学习时长合计（秒）',
    as_of DATE NOT NULL COMMENT '统计日期（北京时间）',
    PRIMARY KEY (cohort_month, shop_id, resource_id, learning)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
COMMENT = '课程购买者的学习情况，近 12 个月购买的；看板读视图 bi_courses';

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_live_audience AS
SELECT
    a.shop_id,
    a.start_day,
    a.live_id,
    LEFT(COALESCE(NULLIF(l.title, ''), a.live_id), 255) AS title,
    COALESCE(l.alive_type_text, CONCAT('未知(', l.alive_type, ')'), '未知') AS live_type,
    l.start_at,
    a.viewers,
    a.live_viewers,
    a.replay_viewers,
    a.live_seconds,
    a.replay_seconds,
    a.comments,
    a.room_amount,
    a.buyers,
    a.orders_paid,
    a.paid_amount
FROM mart_live_audience AS a
LEFT JOIN live_streams AS l ON a.shop_id = l.shop_id AND a.live_id = l.live_id;

-- The API tells how long each viewer watched, not when: who watched so many minutes, at whatever time.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_live_retention AS
SELECT
    a.shop_id,
    a.start_day,
    a.live_id,
    LEFT(COALESCE(NULLIF(l.title, ''), a.live_id), 255) AS title,
    COALESCE(l.alive_type_text, CONCAT('未知(', l.alive_type, ')'), '未知') AS live_type,
    n.minutes,
    a.live_viewers,
    CASE n.minutes
        WHEN 0 THEN a.live_viewers WHEN 5 THEN a.stayed_5 WHEN 10 THEN a.stayed_10 WHEN 20 THEN a.stayed_20
        WHEN 30 THEN a.stayed_30 WHEN 60 THEN a.stayed_60 ELSE a.stayed_90
    END AS stayed
FROM mart_live_audience AS a
CROSS JOIN ( -- noqa: ST05
    SELECT 0 AS minutes
    UNION ALL
    SELECT 5 AS minutes
    UNION ALL
    SELECT 10 AS minutes
    UNION ALL
    SELECT 20 AS minutes
    UNION ALL
    SELECT 30 AS minutes
    UNION ALL
    SELECT 60 AS minutes
    UNION ALL
    SELECT 90 AS minutes
) AS n
LEFT JOIN live_streams AS l ON a.shop_id = l.shop_id AND a.live_id = l.live_id;

-- What was ordered in the room, as order list 2.0 tells; figures as in bi_orders.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_live_products AS
SELECT
    o.shop_id,
    DATE(o.pay_time) AS day,
    r.channel_bus_id AS live_id,
    LEFT(COALESCE(NULLIF(l.title, ''), r.channel_bus_id), 255) AS title,
    COALESCE(l.alive_type_text, CONCAT('未知(', l.alive_type, ')'), '未知') AS live_type,
    o.product_name,
    COUNT(*) AS orders_paid,
    SUM(o.paid_amount) AS paid_amount,
    SUM(o.is_refunded) AS refund_orders,
    SUM(IF(o.is_refunded, COALESCE(o.refund_amount, 0), 0)) AS refund_amount
FROM order_origins AS r
INNER JOIN bi_orders AS o ON r.shop_id = o.shop_id AND r.order_id = o.order_id
LEFT JOIN live_streams AS l ON r.shop_id = l.shop_id AND r.channel_bus_id = l.live_id
WHERE
    r.channel_type = 1 AND r.channel_bus_id > '' AND r.absent_since IS NULL
    AND o.pay_time IS NOT NULL AND o.is_counted = 1
GROUP BY 1, 2, 3, 4, 5, 6;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_learning_daily AS
SELECT
    d.shop_id,
    d.day,
    COUNT(DISTINCT COALESCE(m.person_id, d.user_id)) AS learners,
    SUM(d.stay_seconds) AS learn_seconds
FROM learning_days AS d
LEFT JOIN mart_people AS m ON d.shop_id = m.shop_id AND d.user_id = m.user_id
WHERE d.day IS NOT NULL AND d.stay_seconds > 0 AND d.absent_since IS NULL
GROUP BY d.shop_id, d.day;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_courses AS
SELECT
    c.shop_id,
    c.cohort_month,
    c.resource_id,
    COALESCE(NULLIF(LEFT(p.name, 255), ''), c.resource_id) AS course_name,
    c.learning,
    c.buyers,
    c.at_risk,
    c.refunded,
    c.bought_again,
    c.learn_seconds,
    c.as_of
FROM mart_course_buyers AS c
LEFT JOIN products AS p ON c.shop_id = p.shop_id AND c.resource_id = p.resource_id;

-- A promoter is shown by group and the end of the user id: nobody is named, and staff find them in the export.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_promoters_daily AS
SELECT
    o.shop_id,
    DATE(o.pay_time) AS day,
    CONCAT(COALESCE(NULLIF(LEFT(TRIM(p.group_name), 64), ''), '未分组'), ' · ', RIGHT(r.promoter_id, 6)) AS promoter,
    COALESCE(NULLIF(LEFT(TRIM(p.group_name), 64), ''), '未分组') AS promoter_group,
    COUNT(*) AS orders_paid,
    SUM(o.paid_amount) AS paid_amount,
    SUM(o.is_refunded) AS refund_orders,
    SUM(IF(o.is_refunded, COALESCE(o.refund_amount, 0), 0)) AS refund_amount
FROM promoted_orders AS r
INNER JOIN bi_orders AS o ON r.shop_id = o.shop_id AND r.order_id = o.order_id
LEFT JOIN promoters AS p ON r.shop_id = p.shop_id AND r.promoter_id = p.user_id
WHERE o.pay_time IS NOT NULL AND o.is_counted = 1
GROUP BY 1, 2, 3, 4;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_promoter_customers AS
SELECT
    c.shop_id,
    DATE(c.bound_at) AS day,
    CONCAT(COALESCE(NULLIF(LEFT(TRIM(p.group_name), 64), ''), '未分组'), ' · ', RIGHT(c.promoter_id, 6)) AS promoter,
    COALESCE(NULLIF(LEFT(TRIM(p.group_name), 64), ''), '未分组') AS promoter_group,
    COUNT(*) AS customers,
    SUM(COALESCE(c.order_count > 0, 0)) AS buying_customers,
    SUM(COALESCE(c.amount, 0)) AS amount
FROM promoter_customers AS c
LEFT JOIN promoters AS p ON c.shop_id = p.shop_id AND c.promoter_id = p.user_id
WHERE c.bound_at IS NOT NULL AND c.absent_since IS NULL
GROUP BY 1, 2, 3, 4;
