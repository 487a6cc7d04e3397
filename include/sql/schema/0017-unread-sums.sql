-- Sums say how many rows they lack: orders and refunds whose amount, or the day that it belongs to, cannot be read.
-- depends: 0015-shop-checks

-- MySQL knows no ADD COLUMN IF NOT EXISTS. Figures are recomputed, because the rules of the marts changed.
SET @add_columns = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE mart_products_daily'
            ' ADD COLUMN orders_without_amount INT NOT NULL DEFAULT 0'
            ' COMMENT ''金额缺失或无法解析的支付订单数（按支付日；支付时间无法解析的按下单日）'' AFTER paid_amount,'
            ' ADD COLUMN refunds_without_amount INT NOT NULL DEFAULT 0'
            ' COMMENT ''退款金额缺失或无法解析的退款订单数（按退款日；退款时间无法解析的按下单日）'' AFTER refund_amount',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE
        table_schema = DATABASE() AND table_name = 'mart_products_daily' AND column_name = 'refunds_without_amount'
);

PREPARE add_columns FROM @add_columns;

EXECUTE add_columns;

SET @add_columns = (
    SELECT
        IF(
            COUNT(*) = 0,
            'ALTER TABLE bi_sales_daily'
            ' ADD COLUMN orders_without_amount INT NOT NULL DEFAULT 0'
            ' COMMENT ''金额缺失或无法解析的支付订单数（按支付日；支付时间无法解析的按下单日）'' AFTER paid_amount,'
            ' ADD COLUMN refunds_without_amount INT NOT NULL DEFAULT 0'
            ' COMMENT ''退款金额缺失或无法解析的退款订单数（按退款日；退款时间无法解析的按下单日）'' AFTER refund_amount',
            'DO 0'
        )
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'bi_sales_daily' AND column_name = 'refunds_without_amount'
);

PREPARE add_columns FROM @add_columns;

EXECUTE add_columns;

DEALLOCATE PREPARE add_columns;

ALTER TABLE bi_benefits_daily
    MODIFY order_amount DECIMAL(18, 2) NOT NULL COMMENT '订单金额（元）；默认不含导入订单';

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
    m.orders_without_amount,
    m.imported_orders,
    m.imported_amount,
    m.refund_orders,
    m.full_refund_orders,
    m.refund_amount,
    m.refunds_without_amount,
    m.refund_orders_by_pay_day,
    m.refund_amount_by_pay_day,
    m.paid_amount - m.refund_amount AS net_amount,
    m.paid_amount - m.refund_amount_by_pay_day AS net_amount_by_pay_day
FROM mart_products_daily AS m
LEFT JOIN products AS p ON m.shop_id = p.shop_id AND m.resource_id = p.resource_id;
