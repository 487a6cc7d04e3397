-- Who watched, who learned, who brought the buyer: lists that are asked for parent by parent.
-- depends: 0033-speed

-- row_key is the parent and the row, as the merge of every list knows one key column beside the shop.

CREATE TABLE IF NOT EXISTS live_viewers (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    row_key VARCHAR(128) NOT NULL COMMENT '主键：直播ID/用户ID',
    live_id VARCHAR(128) NULL COMMENT '直播ID',
    user_id VARCHAR(128) NULL COMMENT '用户ID',
    nickname TEXT NULL COMMENT '微信昵称',
    online_seconds INT NULL COMMENT '在线时长（秒）',
    learn_seconds INT NULL COMMENT '学习时长合计（秒）',
    live_seconds INT NULL COMMENT '看直播的时长（秒）',
    replay_seconds INT NULL COMMENT '看回放的时长（秒）',
    comment_num INT NULL COMMENT '评论数',
    amount DECIMAL(12, 2) NULL COMMENT '该用户在直播间的消费（元，接口为分）',
    problem_columns VARCHAR(1000) NULL COMMENT '读不出的字段（逗号分隔）；正常为空',
    row_hash BIGINT UNSIGNED NOT NULL COMMENT '解析后数据的哈希；相同则不写入',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希；相同则不解析',
    observed_at DATETIME(3) NOT NULL COMMENT '数据观测时间（UTC，请求发出之前）',
    batch_id CHAR(16) NOT NULL COMMENT '写入批次，对应 sync_runs.batch_id',
    absent_since DATETIME(3) NULL COMMENT '接口不再返回该观众的时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, row_key),
    KEY idx_live_viewers_live (shop_id, live_id, observed_at, absent_since),
    KEY idx_live_viewers_user (shop_id, user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '直播观众：每场直播每人一行';

CREATE TABLE IF NOT EXISTS learning_days (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    row_key VARCHAR(128) NOT NULL COMMENT '主键：日期/用户ID',
    day DATE NULL COMMENT '日期（北京时间）',
    user_id VARCHAR(128) NULL COMMENT '用户ID',
    stay_seconds INT NULL COMMENT '当日学习时长（秒）',
    problem_columns VARCHAR(1000) NULL COMMENT '读不出的字段（逗号分隔）；正常为空',
    row_hash BIGINT UNSIGNED NOT NULL COMMENT '解析后数据的哈希；相同则不写入',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希；相同则不解析',
    observed_at DATETIME(3) NOT NULL COMMENT '数据观测时间（UTC，请求发出之前）',
    batch_id CHAR(16) NOT NULL COMMENT '写入批次，对应 sync_runs.batch_id',
    absent_since DATETIME(3) NULL COMMENT '接口不再返回该记录的时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, row_key),
    KEY idx_learning_days_day (shop_id, day, user_id),
    KEY idx_learning_days_user (shop_id, user_id, day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '每日学习时长：每天每人一行，没有学习的日子没有行';

CREATE TABLE IF NOT EXISTS learning_progress (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    row_key VARCHAR(128) NOT NULL COMMENT '主键：用户ID/学习记录ID',
    user_id VARCHAR(128) NULL COMMENT '用户ID',
    resource_id VARCHAR(128) NULL COMMENT '内容ID',
    product_id VARCHAR(128) NULL COMMENT '所属商品ID（专栏、课程等）；单独的内容为空',
    record_id VARCHAR(128) NULL COMMENT '学习记录ID',
    resource_type INT NULL COMMENT '内容类型代码（原始值）',
    resource_type_text VARCHAR(32) NULL COMMENT '内容类型；未知代码为空',
    progress DECIMAL(20, 4) NULL COMMENT '当前学习进度（接口原值，通常为百分比）',
    max_progress DECIMAL(20, 4) NULL COMMENT '最高学习进度（接口原值，通常为百分比）',
    is_finished INT NULL COMMENT '是否学完：1 是、0 否（接口原值）',
    finished_at DATETIME NULL COMMENT '学完时间（北京时间）',
    last_learned_at DATETIME NULL COMMENT '最近学习时间（北京时间）',
    stay_seconds INT NULL COMMENT '累计学习时长（秒）',
    created_at DATETIME NULL COMMENT '开始学习的时间（北京时间）',
    problem_columns VARCHAR(1000) NULL COMMENT '读不出的字段（逗号分隔）；正常为空',
    row_hash BIGINT UNSIGNED NOT NULL COMMENT '解析后数据的哈希；相同则不写入',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希；相同则不解析',
    observed_at DATETIME(3) NOT NULL COMMENT '数据观测时间（UTC，请求发出之前）',
    batch_id CHAR(16) NOT NULL COMMENT '写入批次，对应 sync_runs.batch_id',
    absent_since DATETIME(3) NULL COMMENT '接口不再返回该记录的时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, row_key),
    KEY idx_learning_progress_user (shop_id, user_id, observed_at, absent_since),
    KEY idx_learning_progress_resource (shop_id, resource_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '学习进度：每人每个课程内容一行；同一内容经不同专栏或终端学习的各一行';

CREATE TABLE IF NOT EXISTS promoters (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    user_id VARCHAR(128) NOT NULL COMMENT '推广员的用户ID',
    nickname TEXT NULL COMMENT '昵称',
    avatar TEXT NULL COMMENT '头像地址',
    level TEXT NULL COMMENT '等级（接口原值）',
    group_id VARCHAR(128) NULL COMMENT '分组ID',
    group_name TEXT NULL COMMENT '分组名称',
    problem_columns VARCHAR(1000) NULL COMMENT '读不出的字段（逗号分隔）；正常为空',
    row_hash BIGINT UNSIGNED NOT NULL COMMENT '解析后数据的哈希；相同则不写入',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希；相同则不解析',
    observed_at DATETIME(3) NOT NULL COMMENT '数据观测时间（UTC，请求发出之前）',
    batch_id CHAR(16) NOT NULL COMMENT '写入批次，对应 sync_runs.batch_id',
    absent_since DATETIME(3) NULL COMMENT '推广员列表不再返回该用户的时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '推广员';

CREATE TABLE IF NOT EXISTS promoter_customers (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    row_key VARCHAR(128) NOT NULL COMMENT '主键：推广员的用户ID/客户的用户ID',
    promoter_id VARCHAR(128) NULL COMMENT '推广员的用户ID',
    customer_id VARCHAR(128) NULL COMMENT '客户的用户ID',
    order_count INT NULL COMMENT '客户的订单数',
    amount DECIMAL(12, 2) NULL COMMENT '客户的消费合计（元，接口为分）',
    bound_at DATETIME NULL COMMENT '绑定时间（北京时间）',
    status INT NULL COMMENT '绑定状态代码（原始值）',
    expires_at DATETIME NULL COMMENT '绑定失效时间（北京时间，接口原值）',
    problem_columns VARCHAR(1000) NULL COMMENT '读不出的字段（逗号分隔）；正常为空',
    row_hash BIGINT UNSIGNED NOT NULL COMMENT '解析后数据的哈希；相同则不写入',
    raw_hash BIGINT UNSIGNED NOT NULL COMMENT '接口原文的哈希；相同则不解析',
    observed_at DATETIME(3) NOT NULL COMMENT '数据观测时间（UTC，请求发出之前）',
    batch_id CHAR(16) NOT NULL COMMENT '写入批次，对应 sync_runs.batch_id',
    absent_since DATETIME(3) NULL COMMENT '接口不再返回该客户的时间（UTC）；正常为空',
    PRIMARY KEY (shop_id, row_key),
    KEY idx_promoter_customers_promoter (shop_id, promoter_id, observed_at, absent_since),
    KEY idx_promoter_customers_customer (shop_id, customer_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '推广员的客户：每个推广员每个客户一行';

CREATE TABLE IF NOT EXISTS parent_readings (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 live_viewers',
    parent_id VARCHAR(128) NOT NULL COMMENT '上级对象：直播ID、用户ID、日期等',
    observed_at DATETIME(3) NOT NULL COMMENT '最近一次完整读取的时间（UTC）',
    same_since DATETIME(3) NOT NULL COMMENT '从这次读取起内容未变（UTC）；等于 observed_at 即刚有变化',
    listed INT NOT NULL COMMENT '最近一次读到的行数',
    batch_id CHAR(16) NOT NULL COMMENT '批次，对应 sync_runs.batch_id',
    PRIMARY KEY (shop_id, resource, parent_id),
    KEY idx_parent_readings_observed (shop_id, resource, observed_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '逐个读取的列表：每个上级对象最近一次读取';

CREATE TABLE IF NOT EXISTS parent_coverage (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    resource VARCHAR(32) NOT NULL COMMENT '资源，如 learning_progress',
    mode VARCHAR(32) NOT NULL COMMENT '同步方式',
    wanted INT NOT NULL COMMENT '最近一次运行时需要读取的上级对象数',
    reached INT NOT NULL COMMENT '其中本次读到的',
    postponed INT NOT NULL COMMENT '其中因每晚调用上限留到下次的；下次优先',
    oldest_at DATETIME(3) NULL COMMENT '留到下次的对象中，最早的上次读取时间（UTC）；有从未读过的为空',
    planned_at DATETIME(3) NOT NULL COMMENT '该次运行开始的时间（UTC）',
    PRIMARY KEY (shop_id, resource, mode)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '逐个读取的列表：最近一次运行的覆盖情况';

-- Who brought the buyer of an order.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW promoted_orders AS
SELECT
    o.shop_id,
    o.order_id,
    o.share_user_id AS promoter_id
FROM order_origins AS o
WHERE o.share_user_id > '' AND o.absent_since IS NULL;
