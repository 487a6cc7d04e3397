-- What the dashboards open on: yesterday, today and the month against what came before; which syncs are late; which
-- benefits were taken back.
-- depends: 0021-morning

CREATE TABLE IF NOT EXISTS mart_kpi_spans (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    block VARCHAR(8) NOT NULL COMMENT '时段：day 昨日、today 今日、month 本月累计（至昨日）',
    base VARCHAR(8) NOT NULL COMMENT '本期或对比期：now 本期、before 上一期、week 上周同日、year 去年同期',
    begin_at DATETIME NOT NULL COMMENT '开始时间（北京时间）',
    end_at DATETIME NOT NULL COMMENT '结束时间（北京时间，不含）',
    orders_paid INT NULL COMMENT '支付订单数；以下各数在数据不完整时为空',
    paid_amount DECIMAL(24, 2) NULL COMMENT '实收金额（元）',
    orders_without_amount INT NULL COMMENT '缺金额的支付订单数',
    refund_orders INT NULL COMMENT '退款订单数（按退款日）',
    refund_amount DECIMAL(24, 2) NULL COMMENT '退款金额（按退款日，元）',
    buyers INT NULL COMMENT '付款人数（整段去重）',
    buyers_amount DECIMAL(24, 2) NULL COMMENT '付款人的实收（元）',
    new_buyers INT NULL COMMENT '新客数',
    PRIMARY KEY (shop_id, block, base)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '昨日、今日、本月及其对比期的经营指标：每次刷新报表时重写';

CREATE TABLE IF NOT EXISTS sync_limits (
    resource VARCHAR(32) NOT NULL COMMENT '数据，同 sync_status.resource',
    mode VARCHAR(16) NOT NULL COMMENT '方式，同 sync_status.mode',
    fresh_minutes INT NOT NULL COMMENT '最近一次成功不得早于多少分钟之前',
    PRIMARY KEY (resource, mode)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '同步时限：由 xiaoe_marts 按程序的时限写入';

-- The line 0 of each block says which days it is about.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_kpi_board AS
SELECT
    f.shop_id,
    f.block,
    f.line_no,
    f.line,
    f.decimals,
    MAX(CASE WHEN f.base = 'now' THEN f.span END) AS span,
    MAX(CASE WHEN f.base = 'now' THEN f.figure END) AS figure,
    MAX(CASE WHEN f.base = 'now' THEN f.per END) AS per,
    MAX(CASE WHEN f.base = 'before' THEN f.span END) AS before_span,
    MAX(CASE WHEN f.base = 'before' THEN f.figure END) AS before_figure,
    MAX(CASE WHEN f.base = 'before' THEN f.per END) AS before_per,
    MAX(CASE WHEN f.base = 'week' THEN f.span END) AS week_span,
    MAX(CASE WHEN f.base = 'week' THEN f.figure END) AS week_figure,
    MAX(CASE WHEN f.base = 'week' THEN f.per END) AS week_per,
    MAX(CASE WHEN f.base = 'year' THEN f.span END) AS year_span,
    MAX(CASE WHEN f.base = 'year' THEN f.figure END) AS year_figure,
    MAX(CASE WHEN f.base = 'year' THEN f.per END) AS year_per
FROM (
    SELECT
        k.shop_id,
        k.block,
        k.base,
        l.line_no,
        l.line,
        l.decimals,
        CASE
            WHEN k.block = 'today' AND k.base = 'now' AND k.begin_at >= k.end_at THEN '尚未同步'
            WHEN k.block = 'today' THEN CONCAT(DATE_FORMAT(k.begin_at, '%m-%d'), ' 至 ', DATE_FORMAT(k.end_at, '%H:%i'))
            WHEN k.block = 'month'
                THEN
                    CONCAT(DATE_FORMAT(k.begin_at, '%m-%d'), ' 至 ', DATE_FORMAT(k.end_at - INTERVAL 1 DAY, '%m-%d'))
            ELSE CONCAT(
                DATE_FORMAT(k.begin_at, '%m-%d'),
                ' 周',
                SUBSTRING('一二三四五六日', WEEKDAY(k.begin_at) + 1, 1)
            )
        END AS span,
        CASE l.line_no
            WHEN 1 THEN k.paid_amount
            WHEN 2 THEN k.paid_amount - k.refund_amount
            WHEN 3 THEN k.orders_paid
            WHEN 4 THEN k.buyers
            WHEN 5 THEN k.new_buyers
            WHEN 6 THEN k.refund_amount
            WHEN 7 THEN k.buyers_amount
            WHEN 8 THEN k.paid_amount
        END AS figure,
        CASE l.line_no WHEN 7 THEN k.buyers WHEN 8 THEN k.orders_paid END AS per
    FROM mart_kpi_spans AS k
    CROSS JOIN (
        SELECT
            0 AS line_no,
            '日期' AS line,
            0 AS decimals
        UNION ALL
        SELECT
            1 AS line_no,
            '实收（元）' AS line,
            2 AS decimals
        UNION ALL
        SELECT
            2 AS line_no,
            '净收入（元）' AS line,
            2 AS decimals
        UNION ALL
        SELECT
            3 AS line_no,
            '支付订单数' AS line,
            0 AS decimals
        UNION ALL
        SELECT
            4 AS line_no,
            '付款人数' AS line,
            0 AS decimals
        UNION ALL
        SELECT
            5 AS line_no,
            '新客' AS line,
            0 AS decimals
        UNION ALL
        SELECT
            6 AS line_no,
            '退款（元）' AS line,
            2 AS decimals
        UNION ALL
        SELECT
            7 AS line_no,
            '客单价（按人）' AS line,
            2 AS decimals
        UNION ALL
        SELECT
            8 AS line_no,
            '笔单价（按单）' AS line,
            2 AS decimals
    ) AS l
) AS f
GROUP BY f.shop_id, f.block, f.line_no, f.line, f.decimals;

-- The same rule as benefits/attention.py: granted once, revoked on the day, revoked still; what lay between does not
-- matter.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_benefits_taken_back AS
SELECT
    l.shop_id,
    DATE(l.decided_at + INTERVAL 8 HOUR) AS day,
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
GROUP BY l.shop_id, DATE(l.decided_at + INTERVAL 8 HOUR);

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
        WHEN 'incremental' THEN '增量' WHEN 'history' THEN '历史' WHEN 'rescan' THEN '15 天复查'
        WHEN 'deep_rescan' THEN '90 天复查' WHEN 'late' THEN '旧单补查' WHEN 'whole' THEN '全量' WHEN 'decide' THEN '判定'
        WHEN 'refresh' THEN '刷新' ELSE s.mode
    END AS mode_text,
    s.status,
    CASE s.status WHEN 'success' THEN '成功' WHEN 'failed' THEN '失败' ELSE s.status END AS status_text,
    CASE
        WHEN l.fresh_minutes IS NULL THEN '不定期'
        WHEN s.last_success_at IS NULL THEN '从未成功'
        WHEN s.last_success_at < UTC_TIMESTAMP(3) - INTERVAL l.fresh_minutes MINUTE THEN '超时'
        ELSE '正常'
    END AS freshness_text,
    l.fresh_minutes,
    s.watermark,
    CAST(s.last_success_at + INTERVAL 8 HOUR AS DATETIME) AS last_success_at,
    CAST(s.last_attempt_at + INTERVAL 8 HOUR AS DATETIME) AS last_attempt_at,
    TIMESTAMPDIFF(MINUTE, s.last_success_at, UTC_TIMESTAMP(3)) AS minutes_since_success,
    TIMESTAMPDIFF(MINUTE, s.watermark, UTC_TIMESTAMP() + INTERVAL 8 HOUR) AS watermark_lag_minutes
FROM sync_status AS s
LEFT JOIN sync_limits AS l ON s.resource = l.resource AND s.mode = l.mode;

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
        WHEN 'incremental' THEN '增量' WHEN 'history' THEN '历史' WHEN 'rescan' THEN '15 天复查'
        WHEN 'deep_rescan' THEN '90 天复查' WHEN 'whole' THEN '全量' ELSE w.mode
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
