-- What data and ways of reading are called, in one table: a new list adds its line here, not to each view.
-- depends: 0045-order-promoters 0047-fewer-rows-read

CREATE TABLE IF NOT EXISTS sync_names (
    kind VARCHAR(16) NOT NULL COMMENT '类别：resource 为数据，mode 为方式',
    code VARCHAR(32) NOT NULL COMMENT '代码，同 sync_status 的 resource 或 mode',
    name VARCHAR(32) NOT NULL COMMENT '名称',
    PRIMARY KEY (kind, code)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '数据与方式的名称：由迁移写入';

REPLACE INTO sync_names (kind, code, name)
VALUES
('resource', 'orders', '订单'),
('resource', 'refunds', '售后'),
('resource', 'users', '用户'),
('resource', 'products', '商品'),
('resource', 'live_streams', '直播'),
('resource', 'order_origins', '变更列表'),
('resource', 'live_viewers', '直播观众'),
('resource', 'learning_days', '每日学习'),
('resource', 'learning_progress', '学习进度'),
('resource', 'promoters', '推广员'),
('resource', 'promoter_customers', '推广客户'),
('resource', 'order_promoters', '订单推广员'),
('resource', 'benefits', '福利判定'),
('resource', 'marts', '报表汇总'),
('mode', 'incremental', '增量'),
('mode', 'history', '历史'),
('mode', 'rescan', '15 天复查'),
('mode', 'deep_rescan', '90 天复查'),
('mode', 'late', '旧单补查'),
('mode', 'hints', '变更补查'),
('mode', 'whole', '全量'),
('mode', 'recent', '近期'),
('mode', 'csv', '旧文件导入'),
('mode', 'decide', '判定'),
('mode', 'refresh', '刷新');

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_sync_status AS
SELECT
    s.shop_id,
    s.resource,
    COALESCE(n.name, s.resource) AS resource_text,
    s.mode,
    COALESCE(m.name, s.mode) AS mode_text,
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
LEFT JOIN sync_names AS n ON n.kind = 'resource' AND s.resource = n.code
LEFT JOIN sync_names AS m ON m.kind = 'mode' AND s.mode = m.code
LEFT JOIN sync_limits AS l ON s.resource = l.resource AND s.mode = l.mode;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_sync_daily AS
SELECT
    w.shop_id,
    w.merged_day AS day,
    w.resource,
    COALESCE(n.name, w.resource) AS resource_text,
    w.mode,
    COALESCE(m.name, w.mode) AS mode_text,
    COUNT(*) AS windows,
    SUM(w.staged) AS staged,
    SUM(w.inserted) AS inserted,
    SUM(w.updated) AS updated,
    SUM(w.unchanged) AS unchanged,
    SUM(w.rejected) AS rejected,
    SUM(w.passes > 1) AS repeated_windows
FROM sync_windows AS w
LEFT JOIN sync_names AS n ON n.kind = 'resource' AND w.resource = n.code
LEFT JOIN sync_names AS m ON m.kind = 'mode' AND w.mode = m.code
GROUP BY w.shop_id, w.merged_day, w.resource, n.name, w.mode, m.name;

-- Fields stand beside rows, one line per field: the dashboard shows how many rows lack it.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_rejected_rows AS
SELECT
    r.shop_id,
    r.resource,
    COALESCE(n.name, r.resource) AS resource_text,
    COUNT(*) AS open_rows,
    CAST(MIN(r.first_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS first_seen_at,
    CAST(MAX(r.last_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS last_seen_at
FROM rejected_rows AS r
LEFT JOIN sync_names AS n ON n.kind = 'resource' AND r.resource = n.code
WHERE r.resolved_at IS NULL
GROUP BY r.shop_id, r.resource, n.name
UNION ALL
SELECT
    p.shop_id,
    p.resource,
    CONCAT(COALESCE(n.name, p.resource), ' · 字段 ', p.field) AS resource_text,
    COUNT(*) AS open_rows,
    CAST(MIN(p.first_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS first_seen_at,
    CAST(MAX(p.last_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS last_seen_at
FROM field_problems AS p
LEFT JOIN sync_names AS n ON n.kind = 'resource' AND p.resource = n.code
WHERE p.resolved_at IS NULL
GROUP BY p.shop_id, p.resource, p.field, n.name;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_parent_coverage AS
SELECT
    c.shop_id,
    c.resource,
    COALESCE(n.name, c.resource) AS resource_text,
    c.wanted,
    c.reached,
    c.postponed,
    c.wanted - c.reached - c.postponed AS refused,
    CAST(c.oldest_at + INTERVAL 8 HOUR AS DATETIME) AS oldest_at,
    CAST(c.planned_at + INTERVAL 8 HOUR AS DATETIME) AS planned_at
FROM parent_coverage AS c
LEFT JOIN sync_names AS n ON n.kind = 'resource' AND c.resource = n.code;
