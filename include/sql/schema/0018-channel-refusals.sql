-- Mail servers and chat robots that refuse messages, until they accept one.
-- depends: 0015-shop-checks

CREATE TABLE IF NOT EXISTS channel_refusals (
    channel VARCHAR(16) NOT NULL COMMENT '方式：mail 邮件、chat 群消息',
    target VARCHAR(255) NOT NULL COMMENT '发往：邮件为收件地址，群消息为连接名',
    reason VARCHAR(1000) NOT NULL COMMENT '最近一次拒收时对方的说法（不含密钥）',
    first_refused_at DATETIME(3) NOT NULL COMMENT '开始拒收的时间（UTC）',
    last_refused_at DATETIME(3) NOT NULL COMMENT '最近一次拒收的时间（UTC）',
    refused_count INT NOT NULL DEFAULT 1 COMMENT '拒收次数',
    PRIMARY KEY (channel, target)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '拒收通知的邮箱和群：收下一条就删去';
