# Sourced after server.sh: what seekdb does otherwise. It comes as a Python package with a program inside, makes its
# data folder by itself, and lets in an administrator without a password until it is given one.
# shellcheck shell=bash

fetch_seekdb() {
  rm -rf "$TREE.new"
  say "fetching pylibseekdb"
  venv_uv pip install --quiet --python-version 3.11 --only-binary :all: --require-hashes --target "$TREE.new" \
    -r "$REPO/scripts/servers/seekdb.txt" || { rm -rf "$TREE.new"; return 1; }
  chmod +x "$TREE.new/pylibseekdb/seekdb"
  sed -n 's/^pylibseekdb==\([^ ]*\).*/\1/p' "$REPO/scripts/servers/seekdb.txt" >"$TREE.new/.version"
  mv "$TREE.new" "$TREE" # last, in one step: a tree that exists is complete
}

# As a server it would listen on every interface. Embedded, it has a socket only, and ends when nobody holds a shared lock
# on a file of its own: it inherits that lock.
launch_seekdb() {
  mkdir -p "$DATA/run"
  : >"$LOG"
  exec 8>>"$DATA/run/seekdb.clients"
  flock --shared 8
  # It would take a large part of the machine's memory and disk without these.
  setsid env "LD_LIBRARY_PATH=$TREE/pylibseekdb" "$PROGRAM" "$FOLDER" --nodaemon --embedded \
    --parameter memory_limit=2G --parameter log_disk_size=2G --parameter datafile_size=256M \
    </dev/null >"$RUN/out.log" 2>&1 9>&- &
  exec 8>&-
  echo $! >"$RUN/pid"
  echo "$1" >"$ROOT/port"
}

# Whether it answers; then the database exists, and the administrator has a password.
seekdb_is_ready() {
  PYTHONPATH=$TREE python3 - "$DATA/run/sql.sock" "$ROOT/password" 2>>"$LOG" <<'PYTHON'
import sys
from pathlib import Path

import pymysql

password = Path(sys.argv[2]).read_text()
for known in (password, ""):
    try:
        server = pymysql.connect(unix_socket=sys.argv[1], user="root", password=known, connect_timeout=2)
        break
    except pymysql.err.OperationalError as error:
        print(error, file=sys.stderr)
else:
    sys.exit(1)
with server.cursor() as cursor:
    cursor.execute("CREATE DATABASE IF NOT EXISTS xiaoe CHARACTER SET utf8mb4")
    cursor.execute("ALTER USER 'root'@'%%' IDENTIFIED BY %s", (password,))
PYTHON
}

seekdb_dsn() {
  echo "mysql://root:$(cat "$ROOT/password")@localhost/xiaoe?charset=utf8mb4&unix_socket=$DATA/run/sql.sock"
}
