-- A field that cannot be read costs no row: the row is stored and marked, and the field is noted here.
-- depends: 0011-comments

CREATE TABLE IF NOT EXISTS field_problems (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 orders',
    row_key VARCHAR(128) NOT NULL COMMENT '主键（如订单ID）',
    field VARCHAR(64) NOT NULL COMMENT '接口字段名',
    column_name VARCHAR(64) NOT NULL COMMENT '对应的列；该列为空，或保留上一次能解析的值',
    value TEXT NULL COMMENT '接口给出的值（前200字，按 XIAOE_PERSONAL_DATA 处理）',
    shape VARCHAR(64) NOT NULL COMMENT '值的形状：数字写作9，字母写作a，汉字写作字',
    reason VARCHAR(255) NOT NULL COMMENT '无法解析的原因',
    first_seen_at DATETIME(3) NOT NULL COMMENT '首次观测时间（UTC）',
    last_seen_at DATETIME(3) NOT NULL COMMENT '最近观测时间（UTC）',
    seen_count INT NOT NULL DEFAULT 1 COMMENT '出现次数',
    resolved_at DATETIME(3) NULL COMMENT '之后成功解析的时间（UTC）；未解决为空',
    PRIMARY KEY (shop_id, resource, row_key, field),
    KEY idx_field_problems_open (shop_id, resource, resolved_at, field)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '无法解析的字段：所在的行已入库';

-- MySQL knows no ADD COLUMN IF NOT EXISTS.
SET @add_column = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE orders'
            ' ADD COLUMN problem_columns VARCHAR(1000) NULL COMMENT ''无法解析的列（逗号分隔）；正常为空''',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'problem_columns'
);

PREPARE add_column FROM @add_column;

EXECUTE add_column;

SET @add_column = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE refunds'
            ' ADD COLUMN problem_columns VARCHAR(1000) NULL COMMENT ''无法解析的列（逗号分隔）；正常为空''',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'refunds' AND column_name = 'problem_columns'
);

PREPARE add_column FROM @add_column;

EXECUTE add_column;

SET @add_column = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE users'
            ' ADD COLUMN problem_columns VARCHAR(1000) NULL COMMENT ''无法解析的列（逗号分隔）；正常为空''',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'problem_columns'
);

PREPARE add_column FROM @add_column;

EXECUTE add_column;

SET @add_column = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE products'
            ' ADD COLUMN problem_columns VARCHAR(1000) NULL COMMENT ''无法解析的列（逗号分隔）；正常为空''',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'products' AND column_name = 'problem_columns'
);

PREPARE add_column FROM @add_column;

EXECUTE add_column;

SET @add_column = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE live_streams'
            ' ADD COLUMN problem_columns VARCHAR(1000) NULL COMMENT ''无法解析的列（逗号分隔）；正常为空''',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'live_streams' AND column_name = 'problem_columns'
);

PREPARE add_column FROM @add_column;

EXECUTE add_column;

-- Fields stand beside rows, one line per field: the dashboard shows how many rows lack it.
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
GROUP BY r.shop_id, r.resource
UNION ALL
SELECT
    p.shop_id,
    p.resource,
    CONCAT(
        CASE p.resource
            WHEN 'orders' THEN '订单' WHEN 'refunds' THEN '售后' WHEN 'users' THEN '用户' WHEN 'products' THEN '商品'
            WHEN 'live_streams' THEN '直播' ELSE p.resource
        END, ' · 字段 ', p.field
    ) AS resource_text,
    COUNT(*) AS open_rows,
    CAST(MIN(p.first_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS first_seen_at,
    CAST(MAX(p.last_seen_at) + INTERVAL 8 HOUR AS DATETIME) AS last_seen_at
FROM field_problems AS p
WHERE p.resolved_at IS NULL
GROUP BY p.shop_id, p.resource, p.field;
