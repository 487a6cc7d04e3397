-- What is known of the API since November 2026 (docs/xiaoe-api.md): more columns of orders and after-sales; imported
-- orders, which are no revenue.
-- depends: 0011-comments

-- MySQL knows no ADD COLUMN IF NOT EXISTS. Rows get the new values when a run next sees them; is_imported follows
-- client_type at once.
SET @add_columns = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE orders'
            ' ADD COLUMN discount_price DECIMAL(12, 2) NULL COMMENT ''优惠总额（元，接口为分）；含优惠券'' AFTER coupon_price,'
            ' ADD COLUMN client_type_text VARCHAR(32) NULL COMMENT ''客户端类型；未知代码为空'' AFTER client_type,'
            ' ADD COLUMN order_type VARCHAR(128) NULL COMMENT ''订单类型代码（原始值）；可多个，逗号分隔'' AFTER client_type_text,'
            ' ADD COLUMN order_type_text VARCHAR(512) NULL COMMENT ''订单类型；未知代码略去'' AFTER order_type,'
            ' ADD COLUMN after_sales_state_text VARCHAR(32) NULL COMMENT ''售后状态；未知代码为空'' AFTER after_sales_state,'
            ' ADD COLUMN sales_state_text VARCHAR(32) NULL COMMENT ''销售状态；未知代码为空'' AFTER sales_state,'
            ' ADD COLUMN is_imported TINYINT GENERATED ALWAYS AS ('
            'COALESCE(client_type IN (10, 30), 0)'
            ' OR COALESCE(FIND_IN_SET(30, order_type) > 0, 0) OR COALESCE(FIND_IN_SET(70, order_type) > 0, 0)'
            ') VIRTUAL COMMENT ''是否导入订单：1 由开放API或管理台导入，默认不计入营收'' AFTER order_type_text',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'is_imported'
);

PREPARE add_columns FROM @add_columns;

EXECUTE add_columns;

SET @add_columns = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE refunds'
            ' ADD COLUMN state_reason TEXT NULL COMMENT ''状态原因（接口原文）'' AFTER state_text,'
            ' ADD COLUMN sale_type_name TEXT NULL COMMENT ''售后类型名称（接口原文）'' AFTER sale_type_text,'
            ' ADD COLUMN goods_count INT NULL COMMENT ''商品条目数'' AFTER goods_name',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'refunds' AND column_name = 'goods_count'
);

PREPARE add_columns FROM @add_columns;

EXECUTE add_columns;

ALTER TABLE users MODIFY punch_count INT NULL COMMENT '购买次数；接口名为 punch_count，并非打卡';

SET @add_columns = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE mart_products_daily'
            ' ADD COLUMN imported_orders INT NOT NULL DEFAULT 0 COMMENT ''导入订单数（按支付日）'' AFTER paid_amount,'
            ' ADD COLUMN imported_amount DECIMAL(18, 2) NOT NULL DEFAULT 0 COMMENT ''导入订单金额（按支付日，元）'''
            ' AFTER imported_orders',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'mart_products_daily' AND column_name = 'imported_amount'
);

PREPARE add_columns FROM @add_columns;

EXECUTE add_columns;

SET @add_columns = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE bi_sales_daily'
            ' ADD COLUMN imported_orders INT NOT NULL DEFAULT 0 COMMENT ''导入订单数（按支付日）'' AFTER paid_amount,'
            ' ADD COLUMN imported_amount DECIMAL(18, 2) NOT NULL DEFAULT 0 COMMENT ''导入订单金额（按支付日，元）'''
            ' AFTER imported_orders',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'bi_sales_daily' AND column_name = 'imported_amount'
);

PREPARE add_columns FROM @add_columns;

EXECUTE add_columns;

DEALLOCATE PREPARE add_columns;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW bi_products_daily AS
SELECT
    m.shop_id,
    m.day,
    m.resource_id,
    COALESCE(NULLIF(LEFT(p.name, 255), ''), m.resource_id) AS product_name,
    m.product_type,
    COALESCE(p.sale_status_text, '未知') AS sale_status,
    m.channel,
    m.orders_created,
    m.orders_paid,
    m.quantity_paid,
    m.paid_amount,
    m.imported_orders,
    m.imported_amount,
    m.refund_orders,
    m.full_refund_orders,
    m.refund_amount,
    m.refund_orders_by_pay_day,
    m.refund_amount_by_pay_day,
    m.paid_amount - m.refund_amount AS net_amount,
    m.paid_amount - m.refund_amount_by_pay_day AS net_amount_by_pay_day
FROM mart_products_daily AS m
LEFT JOIN products AS p ON m.shop_id = p.shop_id AND m.resource_id = p.resource_id;

CREATE TABLE IF NOT EXISTS mart_rules (
    shop_id VARCHAR(64) NOT NULL COMMENT '店铺ID（app_id）',
    rules VARCHAR(64) NOT NULL COMMENT '报表现有数据所依据的口径；与程序不同时全部重算',
    PRIMARY KEY (shop_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '报表口径';

-- State 11 alone no longer says that money went back, and a refund that was under way in time now counts
-- (docs/benefits.md): these are decided on again.
INSERT IGNORE INTO benefit_queue (shop_id, order_id)
SELECT
    shop_id,
    order_id
FROM orders
WHERE order_state = 11;

INSERT IGNORE INTO benefit_queue (shop_id, order_id)
SELECT DISTINCT
    shop_id,
    order_id
FROM order_state_log
WHERE field = 'order_state' AND (old_value IN ('8', '11') OR new_value IN ('8', '11'));
