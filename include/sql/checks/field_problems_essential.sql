{#- Fields that sums and benefit decisions rest on and that cannot be read: once per field and reason, with the number
    of rows that the figures lack. -#}
SELECT
    CONCAT(
        p.resource, '.', p.field, '：', COUNT(*), ' 行，形如 ', MIN(p.shape), '（', p.reason, '），如 ', MIN(p.row_key)
    ) AS finding
FROM field_problems AS p
WHERE
    p.shop_id = '{{ shop_id }}' AND p.resolved_at IS NULL
    AND (
        p.resource = 'orders'
        AND p.column_name IN ('order_state', 'price', 'refund_money', 'pay_time', 'refund_time', 'created_time')
        OR p.resource = 'refunds'
        AND p.column_name IN ('state', 'sale_type', 'refund_money', 'created_at', 'updated_at')
    )
GROUP BY p.resource, p.field, p.reason
