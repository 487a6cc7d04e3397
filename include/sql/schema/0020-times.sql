-- No time before 2010, or more than a day in the future, is a fact: until this version, "never" as other programs write
-- it (1970, 0001, 9999) could be stored as one. These times become empty, with all that rests on them; the next reading
-- types such rows again. An UPDATE that finds no such time does nothing, so this can be repeated.
-- depends: 0019-sums

INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'buyers' AS kind,
    DATE(pay_time) AS day
FROM orders
WHERE pay_time < '2010-01-01' OR pay_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'sales' AS kind,
    DATE(created_time) AS day
FROM orders
WHERE created_time < '2010-01-01' OR created_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    shop_id,
    'sales' AS kind,
    DATE(refund_time) AS day
FROM orders
WHERE refund_time < '2010-01-01' OR refund_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

INSERT IGNORE INTO benefit_queue (shop_id, order_id)
SELECT
    shop_id,
    order_id
FROM orders
WHERE
    created_time < '2010-01-01' OR created_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR pay_time < '2010-01-01' OR pay_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR refund_time < '2010-01-01' OR refund_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR settle_time < '2010-01-01' OR settle_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

INSERT IGNORE INTO benefit_queue (shop_id, order_id)
SELECT DISTINCT
    shop_id,
    order_id
FROM refunds
WHERE
    order_id > ''
    AND (
        created_at < '2010-01-01'
        OR created_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR
        OR updated_at < '2010-01-01'
        OR updated_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    );

UPDATE orders
SET
    raw_hash = 0,
    row_hash = 0,
    created_time
    = IF(created_time < '2010-01-01' OR created_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, created_time),
    pay_time = IF(pay_time < '2010-01-01' OR pay_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, pay_time),
    refund_time = IF(refund_time < '2010-01-01' OR refund_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, refund_time),
    settle_time = IF(settle_time < '2010-01-01' OR settle_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, settle_time)
WHERE
    created_time < '2010-01-01' OR created_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR pay_time < '2010-01-01' OR pay_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR refund_time < '2010-01-01' OR refund_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR settle_time < '2010-01-01' OR settle_time > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

UPDATE refunds
SET
    raw_hash = 0,
    row_hash = 0,
    created_at = IF(created_at < '2010-01-01' OR created_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, created_at),
    updated_at = IF(updated_at < '2010-01-01' OR updated_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, updated_at)
WHERE
    created_at < '2010-01-01' OR created_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR updated_at < '2010-01-01' OR updated_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

UPDATE users
SET
    raw_hash = 0,
    row_hash = 0,
    registered_at
    = IF(registered_at < '2010-01-01' OR registered_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, registered_at),
    last_visited_at
    = IF(last_visited_at < '2010-01-01' OR last_visited_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, last_visited_at)
WHERE
    registered_at < '2010-01-01' OR registered_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR last_visited_at < '2010-01-01' OR last_visited_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

UPDATE products
SET
    raw_hash = 0,
    row_hash = 0,
    created_at = IF(created_at < '2010-01-01' OR created_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, created_at),
    updated_at = IF(updated_at < '2010-01-01' OR updated_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, updated_at)
WHERE
    created_at < '2010-01-01' OR created_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR
    OR updated_at < '2010-01-01' OR updated_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR;

UPDATE live_streams
SET
    raw_hash = 0,
    row_hash = 0,
    manual_stop_at
    = IF(manual_stop_at < '2010-01-01' OR manual_stop_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR, NULL, manual_stop_at)
WHERE
    manual_stop_at < '2010-01-01' OR manual_stop_at > UTC_TIMESTAMP() + INTERVAL 32 HOUR;
