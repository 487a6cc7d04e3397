-- What one row can hold, every sum over it can hold: counts of INT add up in BIGINT, money of DECIMAL(12, 2) in
-- DECIMAL(24, 2). MODIFY to the type that a column has does nothing, so this can be repeated.
-- depends: 0015-shop-checks

ALTER TABLE mart_products_daily
    MODIFY quantity_paid BIGINT NOT NULL COMMENT '支付件数',
    MODIFY paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）',
    MODIFY imported_amount DECIMAL(24, 2) NOT NULL DEFAULT 0 COMMENT '导入订单金额（按支付日，元）',
    MODIFY refund_amount DECIMAL(24, 2) NOT NULL COMMENT '退款金额（按退款日，元）',
    MODIFY refund_amount_by_pay_day DECIMAL(24, 2) NOT NULL COMMENT '退款金额（按支付日，元）';

ALTER TABLE bi_sales_daily
    MODIFY quantity_paid BIGINT NOT NULL COMMENT '支付件数',
    MODIFY paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）',
    MODIFY imported_amount DECIMAL(24, 2) NOT NULL DEFAULT 0 COMMENT '导入订单金额（按支付日，元）',
    MODIFY refund_amount DECIMAL(24, 2) NOT NULL COMMENT '退款金额（按退款日，元）',
    MODIFY refund_amount_by_pay_day DECIMAL(24, 2) NOT NULL COMMENT '退款金额（按支付日，元）',
    MODIFY net_amount DECIMAL(25, 2) GENERATED ALWAYS AS (paid_amount - refund_amount) VIRTUAL COMMENT '净收入（按退款日，元）',
    MODIFY net_amount_by_pay_day DECIMAL(25, 2) GENERATED ALWAYS AS (paid_amount - refund_amount_by_pay_day) VIRTUAL
    COMMENT '净收入（按支付日，元）';

ALTER TABLE bi_buyers_daily
    MODIFY paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）',
    MODIFY new_amount DECIMAL(24, 2) NOT NULL COMMENT '新客实收（元）',
    MODIFY returning_amount DECIMAL(24, 2) NOT NULL COMMENT '老客实收（元）';

ALTER TABLE mart_cohorts
    MODIFY paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（元）';

ALTER TABLE bi_refund_ages
    MODIFY refund_amount DECIMAL(24, 2) NOT NULL COMMENT '退款金额（元）';

ALTER TABLE bi_refund_curve
    MODIFY paid_amount DECIMAL(24, 2) NOT NULL COMMENT '实收金额（已满该天数，元）',
    MODIFY refund_amount DECIMAL(24, 2) NOT NULL COMMENT '累计退款金额（元）';

ALTER TABLE bi_benefits_daily
    MODIFY order_amount DECIMAL(24, 2) NOT NULL COMMENT '订单金额（元）';
