-- Accounts that became one (pushed messages of the kind account_merge).
-- depends: 0030-push

CREATE TABLE IF NOT EXISTS user_merges (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    source_user_id VARCHAR(128) NOT NULL COMMENT '被合并的用户ID',
    target_user_id VARCHAR(128) NOT NULL COMMENT '合并后保留的用户ID；可能又被合并',
    merged_at DATETIME NULL COMMENT '合并时间（北京时间）；消息未说明为空',
    told_at DATETIME(3) NOT NULL COMMENT '收到消息的时间（UTC）',
    PRIMARY KEY (shop_id, source_user_id),
    KEY idx_user_merges_target (shop_id, target_user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '账号合并记录，来自消息推送';
