{#- An id that differs from the row's it is joined with; the database ignores blanks at the end, and only those. -#}
SELECT o.order_id AS finding
FROM orders AS o
INNER JOIN users AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id
WHERE {{ recent_orders }} AND LENGTH(o.user_id) <> LENGTH(m.user_id)
UNION ALL
SELECT o.order_id AS finding
FROM orders AS o
INNER JOIN products AS m ON o.shop_id = m.shop_id AND o.resource_id = m.resource_id
WHERE {{ recent_orders }} AND LENGTH(o.resource_id) <> LENGTH(m.resource_id)
UNION ALL
SELECT r.aftersale_id AS finding
FROM refunds AS r
INNER JOIN orders AS m ON r.shop_id = m.shop_id AND r.order_id = m.order_id
WHERE {{ recent_refunds }} AND LENGTH(r.order_id) <> LENGTH(m.order_id)
