{#- Sorts the buyers of a shop into segments, as of `today`, and counts them; docs/bi.md has the rule. Once a day: it
    reads all buyers, and who is recent changes with the day. Only who changes segment is written. -#}
{%- from "marts/bi_macros.jinja" import within_days, interval_text -%}
{%- set recent = "last_day > " ~ today ~ " - INTERVAL 90 DAY" -%}
{%- set worth = "net_amount * @mart_buyers >= @mart_net" -%}
{%- set segment -%}
CASE
        WHEN orders_paid > 1 AND {{ worth }} THEN IF({{ recent }}, '重要价值客户', '重要保持客户')
        WHEN orders_paid > 1 THEN IF({{ recent }}, '一般价值客户', '一般保持客户')
        WHEN {{ worth }} THEN IF({{ recent }}, '重要发展客户', '重要挽留客户')
        ELSE IF({{ recent }}, '一般发展客户', '一般挽留客户')
    END
{%- endset -%}
{%- set gap = "DATEDIFF(second_day, first_day)" -%}
SELECT
    COUNT(*) AS buyers,
    COALESCE(SUM(net_amount), 0) AS net_amount
INTO @mart_buyers, @mart_net
FROM mart_buyers
WHERE shop_id = {{ shop }};

UPDATE mart_buyers
SET
    segment = {{ segment }}
WHERE
    shop_id = {{ shop }} AND segment <> {{ segment }};

DELETE FROM bi_customers
WHERE shop_id = {{ shop }};

INSERT INTO bi_customers (
    shop_id, cohort_month, channel, segment, times, interval_text, within_days, buyers, orders_paid, span_days,
    paid_amount, refund_amount, as_of
)
SELECT
    {{ shop }} AS shop_id,
    first_day - INTERVAL DAYOFMONTH(first_day) - 1 DAY AS cohort_month,
    channel,
    segment,
    LEAST(orders_paid, 10) AS times,
    {{ interval_text(gap, "尚未复购") }} AS interval_text,
    MAX({{ within_days(gap) }}) AS within_days,
    COUNT(*) AS buyers,
    SUM(orders_paid) AS orders_paid,
    SUM(DATEDIFF(last_day, first_day)) AS span_days,
    SUM(paid_amount) AS paid_amount,
    SUM(refund_amount) AS refund_amount,
    {{ today }} AS as_of
FROM mart_buyers
WHERE shop_id = {{ shop }}
GROUP BY 2, 3, 4, 5, 6;
