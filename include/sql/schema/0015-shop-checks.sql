-- What `make check-shop` found, check after check.
-- depends: 0014-api-fields

CREATE TABLE IF NOT EXISTS shop_checks (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    conn_id VARCHAR(255) NOT NULL COMMENT '店铺的 Airflow 连接',
    checked_at DATETIME(3) NOT NULL COMMENT '检查时间（UTC）',
    verdict VARCHAR(32) NOT NULL
    COMMENT '结论：fits 可用、fits_with_remarks 可用但有需要留意之处、does_not_fit 不可用',
    wrong_tables VARCHAR(255) NOT NULL COMMENT '会出错或为空的表，逗号分隔',
    api_calls INT NOT NULL COMMENT '接口调用次数',
    seconds DECIMAL(8, 1) NOT NULL COMMENT '用时（秒）',
    findings MEDIUMTEXT NOT NULL COMMENT '各项结果（JSON，不含个人信息）',
    PRIMARY KEY (id),
    KEY idx_shop_checks_latest (shop_id, checked_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '店铺检查结果（make check-shop，只增不改）';
