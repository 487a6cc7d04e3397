{#- Counts the decisions whose deadline lies on the days from `first` up to `end`, as they are now.
    Imported orders are decided on as well, and are no revenue: their amount is left out, as in bi_days.sql. -#}
{%- from "marts/bi_macros.jinja" import product_type, counted -%}

DELETE FROM bi_benefits_daily
WHERE shop_id = {{ shop }} AND deadline_day >= {{ first }} AND deadline_day < {{ end }};

INSERT INTO bi_benefits_daily (
    shop_id, deadline_day, decision, decision_text, reason, product_type, orders, order_amount
)
SELECT
    {{ shop }} AS shop_id,
    DATE(d.deadline_at) AS deadline_day,
    d.decision,
    MAX(d.decision_text) AS decision_text,
    d.reason,
    {{ product_type }} AS product_type,
    COUNT(*) AS orders,
    SUM(IF({{ counted(count_imported) }}, COALESCE(o.price, 0), 0)) AS order_amount
FROM benefit_decisions AS d FORCE INDEX (idx_benefit_decisions_decision)
LEFT JOIN orders AS o ON d.shop_id = o.shop_id AND d.order_id = o.order_id
WHERE
    d.shop_id = {{ shop }} AND d.decision IN ('pending', 'grant', 'revoke', 'review', 'not_applicable')
    AND d.deadline_at >= {{ first }} AND d.deadline_at < {{ end }}
GROUP BY 2, 3, 5, 6;
