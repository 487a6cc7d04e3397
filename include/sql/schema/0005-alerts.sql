-- What people are told of: tasks that failed, runs that are late, and when that was over.
-- depends: 0004-benefits

CREATE TABLE IF NOT EXISTS alerts (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    kind VARCHAR(16) NOT NULL COMMENT '类型：failed 任务失败、late 运行超时未完成',
    dag_id VARCHAR(250) NOT NULL COMMENT 'DAG',
    task_id VARCHAR(250) NOT NULL DEFAULT '' COMMENT '任务；late 为空',
    shop VARCHAR(250) NOT NULL DEFAULT '' COMMENT '店铺的连接名；与店铺无关时为空',
    cause CHAR(32) NOT NULL COMMENT '原因的摘要；同一摘要的未关闭告警属于同一次故障',
    message TEXT NOT NULL COMMENT '报错原文',
    log_url TEXT NULL COMMENT '任务日志的链接',
    run_id VARCHAR(250) NOT NULL COMMENT '最近一次出现时的 Airflow 运行',
    tries INT NULL COMMENT '最近一次运行尝试了几次',
    time_window VARCHAR(64) NULL COMMENT '最近一次运行的时间段（北京时间）',
    opened_at DATETIME(3) NOT NULL COMMENT '首次出现时间（UTC）',
    last_seen_at DATETIME(3) NOT NULL COMMENT '最近一次出现时间（UTC）',
    seen_count INT NOT NULL COMMENT '出现次数',
    told_at DATETIME(3) NULL COMMENT '所属故障的通知发出时间（UTC）；未随通知发出时为空',
    closed_at DATETIME(3) NULL COMMENT '关闭时间（UTC）；未关闭时为空',
    closed_told_at DATETIME(3) NULL COMMENT '所属故障结束且处理完毕的时间（UTC）：恢复通知已发出或无需发出',
    PRIMARY KEY (id),
    KEY idx_alerts_open (closed_at, dag_id, task_id),
    KEY idx_alerts_untold (closed_told_at, cause)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '告警：任务失败、运行超时，及其恢复';
