{#- The different buyers from the moment `first` up to `end`, as in kpi_between.sql: read from the key alone. -#}
{%- from "marts/bi_macros.jinja" import counted, person -%}
SELECT COUNT(DISTINCT NULLIF({{ person }}, '')) AS buyers
FROM orders AS o FORCE INDEX (idx_orders_paid)
LEFT JOIN mart_people AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id
WHERE
    o.shop_id = {{ shop }} AND o.pay_time >= {{ first }} AND o.pay_time < {{ end }}
    AND o.absent_since IS NULL AND {{ counted(count_imported) }}
