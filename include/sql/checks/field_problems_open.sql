{#- Fields that cannot be read, once per field and reason. -#}
SELECT
    CONCAT(
        p.resource, '.', p.field, '：', COUNT(*), ' 行，形如 ', MIN(p.shape), '（', p.reason, '），如 ', MIN(p.row_key)
    ) AS finding
FROM field_problems AS p
WHERE p.shop_id = '{{ shop_id }}' AND p.resolved_at IS NULL
GROUP BY p.resource, p.field, p.reason
