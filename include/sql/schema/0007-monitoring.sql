-- What each sync cost, and how storage grows: read by the monitoring page.
-- depends: 0004-benefits

CREATE TABLE IF NOT EXISTS sync_runs (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    batch_id CHAR(16) NOT NULL COMMENT '批次，对应 sync_windows.batch_id',
    started_at DATETIME(3) NOT NULL COMMENT '开始读取接口的时间（UTC）',
    finished_at DATETIME(3) NOT NULL COMMENT '入库完成时间（UTC）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 orders',
    mode VARCHAR(32) NOT NULL COMMENT '同步方式',
    run_id VARCHAR(250) NOT NULL COMMENT 'Airflow 运行ID',
    stage_seconds DECIMAL(10, 3) NULL COMMENT '读取接口用时（秒）；旧版本的批次为空',
    merge_seconds DECIMAL(10, 3) NOT NULL COMMENT '入库用时（秒）',
    staged BIGINT NOT NULL COMMENT '取得的不重复行数',
    inserted BIGINT NOT NULL COMMENT '新增行数',
    updated BIGINT NOT NULL COMMENT '更新行数',
    unchanged BIGINT NOT NULL COMMENT '未变化（或已有更新观测）的行数',
    rejected BIGINT NOT NULL COMMENT '无法解析的行数',
    api_calls INT NOT NULL COMMENT '调用接口次数（含取令牌与重试）',
    api_retries INT NOT NULL COMMENT '其中重试次数',
    token_calls INT NOT NULL COMMENT '其中取令牌次数',
    wait_seconds DECIMAL(12, 3) NOT NULL COMMENT '重试前等待的秒数，各并发请求之和',
    PRIMARY KEY (shop_id, batch_id, started_at),
    KEY idx_sync_runs_finished (shop_id, finished_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '每次同步的用量：行数、接口调用、重试、用时';

CREATE TABLE IF NOT EXISTS storage_samples (
    sampled_at DATETIME(3) NOT NULL COMMENT '取样时间（UTC）',
    metric VARCHAR(32) NOT NULL COMMENT '指标：database、page_store、binlog、free_disk、disk',
    bytes BIGINT NULL COMMENT '字节数；无法得知时为空',
    note VARCHAR(255) NULL COMMENT '无法得知的原因',
    PRIMARY KEY (metric, sampled_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '存储用量的定时取样';
