{#- Merges the chunk in staging into the resource's table, where nothing else hangs on its rows; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}
{{ upsert(task.declaration) }}
