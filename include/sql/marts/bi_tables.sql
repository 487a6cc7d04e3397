{#- Temporary tables of a run of bi_days.sql and bi_buyers.sql; made for each, before the transaction begins. Each has
    a primary key: a server may require one (sql_require_primary_key). -#}
DROP TEMPORARY TABLE IF EXISTS mart_facts;

CREATE TEMPORARY TABLE mart_facts (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    day DATE NOT NULL,
    product_type VARCHAR(48) NOT NULL,
    resource_id VARCHAR(128) NOT NULL,
    channel VARCHAR(64) NOT NULL,
    user_id VARCHAR(128) NOT NULL,
    orders_created INT NOT NULL,
    orders_paid INT NOT NULL,
    quantity_paid BIGINT NOT NULL,
    paid_amount DECIMAL(24, 2) NOT NULL,
    orders_without_amount INT NOT NULL,
    imported_orders INT NOT NULL,
    imported_amount DECIMAL(24, 2) NOT NULL,
    refund_orders INT NOT NULL,
    full_refund_orders INT NOT NULL,
    refund_amount DECIMAL(24, 2) NOT NULL,
    refunds_without_amount INT NOT NULL,
    refund_orders_by_pay_day INT NOT NULL,
    refund_amount_by_pay_day DECIMAL(24, 2) NOT NULL,
    age_days INT NULL,
    order_type VARCHAR(128) NOT NULL,
    discount VARCHAR(16) NOT NULL,
    coupon VARCHAR(128) NOT NULL,
    coupon_amount DECIMAL(24, 2) NOT NULL,
    discount_amount DECIMAL(24, 2) NOT NULL,
    PRIMARY KEY (id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

DROP TEMPORARY TABLE IF EXISTS mart_users;

CREATE TEMPORARY TABLE mart_users (
    user_id VARCHAR(128) NOT NULL,
    first_day DATE NOT NULL,
    PRIMARY KEY (user_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

DROP TEMPORARY TABLE IF EXISTS mart_moved;

CREATE TEMPORARY TABLE mart_moved (
    user_id VARCHAR(128) NOT NULL,
    old_day DATE NULL,
    new_day DATE NULL,
    PRIMARY KEY (user_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

DROP TEMPORARY TABLE IF EXISTS mart_due;

CREATE TEMPORARY TABLE mart_due (
    user_id VARCHAR(128) NOT NULL,
    person_id VARCHAR(128) NOT NULL,
    PRIMARY KEY (user_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
