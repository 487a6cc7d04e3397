-- Order list 2.0: where orders come from, and their lines. Its codes are others than those of `orders`.
-- depends: 0028-hints

CREATE TABLE IF NOT EXISTS order_origins (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    user_id VARCHAR(128) NULL COMMENT '用户ID',
    order_list_2_state INT NULL COMMENT '订单列表 2.0 的状态代码（原始值）；与 orders.order_state 不是同一套',
    order_list_2_state_text VARCHAR(32) NULL COMMENT '订单列表 2.0 的状态；未知代码为空',
    order_list_2_aftersale INT NULL COMMENT '订单列表 2.0 的售后展示状态代码（原始值）',
    order_list_2_aftersale_text VARCHAR(32) NULL COMMENT '订单列表 2.0 的售后展示状态；未知代码为空',
    close_type INT NULL COMMENT '关闭原因代码（原始值）',
    close_type_text VARCHAR(32) NULL COMMENT '关闭原因；未知代码为空',
    actual_fee DECIMAL(12, 2) NULL COMMENT '实付金额（元，接口为分）',
    discount_amount DECIMAL(12, 2) NULL COMMENT '优惠金额（元，接口为分）',
    refund_fee DECIMAL(12, 2) NULL COMMENT '退款金额（元，接口为分）',
    refund_time DATETIME NULL COMMENT '退款时间（北京时间）',
    settle_state INT NULL COMMENT '结算状态代码（原始值）',
    share_user_id VARCHAR(128) NULL COMMENT '推广员的用户ID',
    share_type INT NULL COMMENT '推广方式代码（原始值）',
    channel_type INT NULL COMMENT '成交渠道代码（原始值）',
    channel_type_text VARCHAR(32) NULL COMMENT '成交渠道；未知代码为空',
    channel_bus_id VARCHAR(128) NULL COMMENT '渠道对象ID，如直播间',
    wx_app_type INT NULL COMMENT '微信应用类型代码（原始值）',
    relation_order_id VARCHAR(128) NULL COMMENT '关联订单ID',
    created_time DATETIME NULL COMMENT '下单时间（北京时间）',
    update_time DATETIME NULL COMMENT '最近变更时间（北京时间）',
    lines_json TEXT NULL COMMENT '商品行（JSON，金额为元），展开见 order_lines',
    problem_columns VARCHAR(1000) NULL COMMENT '读不出的字段（逗号分隔）；正常为空',
    row_hash BIGINT UNSIGNED NOT NULL COMMENT '解析后数据的哈希；相同则不写入',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希；相同则不解析',
    observed_at DATETIME(3) NOT NULL COMMENT '数据观测时间（UTC，请求发出之前）',
    batch_id CHAR(16) NOT NULL COMMENT '写入批次，对应 sync_windows.batch_id',
    absent_since DATETIME(3) NULL COMMENT '接口不再返回该订单的时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, order_id),
    KEY idx_order_origins_updated (shop_id, update_time, observed_at, absent_since),
    KEY idx_order_origins_share (shop_id, share_user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '订单来源：推广、渠道、关闭原因（订单列表 2.0）';

CREATE TABLE IF NOT EXISTS order_lines (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    line_no INT NOT NULL COMMENT '行号，从1开始，按接口的顺序',
    sku_id VARCHAR(128) NULL COMMENT '规格ID',
    spu_id VARCHAR(128) NULL COMMENT '商品ID（SPU）',
    goods_name TEXT NULL COMMENT '商品名称',
    buy_num INT NULL COMMENT '购买数量',
    unit_price DECIMAL(12, 2) NULL COMMENT '单价（元，接口为分）',
    total_price DECIMAL(12, 2) NULL COMMENT '总价（元，接口为分）',
    actual_fee DECIMAL(12, 2) NULL COMMENT '实付金额（元，接口为分）',
    refund_state INT NULL COMMENT '退款状态代码（原始值）',
    expire_start DATETIME NULL COMMENT '有效期开始（北京时间）',
    expire_end DATETIME NULL COMMENT '有效期结束（北京时间）',
    PRIMARY KEY (shop_id, order_id, line_no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '订单商品行（订单列表 2.0）';

-- Who saw a change of an order first, by day of Beijing: the run that logged it. A change that a rescan saw counts as
-- hinted if a hint on the order came from a day before to an hour after. Of the last 60 days.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_change_sources AS
SELECT
    c.shop_id,
    c.day,
    c.source,
    CASE c.source
        WHEN 'push' THEN '消息推送' WHEN 'list' THEN '变更列表' WHEN 'incremental' THEN '增量'
        WHEN 'rescan' THEN '15 天复查' WHEN 'deep_rescan' THEN '90 天复查' WHEN 'late' THEN '旧单补查（售后）'
        WHEN 'history' THEN '历史' ELSE c.source
    END AS source_text,
    COUNT(*) AS changes,
    CAST(SUM(c.source IN ('rescan', 'deep_rescan') AND NOT c.is_hinted) AS SIGNED) AS rescans_only
FROM (
    SELECT DISTINCT
        l.shop_id,
        DATE(l.observed_at + INTERVAL 8 HOUR) AS day,
        l.order_id,
        l.batch_id,
        COALESCE(h.source, r.mode) AS source,
        EXISTS(
            SELECT 1
            FROM hint_looks AS k
            WHERE
                k.shop_id = l.shop_id AND k.order_id = l.order_id
                AND k.told_at >= l.observed_at - INTERVAL 1 DAY AND k.told_at < l.observed_at + INTERVAL 1 HOUR
        ) AS is_hinted
    FROM order_state_log AS l
    INNER JOIN sync_runs AS r ON l.shop_id = r.shop_id AND l.batch_id = r.batch_id
    LEFT JOIN hint_looks AS h ON l.shop_id = h.shop_id AND l.batch_id = h.batch_id AND l.order_id = h.order_id
    WHERE l.observed_at >= UTC_TIMESTAMP(3) - INTERVAL 60 DAY
) AS c
GROUP BY c.shop_id, c.day, c.source;
