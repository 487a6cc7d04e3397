-- The first day of benefits of each shop, answers put off, and who exported what.
-- depends: 0021-morning

CREATE TABLE IF NOT EXISTS benefit_starts (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    since DATE NOT NULL COMMENT '福利起算日（北京时间）：规则未写 since 时，早于此日起算的订单不适用',
    recorded_at DATETIME(3) NOT NULL COMMENT '记录时间（UTC）；此后不再改动',
    PRIMARY KEY (shop_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '各店福利起算日：首次判定的当天';

-- A shop with decisions keeps every one of them: its benefits began with the earliest order decided on.
INSERT IGNORE INTO benefit_starts (shop_id, since, recorded_at)
SELECT
    d.shop_id,
    COALESCE(DATE(MIN(o.created_time)), '2000-01-01') AS since,
    UTC_TIMESTAMP(3) AS recorded_at
FROM benefit_decisions AS d
LEFT JOIN orders AS o ON d.shop_id = o.shop_id AND d.order_id = o.order_id
GROUP BY d.shop_id;

CREATE TABLE IF NOT EXISTS benefit_postponements (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    order_id VARCHAR(128) NOT NULL COMMENT '订单ID',
    basis CHAR(32) NOT NULL COMMENT '当时的事实摘要；事实变化后按新的问题再问',
    postponed_by VARCHAR(128) NOT NULL COMMENT '选择稍后再定的人',
    postponed_at DATETIME(3) NOT NULL COMMENT '选择稍后再定的时间（UTC）',
    PRIMARY KEY (shop_id, order_id, basis)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '福利人工复核中选择稍后再定的订单';

CREATE TABLE IF NOT EXISTS export_log (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT '序号',
    exported_at DATETIME(3) NOT NULL COMMENT '导出时间（UTC）',
    exported_by VARCHAR(128) NOT NULL COMMENT '导出人：Airflow 账号，或运行命令的系统用户',
    place VARCHAR(16) NOT NULL COMMENT '途径：page 监控页、command 命令行',
    content VARCHAR(32) NOT NULL COMMENT '导出的表',
    begin_at DATETIME NULL COMMENT '起始时间（北京时间，含）；不限为空',
    end_at DATETIME NULL COMMENT '结束时间（北京时间，不含）；不限为空',
    has_personal TINYINT NOT NULL COMMENT '是否含个人信息：1 含',
    kind VARCHAR(8) NOT NULL COMMENT '格式：csv、xlsx',
    row_count BIGINT NOT NULL COMMENT '行数',
    PRIMARY KEY (id),
    KEY idx_export_log_at (exported_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '导出记录（只增不改）';

ALTER TABLE benefit_notices MODIFY kind VARCHAR(16) NOT NULL COMMENT '内容：taken_back 发放后收回、waiting 截止后久未再次观测';

ALTER TABLE benefit_reviews MODIFY answer VARCHAR(16) NOT NULL COMMENT '答复：grant 发放福利、revoke 不发放福利';
