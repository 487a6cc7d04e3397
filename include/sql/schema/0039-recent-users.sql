-- Users who registered or visited lately are read between two readings of the whole list.
-- depends: 0038-people 0035-more-lists

-- As in 0035, with the name of that mode.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_sync_status AS
SELECT
    s.shop_id,
    s.resource,
    CASE s.resource
        WHEN 'orders' THEN '订单' WHEN 'refunds' THEN '售后' WHEN 'users' THEN '用户' WHEN 'products' THEN '商品'
        WHEN 'live_streams' THEN '直播' WHEN 'order_origins' THEN '变更列表' WHEN 'benefits' THEN '福利判定'
        WHEN 'marts' THEN '报表汇总' WHEN 'live_viewers' THEN '直播观众' WHEN 'learning_days' THEN '每日学习'
        WHEN 'learning_progress' THEN '学习进度' WHEN 'promoters' THEN '推广员' WHEN 'promoter_customers' THEN '推广客户'
        ELSE s.resource
    END AS resource_text,
    s.mode,
    CASE s.mode
        WHEN 'incremental' THEN '增量' WHEN 'history' THEN '历史' WHEN 'rescan' THEN '15 天复查'
        WHEN 'deep_rescan' THEN '90 天复查' WHEN 'late' THEN '旧单补查' WHEN 'hints' THEN '变更补查'
        WHEN 'whole' THEN '全量' WHEN 'recent' THEN '近期' WHEN 'decide' THEN '判定' WHEN 'refresh' THEN '刷新'
        WHEN 'csv' THEN '旧文件导入'
        ELSE s.mode
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
