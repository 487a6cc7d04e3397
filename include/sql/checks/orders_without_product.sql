{#- One order for each product without a row: the merge infers one for each. -#}
SELECT named.order_id AS finding
FROM (
    SELECT
        o.resource_id,
        MIN(o.order_id) AS order_id
    FROM orders AS o
    WHERE {{ recent_orders }} AND o.resource_id > ''
    GROUP BY o.resource_id
) AS named
LEFT JOIN products AS m ON m.shop_id = '{{ shop_id }}' AND named.resource_id = m.resource_id
WHERE m.resource_id IS NULL
