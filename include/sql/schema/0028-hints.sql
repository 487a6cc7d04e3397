-- Hints that an order changed, and what came of looking these orders up.
-- depends: 0027-golive

-- A row per hint, never updated: whoever adds one does not wait for a merge that takes others.
CREATE TABLE IF NOT EXISTS change_hints (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    source VARCHAR(16) NOT NULL COMMENT '提示来源：push 消息推送、list 变更列表（订单列表 2.0）',
    changed_at DATETIME NULL COMMENT '来源所述的变更时间（北京时间）；未说明为空',
    told_at DATETIME(3) NOT NULL COMMENT '收到提示的时间（UTC）',
    PRIMARY KEY (id),
    KEY idx_change_hints_shop (shop_id, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '待核对的订单变更提示；核对入库时移除';

CREATE TABLE IF NOT EXISTS hint_looks (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    batch_id CHAR(16) NOT NULL COMMENT '核对批次，对应 sync_runs.batch_id',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    source VARCHAR(16) NOT NULL COMMENT '最早一条提示的来源：push、list',
    hints INT NOT NULL COMMENT '合并为一次核对的提示条数',
    changed_at DATETIME NULL COMMENT '最早一条提示所述的变更时间（北京时间）；未说明为空',
    told_at DATETIME(3) NOT NULL COMMENT '最早一条提示的收到时间（UTC）',
    taken_at DATETIME(3) NOT NULL COMMENT '核对入库的时间（UTC）',
    outcome VARCHAR(16) NOT NULL
    COMMENT '结果：new 新订单、changed 有变化、same 无变化、seen 此前已读到、unlisted 接口未返回',
    PRIMARY KEY (shop_id, batch_id, order_id),
    KEY idx_hint_looks_order (shop_id, order_id, told_at),
    KEY idx_hint_looks_taken (shop_id, taken_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '订单变更提示的核对结果：每批每单一行';
