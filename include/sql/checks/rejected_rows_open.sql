{#- Rows that could not be typed and have not been since. -#}
SELECT CONCAT(x.resource, ' ', COALESCE(x.row_key, '-'), '：', LEFT(x.reason, 100)) AS finding
FROM rejected_rows AS x
WHERE x.shop_id = '{{ shop_id }}' AND x.resolved_at IS NULL
