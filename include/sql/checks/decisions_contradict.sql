{#- Decisions that their own order contradicts (docs/benefits.md), unless the order waits for a decision or a person
    decided: revoked without any sign of a refund; granted although refunded in full in time; granted without a look
    at the order after its deadline. Observations are UTC, the deadline is Beijing. -#}
SELECT CONCAT(d.order_id, ' ', d.decision_text) AS finding
FROM benefit_decisions AS d
INNER JOIN orders AS o ON d.shop_id = o.shop_id AND d.order_id = o.order_id
LEFT JOIN benefit_queue AS q ON d.shop_id = q.shop_id AND d.order_id = q.order_id
WHERE
    {{ recent_decisions }} AND q.order_id IS NULL AND d.decision IN ('grant', 'revoke')
    AND d.reason NOT LIKE '人工复核%'
    AND (
        (
            d.decision = 'revoke' AND COALESCE(o.order_state, 0) NOT IN (3, 10)
            AND COALESCE(o.refund_money, 0) = 0 AND o.refund_time IS NULL
            AND NOT EXISTS (
                SELECT 1 FROM refunds AS r
                WHERE r.shop_id = d.shop_id AND r.order_id = d.order_id AND r.state IN (13, 14)
            )
        )
        OR (d.decision = 'grant' AND o.order_state IN (3, 10) AND o.refund_time <= d.deadline_at)
        OR (d.decision = 'grant' AND COALESCE(d.observed_at <= d.deadline_at - INTERVAL 8 HOUR, 1))
    )
