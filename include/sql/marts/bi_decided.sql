{#- Counts the changes of decisions on the days from `first` up to `end` of Beijing. -#}
{%- from "marts/bi_macros.jinja" import decision_text -%}

DELETE FROM bi_benefit_changes_daily
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }};

INSERT INTO bi_benefit_changes_daily (shop_id, day, old_decision, old_text, new_decision, new_text, changes)
SELECT
    {{ shop }} AS shop_id,
    c.day,
    c.old_decision,
    {{ decision_text.format("c.old_decision") }} AS old_text,
    c.new_decision,
    {{ decision_text.format("c.new_decision") }} AS new_text,
    c.changes
FROM (
    SELECT
        DATE(decided_at + INTERVAL 8 HOUR) AS day,
        COALESCE(old_decision, '') AS old_decision,
        new_decision,
        COUNT(*) AS changes
    FROM benefit_decision_log
    WHERE
        shop_id = {{ shop }} AND decided_at >= CAST({{ first }} AS DATETIME) - INTERVAL 8 HOUR
        AND decided_at < CAST({{ end }} AS DATETIME) - INTERVAL 8 HOUR
    GROUP BY 1, 2, 3
) AS c;
