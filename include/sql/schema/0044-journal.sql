-- Where the journal of changes stands: what `make journal` has shipped to the backup store.
-- depends: 0043-objectives

CREATE TABLE IF NOT EXISTS journal_status (
    id TINYINT NOT NULL COMMENT '恒为 1',
    chain CHAR(32) NOT NULL COMMENT '日志链：每台新建或恢复的服务器一条，从一份备份开始',
    begin_file VARCHAR(255) NOT NULL COMMENT '日志链开始的二进制日志文件',
    begin_position BIGINT UNSIGNED NOT NULL COMMENT '日志链开始的位置',
    log_file VARCHAR(255) NOT NULL COMMENT '已运送到的二进制日志文件',
    log_position BIGINT UNSIGNED NOT NULL COMMENT '已运送到的位置',
    shipped_at DATETIME(3) NOT NULL COMMENT '最近一次运送的时间（UTC）：此前的改动都已在备份处',
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '变更日志运送到哪里；不备份，恢复后重新开始';
