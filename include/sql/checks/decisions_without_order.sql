{#- Decisions on orders that are gone from the warehouse. -#}
SELECT d.order_id AS finding
FROM benefit_decisions AS d
LEFT JOIN orders AS o ON d.shop_id = o.shop_id AND d.order_id = o.order_id
WHERE {{ recent_decisions }} AND o.order_id IS NULL
