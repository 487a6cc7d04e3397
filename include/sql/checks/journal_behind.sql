{#- The journal was kept once and is no longer: a recovery would lose what came since. -#}
SELECT CONCAT('变更日志最近运送于 ', j.shipped_at + INTERVAL 8 HOUR) AS finding
FROM journal_status AS j
WHERE j.shipped_at < CAST('{{ now_beijing }}' AS DATETIME) - INTERVAL 8 HOUR - INTERVAL 10 MINUTE
