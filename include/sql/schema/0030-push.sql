-- Messages that the shop pushed, and what each day brought.
-- depends: 0029-order-origins

CREATE TABLE IF NOT EXISTS push_messages (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    message_key VARCHAR(128) NOT NULL COMMENT '消息ID（message_id）；没有时为内容的 SHA-256',
    kind VARCHAR(64) NOT NULL COMMENT '消息类型（type），如 order_change；无法解析为 unreadable，未说明为空',
    order_id VARCHAR(128) NULL COMMENT '消息所指的订单ID；与订单无关为空',
    content MEDIUMTEXT NULL COMMENT '解密后的原文；设了个人信息策略则为各字段的 JSON，个人信息已处理；超出每日上限为空',
    problem VARCHAR(255) NULL COMMENT '无法解析的原因；正常为空',
    sent_at DATETIME(3) NOT NULL COMMENT '首次收到的推送所带的时间戳（UTC）',
    received_at DATETIME(3) NOT NULL COMMENT '首次收到的时间（UTC）',
    last_received_at DATETIME(3) NOT NULL COMMENT '最近一次收到的时间（UTC）；收到次数计满后不再更新',
    received_count INT NOT NULL DEFAULT 1 COMMENT '收到次数，计到 100 左右为止；重复推送不再产生提示',
    PRIMARY KEY (shop_id, message_key),
    KEY idx_push_messages_received (received_at),
    KEY idx_push_messages_order (shop_id, order_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '店铺推送的消息，仅作提示，不写入订单';

CREATE TABLE IF NOT EXISTS push_days (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    day DATE NOT NULL COMMENT '日期（北京时间）',
    messages INT NOT NULL DEFAULT 0 COMMENT '收下的消息数，不含重复',
    repeated INT NOT NULL DEFAULT 0 COMMENT '重复推送的次数',
    hints INT NOT NULL DEFAULT 0 COMMENT '产生的订单变更提示数',
    unreadable INT NOT NULL DEFAULT 0 COMMENT '无法解析的消息数（原文已留存）',
    content_bytes BIGINT NOT NULL DEFAULT 0 COMMENT '留存的原文字节数',
    without_content INT NOT NULL DEFAULT 0 COMMENT '超出每日存储上限、只留提示的消息数',
    over_limit INT NOT NULL DEFAULT 0 COMMENT '超出每日条数上限、未收下的次数',
    refused INT NOT NULL DEFAULT 0 COMMENT '未收下的请求数：签名不符、时间戳过旧、无法解密等',
    last_refusal VARCHAR(32) NULL COMMENT '最近一次未收下的原因',
    PRIMARY KEY (shop_id, day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '消息推送每日概况';
