{#- Fields that are stored, that every row had, and that no longer come: their columns become empty. -#}
SELECT
    CONCAT(
        f.resource, '.', f.field, '：', DATE_FORMAT(f.missing_since + INTERVAL 8 HOUR, '%Y-%m-%d %H:%i'), ' 起不再出现，此前形如 ',
        f.shape, ' (every row had it, and now none has)'
    ) AS finding
FROM api_fields AS f
WHERE f.shop_id = '{{ shop_id }}' AND f.is_stored = 1 AND f.missing_since IS NOT NULL
