-- Who keeps a benefit (福利): decisions, every change of one, the rule they follow, what people answered.
-- depends: 0003-more-resources

CREATE TABLE IF NOT EXISTS benefit_decisions (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    decision VARCHAR(16) NOT NULL COMMENT '判定：pending、grant、revoke、review、not_applicable',
    decision_text VARCHAR(16) NOT NULL COMMENT '判定：待定、发放、取消、人工复核、不适用',
    reason VARCHAR(64) NOT NULL COMMENT '判定原因',
    deadline_at DATETIME NULL COMMENT '福利截止时间（北京时间）',
    observed_at DATETIME(3) NULL COMMENT '判定所依据的最近一次订单观测时间（UTC）',
    basis CHAR(32) NOT NULL COMMENT '判定所依据事实的摘要；人工答复只对同一摘要有效',
    policy_id INT NOT NULL COMMENT '所用规则，对应 benefit_policies.id',
    decided_at DATETIME(3) NOT NULL COMMENT '得出该判定的时间（UTC）',
    PRIMARY KEY (shop_id, order_id),
    KEY idx_benefit_decisions_decision (shop_id, decision, deadline_at),
    KEY idx_benefit_decisions_decided (shop_id, decided_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '福利判定';

CREATE TABLE IF NOT EXISTS benefit_decision_log (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    old_decision VARCHAR(16) NULL COMMENT '变化前的判定；首次判定为空',
    new_decision VARCHAR(16) NOT NULL COMMENT '变化后的判定',
    reason VARCHAR(64) NOT NULL COMMENT '变化原因',
    observed_at DATETIME(3) NULL COMMENT '所依据的最近一次订单观测时间（UTC）',
    policy_id INT NOT NULL COMMENT '所用规则，对应 benefit_policies.id',
    decided_by VARCHAR(128) NOT NULL COMMENT '判定者：system 或答复人',
    decided_at DATETIME(3) NOT NULL COMMENT '变化时间（UTC）',
    PRIMARY KEY (id),
    KEY idx_benefit_decision_log_order (shop_id, order_id),
    KEY idx_benefit_decision_log_decided (shop_id, decided_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '福利判定变化记录（只增不改）';

CREATE TABLE IF NOT EXISTS benefit_reviews (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    basis CHAR(32) NOT NULL COMMENT '答复时的事实摘要；事实变化后答复失效',
    answer VARCHAR(16) NOT NULL COMMENT '答复：grant 发放、revoke 取消',
    answered_by VARCHAR(128) NOT NULL COMMENT '答复人',
    answered_at DATETIME(3) NOT NULL COMMENT '答复时间（UTC）',
    PRIMARY KEY (shop_id, order_id, basis)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '福利人工复核答复';

CREATE TABLE IF NOT EXISTS benefit_policies (
    id INT NOT NULL AUTO_INCREMENT COMMENT '序号',
    policy TEXT NOT NULL COMMENT '规则内容（JSON）',
    applied_at DATETIME(3) NOT NULL COMMENT '启用时间（UTC）',
    applied_by VARCHAR(128) NOT NULL COMMENT '启用人',
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '福利规则的启用记录（只增不改）';

CREATE TABLE IF NOT EXISTS benefit_queue (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    PRIMARY KEY (shop_id, order_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '待判定的订单：订单或售后自上次判定后有变化';

CREATE TABLE IF NOT EXISTS benefit_notices (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    kind VARCHAR(16) NOT NULL COMMENT '内容：taken_back 发放后取消、waiting 截止后久未再次观测',
    channel VARCHAR(16) NOT NULL COMMENT '方式：mail 邮件、chat 群消息',
    order_count INT NOT NULL COMMENT '涉及订单数',
    log_id BIGINT UNSIGNED NULL COMMENT 'taken_back：已通知到的 benefit_decision_log.id',
    sent_at DATETIME(3) NOT NULL COMMENT '发出时间（UTC）',
    PRIMARY KEY (id),
    KEY idx_benefit_notices_last (shop_id, kind, channel, sent_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '已向员工发出的福利通知（只增不改）';

-- Orders that were there before this migration have no decision yet.
INSERT IGNORE INTO benefit_queue (shop_id, order_id)
SELECT
    shop_id,
    order_id
FROM orders;
