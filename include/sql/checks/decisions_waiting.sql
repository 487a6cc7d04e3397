{#- Decisions that wait, long after their deadline, for somebody to look at the order. -#}
SELECT d.order_id AS finding
FROM benefit_decisions AS d
WHERE
    d.shop_id = '{{ shop_id }}' AND d.decision = 'pending'
    AND d.deadline_at < '{{ now_beijing }}' - INTERVAL {{ wait_hours }} HOUR
