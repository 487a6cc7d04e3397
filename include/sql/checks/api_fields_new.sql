{#- Fields that are not stored and came up later than the first day on which the list was read, in the last week. -#}
WITH begun AS (
    SELECT
        a.shop_id,
        a.resource,
        MIN(a.first_seen_at) AS begun_at
    FROM api_fields AS a
    GROUP BY a.shop_id, a.resource
)

SELECT CONCAT(f.resource, '.', f.field, '：形如 ', f.shape) AS finding
FROM api_fields AS f
INNER JOIN begun AS b ON f.shop_id = b.shop_id AND f.resource = b.resource
WHERE
    f.shop_id = '{{ shop_id }}' AND f.is_stored = 0
    AND f.first_seen_at > b.begun_at + INTERVAL 1 DAY AND f.first_seen_at > UTC_TIMESTAMP() - INTERVAL 7 DAY
