{#- Hints that nobody has looked up for two hours; each is tried again after minutes, and hourly. -#}
SELECT
    CONCAT(
        IF(h.source = 'push', '消息推送', '变更列表'), '：', COUNT(*), ' 条，最早的于 ',
        DATE_FORMAT(MIN(h.told_at) + INTERVAL 8 HOUR, '%Y-%m-%d %H:%i'), ' 收到，如 ', MIN(h.order_id)
    ) AS finding
FROM change_hints AS h
WHERE
    h.shop_id = '{{ shop_id }}' AND h.told_at < CAST('{{ now_beijing }}' AS DATETIME) - INTERVAL 10 HOUR
GROUP BY h.source
