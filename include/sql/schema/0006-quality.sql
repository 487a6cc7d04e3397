-- What each check of the data found, run after run.
-- depends: 0004-benefits

CREATE TABLE IF NOT EXISTS quality_results (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    shop_id VARCHAR(64) NOT NULL DEFAULT '' COMMENT '店铺ID（app_id）；空为整个数仓',
    check_name VARCHAR(64) NOT NULL COMMENT '检查项，见 docs/quality.zh-CN.md',
    severity VARCHAR(16) NOT NULL COMMENT '严重程度：critical 任务失败、warning 仅提示',
    passed TINYINT NOT NULL COMMENT '1 通过，0 未通过',
    measured DECIMAL(20, 4) NULL COMMENT '测得的数量，多为有问题的行数；检查本身出错时为空',
    expected VARCHAR(255) NOT NULL COMMENT '应有的结果',
    detail TEXT NULL COMMENT '说明：哪些行（至多10个）、哪些代码、哪些缺口',
    run_id VARCHAR(250) NOT NULL COMMENT 'Airflow 运行ID',
    checked_at DATETIME(3) NOT NULL COMMENT '检查时间（UTC）',
    PRIMARY KEY (id),
    KEY idx_quality_results_latest (shop_id, check_name, checked_at),
    KEY idx_quality_results_checked (checked_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '数据质量检查结果（只增不改）';
