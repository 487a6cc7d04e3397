{#- Orders that nobody decides on: every merge queues what it writes. -#}
SELECT o.order_id AS finding
FROM orders AS o
LEFT JOIN benefit_decisions AS d ON o.shop_id = d.shop_id AND o.order_id = d.order_id
LEFT JOIN benefit_queue AS q ON o.shop_id = q.shop_id AND o.order_id = q.order_id
WHERE {{ recent_orders }} AND d.order_id IS NULL AND q.order_id IS NULL
