{#- Temporary tables of a run of benefit_decisions.sql; made once per session, before the first transaction. -#}
CREATE TEMPORARY TABLE benefit_due (
    shop_id VARCHAR(64) NOT NULL,
    order_id VARCHAR(128) NOT NULL,
    PRIMARY KEY (shop_id, order_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TEMPORARY TABLE benefit_seen (
    since DATETIME NOT NULL,
    observed_at DATETIME(3) NULL,
    PRIMARY KEY (since)
);

CREATE TEMPORARY TABLE benefit_facts (
    shop_id VARCHAR(64) NOT NULL,
    order_id VARCHAR(128) NOT NULL,
    created_time DATETIME NULL,
    deadline_at DATETIME NULL,
    order_state INT NULL,
    is_paid TINYINT NULL,
    carries TINYINT NULL,
    is_early TINYINT NOT NULL,
    refund_money DECIMAL(12, 2) NULL,
    price DECIMAL(12, 2) NULL,
    refund_time DATETIME NULL,
    observed_at DATETIME(3) NULL,
    unreadable VARCHAR(128) NULL,
    is_stale TINYINT NOT NULL,
    is_absent TINYINT NOT NULL,
    is_imported TINYINT NOT NULL,
    began TINYINT NOT NULL,
    PRIMARY KEY (shop_id, order_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TEMPORARY TABLE benefit_aftersales (
    shop_id VARCHAR(64) NOT NULL,
    order_id VARCHAR(128) NOT NULL,
    asked_in_time INT NULL,
    open_in_time INT NULL,
    done_late INT NULL,
    done_at DATETIME NULL,
    is_unreadable TINYINT NULL,
    digest BIGINT NULL,
    PRIMARY KEY (shop_id, order_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TEMPORARY TABLE benefit_new (
    shop_id VARCHAR(64) NOT NULL,
    order_id VARCHAR(128) NOT NULL,
    decision VARCHAR(16) NOT NULL,
    reason VARCHAR(64) NOT NULL,
    deadline_at DATETIME NULL,
    observed_at DATETIME(3) NULL,
    basis CHAR(32) NOT NULL,
    decided_by VARCHAR(128) NOT NULL,
    PRIMARY KEY (shop_id, order_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
