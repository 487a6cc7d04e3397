-- The proof that no row is missing (docs/decisions/0026) reads these indexes, and no row of the tables.
-- depends: 0009-bi

ALTER TABLE orders
    DROP KEY idx_orders_created,
    ADD KEY idx_orders_created (shop_id, created_time, observed_at, absent_since);

ALTER TABLE refunds
    DROP KEY idx_refunds_updated,
    ADD KEY idx_refunds_updated (shop_id, updated_at, observed_at, absent_since);
