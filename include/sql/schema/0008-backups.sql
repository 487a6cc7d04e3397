-- Backups of the warehouse: where each file is, what it holds, whether it could be restored.
-- depends: 0004-benefits

CREATE TABLE IF NOT EXISTS backups (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    url VARCHAR(700) NOT NULL COMMENT '备份文件地址',
    started_at DATETIME(3) NOT NULL COMMENT '开始时间（UTC），即快照时间',
    finished_at DATETIME(3) NULL COMMENT '完成时间（UTC）；未完成为空',
    bytes BIGINT NULL COMMENT '文件字节数（压缩、加密之后）',
    sha256 CHAR(64) NULL COMMENT '文件的 SHA-256',
    encrypted TINYINT NOT NULL COMMENT '1：已加密（age）',
    table_count INT NULL COMMENT '表数',
    row_count BIGINT NULL COMMENT '总行数',
    status VARCHAR(16) NOT NULL COMMENT '结果：running、success、failed',
    message TEXT NULL COMMENT '失败原因',
    drilled_at DATETIME(3) NULL COMMENT '最近一次恢复演练时间（UTC）',
    drill_status VARCHAR(16) NULL COMMENT '演练结果：success、failed 备份不可用、impossible 缺少权限、error 演练本身中断',
    drill_message TEXT NULL COMMENT '演练说明',
    removed_at DATETIME(3) NULL COMMENT '按保留期删除的时间（UTC）；仍在则为空',
    PRIMARY KEY (id),
    UNIQUE KEY idx_backups_url (url),
    KEY idx_backups_started (started_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '数据库备份（不随备份转储）';
