{#- Lists of parents that the budget of calls keeps from being read for more than a week. -#}
SELECT
    CONCAT(
        c.resource, '：', c.postponed, ' 个列表没轮到，',
        COALESCE(
            CONCAT('最早的上次读于 ', DATE_FORMAT(c.oldest_at + INTERVAL 8 HOUR, '%Y-%m-%d')), '其中有从未读过的'
        )
    ) AS finding
FROM parent_coverage AS c
WHERE
    c.shop_id = '{{ shop_id }}' AND c.postponed > 0
    AND (
        c.oldest_at < '{{ now_beijing }}' - INTERVAL 8 HOUR - INTERVAL 7 DAY
        OR (c.oldest_at IS NULL AND c.postponed > 7 * c.reached)
    )
