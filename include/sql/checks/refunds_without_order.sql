{#- After-sales whose order is not here a day after they changed: by then it was asked for. -#}
SELECT r.aftersale_id AS finding
FROM refunds AS r
LEFT JOIN orders AS o ON r.shop_id = o.shop_id AND r.order_id = o.order_id
WHERE
    {{ recent_refunds }} AND r.order_id > '' AND o.order_id IS NULL
    AND r.updated_at < '{{ now_beijing }}' - INTERVAL 1 DAY
