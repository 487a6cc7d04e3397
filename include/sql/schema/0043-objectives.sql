-- Objectives: how soon what happened in the shop reached the warehouse, and what is left of the error budget.
-- depends: 0033-speed

-- Written by a merge (orders) and by a decision (refunds), in their transaction; never by the history, a file or a
-- rebuild.
CREATE TABLE IF NOT EXISTS objective_events (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    objective VARCHAR(32) NOT NULL COMMENT '目标：order_arrival 订单入库、refund_decision 退款判定',
    began_at DATETIME NOT NULL COMMENT '下单时间或退款时间（北京时间）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    reached_at DATETIME(3) NOT NULL COMMENT '首次入库，或据此退款首次判定的时间（UTC）',
    PRIMARY KEY (shop_id, objective, began_at, order_id),
    KEY idx_objective_events_reached (reached_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '时效目标的事件：每单何时入库、每笔退款何时判定';

CREATE TABLE IF NOT EXISTS objective_status (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    objective VARCHAR(32) NOT NULL COMMENT '目标：order_arrival 订单入库、refund_decision 退款判定',
    since DATETIME(3) NOT NULL COMMENT '起算时间（UTC）：此前下的单、退的款不计',
    state VARCHAR(16) NOT NULL
    COMMENT '状态：kept 达标、burning 额度消耗过快、spent 额度用完、few 数量太少不判断',
    target_percent DECIMAL(5, 2) NOT NULL COMMENT '目标（%）',
    within_seconds INT NOT NULL COMMENT '时限（秒）',
    in_time BIGINT NOT NULL COMMENT '近30天按时的数量',
    late DECIMAL(14, 1) NOT NULL COMMENT '近30天超时的数量，含尚未读到的时段按平时数量估计的',
    expected_late DECIMAL(14, 1) NOT NULL COMMENT '其中估计的数量',
    burn_hour DECIMAL(10, 1) NOT NULL COMMENT '近1小时额度消耗速度（1 为30天恰好用完）',
    burn_6_hours DECIMAL(10, 1) NOT NULL COMMENT '近6小时额度消耗速度',
    burn_3_days DECIMAL(10, 1) NOT NULL COMMENT '近3天额度消耗速度',
    stands_for VARCHAR(255) NOT NULL COMMENT '判断期间代替哪些同步的时限检查（逗号分隔）',
    evaluated_at DATETIME(3) NOT NULL COMMENT '计算时间（UTC）',
    PRIMARY KEY (shop_id, objective)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '时效目标的达成情况：每店每目标一行';

ALTER TABLE alerts
    MODIFY kind VARCHAR(16) NOT NULL
    COMMENT '类型：failed 任务失败、late 运行超时未完成、burning 时效目标的额度消耗过快';
