{#- What went wrong with pushed messages since yesterday, day by day. -#}
SELECT
    CONCAT(
        d.day, '：',
        CONCAT_WS(
            '；',
            IF(d.refused > 0, CONCAT(d.refused, ' 次未收下，最近一次 ', d.last_refusal), NULL),
            IF(d.over_limit > 0, CONCAT('超出每日条数上限，', d.over_limit, ' 次未收下'), NULL),
            IF(d.without_content > 0, CONCAT('超出每日存储上限，', d.without_content, ' 条只留提示'), NULL),
            IF(d.unreadable > 0, CONCAT(d.unreadable, ' 条无法解析'), NULL)
        )
    ) AS finding
FROM push_days AS d
WHERE
    d.shop_id = '{{ shop_id }}' AND d.day >= DATE('{{ now_beijing }}') - INTERVAL 1 DAY
    AND d.refused + d.over_limit + d.without_content + d.unreadable > 0
