-- What has been synced, what could not be, and the shared access token.
-- depends: 0001-orders

CREATE TABLE IF NOT EXISTS sync_status (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 orders',
    mode VARCHAR(32) NOT NULL COMMENT '同步方式：incremental、history、rescan',
    watermark DATETIME NULL COMMENT '水位线：此前的数据已全部入库（北京时间）',
    last_success_at DATETIME(3) NULL COMMENT '最近一次成功时间（UTC）',
    last_attempt_at DATETIME(3) NOT NULL COMMENT '最近一次尝试时间（UTC）',
    status VARCHAR(16) NOT NULL COMMENT '最近一次结果：success、failed',
    message TEXT NULL COMMENT '最近一次结果说明',
    PRIMARY KEY (shop_id, resource, mode)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '同步状态';

CREATE TABLE IF NOT EXISTS sync_windows (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 orders',
    mode VARCHAR(32) NOT NULL COMMENT '同步方式',
    window_start DATETIME NOT NULL COMMENT '窗口开始（北京时间，含）',
    window_end DATETIME NOT NULL COMMENT '窗口结束（北京时间，不含）',
    observed_at DATETIME(3) NOT NULL COMMENT '该窗口最早一页的观测时间（UTC）',
    api_total BIGINT NOT NULL COMMENT '接口返回的总数',
    staged BIGINT NOT NULL COMMENT '实际取得的不重复行数',
    inserted BIGINT NOT NULL COMMENT '新增行数',
    updated BIGINT NOT NULL COMMENT '更新行数',
    unchanged BIGINT NOT NULL COMMENT '未变化（或已有更新观测）的行数',
    rejected BIGINT NOT NULL COMMENT '无法解析的行数，见 rejected_rows',
    passes INT NOT NULL COMMENT '读取遍数；大于1表示读取期间数据有变动',
    unknown_codes VARCHAR(1000) NULL COMMENT '本次写入中未知的代码及行数',
    batch_id CHAR(16) NOT NULL COMMENT '批次：店铺、资源、方式、运行的摘要',
    run_id VARCHAR(250) NOT NULL COMMENT 'Airflow 运行ID',
    merged_at DATETIME(3) NOT NULL COMMENT '入库时间（UTC）',
    PRIMARY KEY (id),
    UNIQUE KEY idx_sync_windows_batch (shop_id, resource, batch_id, window_start, window_end, observed_at),
    KEY idx_sync_windows_window (shop_id, resource, window_start, window_end),
    KEY idx_sync_windows_observed (shop_id, resource, observed_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '覆盖台账：每个已入库的窗口一行';

CREATE TABLE IF NOT EXISTS rejected_rows (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 orders',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希',
    row_key VARCHAR(128) NULL COMMENT '主键（如订单ID）；缺失时为空',
    reason VARCHAR(1000) NOT NULL COMMENT '拒绝原因：字段、值、说明',
    raw_json LONGTEXT NOT NULL COMMENT '接口原文',
    batch_id CHAR(16) NOT NULL COMMENT '首次出现的批次',
    first_seen_at DATETIME(3) NOT NULL COMMENT '首次观测时间（UTC）',
    last_seen_at DATETIME(3) NOT NULL COMMENT '最近观测时间（UTC）',
    seen_count INT NOT NULL DEFAULT 1 COMMENT '出现次数',
    resolved_at DATETIME(3) NULL COMMENT '之后成功入库的时间（UTC）',
    PRIMARY KEY (shop_id, resource, raw_hash),
    KEY idx_rejected_rows_key (shop_id, resource, row_key)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '无法解析的原始行';

CREATE TABLE IF NOT EXISTS api_tokens (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    client_id VARCHAR(128) NOT NULL COMMENT '应用 client_id',
    token TEXT NULL COMMENT '访问令牌（用应用密钥派生的密钥加密）',
    issued_at DATETIME(3) NULL COMMENT '取得时间（UTC）',
    expires_at DATETIME(3) NULL COMMENT '过期时间（UTC）',
    counted_since DATETIME(3) NOT NULL COMMENT '计数窗口开始（UTC）',
    issues INT NOT NULL COMMENT '计数窗口内取令牌的次数（接口限 10 分钟 100 次）',
    PRIMARY KEY (shop_id, client_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '共享的访问令牌';
