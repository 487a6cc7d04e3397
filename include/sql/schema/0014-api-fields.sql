-- Which fields the API sends: new ones, and those that no longer come.
-- depends: 0013-field-problems

CREATE TABLE IF NOT EXISTS api_fields (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 orders',
    field VARCHAR(128) NOT NULL COMMENT '接口字段名',
    shape VARCHAR(64) NOT NULL COMMENT '首次出现时值的形状：数字写作9，字母写作a，汉字写作字',
    is_stored TINYINT NOT NULL COMMENT '是否入库：1 是，0 否（仅留在页面存档）',
    is_always TINYINT NOT NULL COMMENT '是否每行都有：1 抽样的行中从未缺少',
    first_seen_at DATETIME(3) NOT NULL COMMENT '首次出现时间（UTC）',
    last_seen_at DATETIME(3) NOT NULL COMMENT '最近出现时间（UTC），每天更新一次',
    missing_since DATETIME(3) NULL COMMENT '以前每行都有、现在不再出现的起始时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, resource, field)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '接口返回的字段：发现新增与消失';
