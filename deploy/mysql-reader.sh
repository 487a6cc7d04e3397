#!/usr/bin/env bash
# Make the database user of the dashboards, or bring it up to date: it may read the tables bi_*, each granted by name,
# and nothing else.
set -euo pipefail

export MYSQL_PWD=$MYSQL_ROOT_PASSWORD
sql() { mysql --host=mysql --user=root --batch --skip-column-names "$@"; }

tables=$(sql --execute="SELECT table_name FROM information_schema.tables
  WHERE table_schema = 'xiaoe' AND table_name LIKE 'bi\\_%'")
if [ -z "$tables" ]; then
  echo "this server holds no tables bi_*: with another WAREHOUSE, make the user bi_reader there (docs/deployment.md)"
  exit
fi
{
  echo "CREATE USER IF NOT EXISTS 'bi_reader'@'%' IDENTIFIED BY '$BI_READER_PASSWORD';"
  echo "ALTER USER 'bi_reader'@'%' IDENTIFIED BY '$BI_READER_PASSWORD';"
  echo "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'bi_reader'@'%';"
  for table in $tables; do echo "GRANT SELECT ON xiaoe.\`$table\` TO 'bi_reader'@'%';"; done
} | sql
echo "bi_reader may read: $(echo $tables)"
