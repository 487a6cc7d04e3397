-- Who brought the buyer of an order, asked for order by order where order list 2.0 is off.
-- depends: 0044-journal

CREATE TABLE IF NOT EXISTS order_promoters (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    row_key VARCHAR(128) NOT NULL COMMENT '主键：订单ID/推广员的用户ID',
    order_id VARCHAR(128) NULL COMMENT '订单ID',
    promoter_id VARCHAR(128) NULL COMMENT '推广员的用户ID',
    level TEXT NULL COMMENT '推广员等级（接口原值）',
    amount DECIMAL(12, 2) NULL COMMENT '推广佣金（元，接口为分）',
    status INT NULL COMMENT '推广订单状态代码（原始值）',
    problem_columns VARCHAR(1000) NULL COMMENT '读不出的字段（逗号分隔）；正常为空',
    row_hash BIGINT UNSIGNED NOT NULL COMMENT '解析后数据的哈希；相同则不写入',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希；相同则不解析',
    observed_at DATETIME(3) NOT NULL COMMENT '数据观测时间（UTC，请求发出之前）',
    batch_id CHAR(16) NOT NULL COMMENT '写入批次，对应 sync_runs.batch_id',
    absent_since DATETIME(3) NULL COMMENT '接口不再返回该推广员的时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, row_key),
    KEY idx_order_promoters_order (shop_id, order_id, observed_at, absent_since)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '订单的推广员：逐单读取，未启用订单列表 2.0 时才有';

-- One promoter per order: what order list 2.0 says, else what the order itself was asked for.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW promoted_orders AS
SELECT
    o.shop_id,
    o.order_id,
    o.share_user_id AS promoter_id
FROM order_origins AS o
WHERE o.share_user_id > '' AND o.absent_since IS NULL
UNION ALL
SELECT
    p.shop_id,
    p.order_id,
    MIN(p.promoter_id) AS promoter_id
FROM order_promoters AS p
LEFT JOIN order_origins AS o
    ON
        p.shop_id = o.shop_id AND p.order_id = o.order_id
        AND o.share_user_id > '' AND o.absent_since IS NULL
WHERE p.promoter_id > '' AND p.absent_since IS NULL AND o.order_id IS NULL
GROUP BY p.shop_id, p.order_id;
