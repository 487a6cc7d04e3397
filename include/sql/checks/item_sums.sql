{#- Orders whose lines do not add up to the price, or that have none; both NULL is equal. -#}
SELECT o.order_id AS finding
FROM orders AS o
LEFT JOIN order_items AS i ON o.shop_id = i.shop_id AND o.order_id = i.order_id
WHERE {{ recent_orders }}
GROUP BY o.shop_id, o.order_id
HAVING COUNT(i.line_no) = 0 OR NOT (SUM(i.amount) <=> MAX(o.price))
