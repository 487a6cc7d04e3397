{#- One order for each buyer without a row: the merge infers one for each. -#}
SELECT named.order_id AS finding
FROM (
    SELECT
        o.user_id,
        MIN(o.order_id) AS order_id
    FROM orders AS o
    WHERE {{ recent_orders }} AND o.user_id > ''
    GROUP BY o.user_id
) AS named
LEFT JOIN users AS m ON m.shop_id = '{{ shop_id }}' AND named.user_id = m.user_id
WHERE m.user_id IS NULL
