# Sourced: one private database server - its place, set-up, start and stop. seekdb.sh has what seekdb does otherwise.
# shellcheck shell=bash
#
#   mysql    MySQL of Debian sid (9.7 when this was written), unpacked, run with its own loader and libraries
#   mariadb  MariaDB 10.11 of Debian bookworm, likewise
#   system   the mysqld or mariadbd found on PATH, on a data folder of ours
#   seekdb   OceanBase's engine, as the PyPI package pylibseekdb brings it (seekdb.sh)

KINDS=(mysql mariadb system seekdb)
TREES=${XIAOE_TREES:-$LOCAL} # unpacked packages; tests share one set between many folders
MARIADB_SUITE=${XIAOE_MARIADB_SUITE:-bookworm}

# Set the variables that the functions below work on.
use_server() {
  KIND=$1
  ROOT=$LOCAL/$KIND
  DATA=$ROOT/data
  RUN=$ROOT/run
  LOG=$RUN/error.log
  TREE=$TREES/$KIND/tree
  FOLDER=--datadir=$DATA # the argument that tells our process from others
  case $KIND in
    mysql) PROGRAM=/usr/sbin/mysqld FLAVOUR=mysql ;;
    mariadb) PROGRAM=/usr/sbin/mariadbd FLAVOUR=mariadb ;;
    system)
      TREE=
      PROGRAM=$(command -v mysqld || command -v mariadbd || true)
      FLAVOUR=mysql
      if [ -n "$PROGRAM" ] && "$PROGRAM" --no-defaults --version 2>/dev/null | grep -qi mariadb; then FLAVOUR=mariadb; fi
      ;;
    seekdb) PROGRAM=$TREE/pylibseekdb/seekdb FLAVOUR=seekdb FOLDER=--base-dir=$DATA ;;
    *) die "no such server: $KIND (there are ${KINDS[*]})" ;;
  esac
}

# One caller at a time per server. The lock is outside ROOT, which `wipe` removes.
lock_server() {
  mkdir -p "$LOCAL"
  exec 9>"$LOCAL/$KIND.lock"
  flock -w 900 9 || die "another start or stop of $KIND has been going on for 15 minutes"
}

fetch_server() {
  [ -n "$TREE" ] || { [ -n "$PROGRAM" ] || { say "no mysqld or mariadbd on PATH"; return 1; }; return 0; }
  [ -d "$TREE" ] && return 0
  local own=0
  grep -qx 'ID=debian' /etc/os-release || own=1
  mkdir -p "$TREES/$KIND"
  case $KIND in
    mysql) fetch_tree "$TREE" mysql-server-core sid || { [ $own = 1 ] && fetch_tree "$TREE" mysql-server-core own; } ;;
    mariadb) fetch_tree "$TREE" mariadb-server-core "$MARIADB_SUITE" ||
      { [ $own = 1 ] && fetch_tree "$TREE" mariadb-server-core own; } ;;
    seekdb) fetch_seekdb ;;
  esac
}

# COMMAND: how to run the server's program. A program of a newer distribution needs that one's loader and libc.
set_command() {
  COMMAND=("$PROGRAM")
  [ -n "$TREE" ] || return 0
  local loader libs
  loader=$(find "$TREE/usr/lib" -name 'ld-linux-*.so.*' -path '*-linux-gnu*' | head -1)
  libs=$(dirname "$loader")
  COMMAND=("$loader" --library-path "$libs:$libs/mysql/private" --argv0 "$PROGRAM" "$TREE$PROGRAM")
}

# ACCOUNT: the server's user. Root gives its rights away, unless that user could not reach this folder (a
# checkout in /root, say).
set_account() {
  ACCOUNT=()
  is_root || return 0
  chmod 755 "$LOCAL" "$ROOT"
  # shellcheck disable=SC2016 # the inner shell expands them
  if setpriv --reuid nobody --clear-groups \
    sh -c 'test -x "$1" && test -x "$2"' - "$ROOT" "${COMMAND[0]}" 2>/dev/null; then
    chown nobody "$DATA" "$RUN"
    ACCOUNT=(--user=nobody)
  else
    chown root "$DATA" "$RUN"
    ACCOUNT=(--user=root)
  fi
}

share_folder() { dirname "$(find "$TREE/usr/share/"{mysql,mariadb} -maxdepth 1 -name "$1" 2>/dev/null | head -1)"; }

# OPTIONS: common to initialising and running. The socket and pid file are in the data folder, named
# relative to it: a deep checkout would exceed the 107 bytes that a socket's path may have.
set_options() {
  OPTIONS=(--no-defaults "${ACCOUNT[@]}" "--datadir=$DATA" "--tmpdir=$RUN" --socket=server.sock --pid-file=server.pid)
  [ -n "$TREE" ] || return 0
  local share
  if [ "$FLAVOUR" = mysql ]; then share=$TREE/usr/share/mysql; else share=$(share_folder '*_system_tables.sql'); fi
  OPTIONS+=("--basedir=$TREE/usr" "--lc-messages-dir=$share" "--character-sets-dir=$share/charsets")
  if [ "$FLAVOUR" = mariadb ]; then OPTIONS+=("--plugin-dir=$TREE/usr/lib/mysql/plugin"); fi
}

prepare() {
  mkdir -p "$DATA" "$RUN"
  [ "$FLAVOUR" != seekdb ] || return 0
  set_command
  set_account
  set_options
}

is_initialised() { [ -e "$LOCAL/$1/password" ]; }

# MariaDB's system tables, as mariadb-install-db makes them (it cannot go through a loader of ours).
mariadb_bootstrap_sql() {
  local share name file
  share=$(share_folder '*_system_tables.sql')
  printf '%s\n' "CREATE DATABASE IF NOT EXISTS mysql;" "USE mysql;" "SET @auth_root_socket=NULL;" # one a line
  for name in system_tables performance_tables system_tables_data fill_help_tables maria_add_gis_sp_bootstrap sys_schema; do
    for file in "$share"/{mysql_,mariadb_,}"$name.sql"; do # the prefix depends on the release
      if [ -e "$file" ]; then cat "$file"; break; fi
    done
  done
}

initialise() {
  local out=$RUN/initialise.log
  [ "$FLAVOUR" != seekdb ] || { new_password; return 0; }
  say "setting up $KIND in $DATA"
  find "$DATA" -mindepth 1 -delete # left by an interrupted attempt
  if [ "$FLAVOUR" = mysql ]; then
    "${COMMAND[@]}" "${OPTIONS[@]}" --initialize-insecure >"$out" 2>&1 9>&-
  else
    mkdir "$DATA/mysql"
    chown --reference="$DATA" "$DATA/mysql"
    mariadb_bootstrap_sql >"$RUN/bootstrap.sql"
    "${COMMAND[@]}" "${OPTIONS[@]}" --bootstrap --skip-log-error --enforce-storage-engine= \
      --max-allowed-packet=8M <"$RUN/bootstrap.sql" >"$out" 2>&1 9>&-
  fi || { tail -n 10 "$out" >&2; say "$KIND could not be set up"; return 1; }
  rm -f "$RUN/bootstrap.sql"
  new_password
}

new_password() { (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$ROOT/password"); }

# Run by the server itself at every start, so no client is needed: one statement a line. The application's user
# has every right on databases whose name begins with xiaoe, and may create users (bi_reader) and grant them such
# rights; nothing else, so that nothing depends on more than production grants. root, with the same password, is for
# manual use.
startup_sql() {
  local password user
  password=$(cat "$ROOT/password")
  echo "CREATE DATABASE IF NOT EXISTS xiaoe CHARACTER SET utf8mb4;"
  for user in "'xiaoe'@'localhost'" "'xiaoe'@'127.0.0.1'"; do
    echo "CREATE USER IF NOT EXISTS $user IDENTIFIED BY '$password';"
    echo "GRANT ALL ON \`xiaoe%\`.* TO $user WITH GRANT OPTION;"
    echo "GRANT CREATE USER, PROCESS, RELOAD ON *.* TO $user;"
    [[ ! ${XIAOE_DURABILITY:-fast} =~ ^(binlog|durable)$ ]] || echo "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO $user WITH GRANT OPTION;"
  done
  echo "ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';"
}

# The pid of the running server, or nothing. A pid alone proves nothing - it may have been given to another
# process since - so the process must also run on our data folder.
server_pid() {
  local pid
  pid=$(cat "$RUN/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  if ! tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -Fxq -- "$FOLDER"; then
    if [ -d "/proc/$pid" ]; then say "process $pid is not our $KIND: left alone"; fi
    return 1
  fi
  echo "$pid"
}

# A free port of the loopback interface, the one of last time if possible. Below the range that outgoing
# connections take theirs from, so that it is still free after a restart.
pick_port() {
  python3 - "$(cat "$ROOT/port" 2>/dev/null)" <<'PYTHON'
import random, socket, sys

for port in [int(p) for p in sys.argv[1:] if p] + random.sample(range(20000, 32000), 200):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PYTHON
}

launch() {
  [ "$FLAVOUR" != seekdb ] || { launch_seekdb "$1"; return; }
  local port=$1 options=(
    "--port=$1" --bind-address=127.0.0.1 "--log-error=$LOG" "--init-file=$RUN/startup.sql"
    --local-infile=1 --character-set-server=utf8mb4 --max-allowed-packet=256M
    --innodb-buffer-pool-size=1G
  )
  case ${XIAOE_DURABILITY:-fast} in
    fast) options+=(--skip-log-bin --innodb-flush-log-at-trx-commit=2 --innodb-doublewrite=0) ;;
    no-binlog) options+=(--skip-log-bin --innodb-flush-log-at-trx-commit=1) ;;
    binlog) options+=(--log-bin=binlog --binlog-format=ROW --server-id=1 --innodb-flush-log-at-trx-commit=2 --innodb-doublewrite=0) ;;
    durable) options+=(--log-bin=binlog --binlog-format=ROW --server-id=1 --sync-binlog=1 --innodb-flush-log-at-trx-commit=1) ;;
    *) die "XIAOE_DURABILITY is '$XIAOE_DURABILITY': fast, no-binlog, binlog or durable" ;;
  esac
  if [ "$FLAVOUR" = mysql ]; then
    options+=(--mysqlx=0 --innodb-redo-log-capacity=512M --secure-file-priv=NULL)
  else
    options+=(--innodb-log-file-size=512M)
  fi
  (umask 077; startup_sql >"$RUN/startup.sql")
  : >"$LOG"
  chown --reference="$DATA" "$LOG" "$RUN/startup.sql"
  # Nobody runs on this folder (server_pid looked). A server that was killed leaves its lock, and the next one stops
  # if any process has got that pid since.
  rm -f "$DATA/server.sock" "$DATA/server.sock.lock"
  # In a new session, so that it outlives make and the terminal; without the lock, which it would keep.
  setsid "${COMMAND[@]}" "${OPTIONS[@]}" "${options[@]}" </dev/null >"$RUN/out.log" 2>&1 9>&- &
  echo $! >"$RUN/pid"
  echo "$port" >"$ROOT/port"
}

is_ready() { if [ "$FLAVOUR" = seekdb ]; then seekdb_is_ready; else grep -q 'ready for connections' "$LOG"; fi; }

# Up to two minutes: crash recovery of a large data folder on a busy machine takes its time.
wait_until_ready() {
  local pid=$1 i
  for ((i = 0; i < 1200; i++)); do
    if is_ready; then return 0; fi
    # Not its command line: that is empty for a moment while a process becomes another program.
    case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) in '' | Z* | X*) break ;; esac
    sleep 0.1
  done
  say "$KIND did not come up; the end of $LOG:"
  tail -n 20 "$LOG" "$RUN/out.log" >&2
  return 1
}

version() {
  if [ -n "$TREE" ]; then sed "s/^[0-9]*://" "$TREE/.version"; else "$PROGRAM" --no-defaults --version | sed -nE 's/.* Ver ([^ ]+).*/\1/p'; fi
}

# Start it unless it runs. If that is impossible, prints the reason and returns 1.
start_server() {
  lock_server
  if server_pid >/dev/null; then return 0; fi
  fetch_server || return 1
  prepare
  is_initialised "$KIND" || initialise || return 1
  local port old
  old=$(cat "$ROOT/port" 2>/dev/null || true)
  port=$(pick_port) && [ -n "$port" ] || die "no free port on 127.0.0.1"
  [ "${old:-$port}" = "$port" ] || say "port $old is taken by another program: $KIND moves to $port"
  launch "$port"
  if wait_until_ready "$(cat "$RUN/pid")"; then
    rm -f "$RUN/startup.sql"
    say "$KIND $(version) runs on $([ "$FLAVOUR" = seekdb ] && echo "$DATA/run/sql.sock" || echo "127.0.0.1:$port")"
  else
    stop_running
    rm -f "$RUN/startup.sql"
    return 1
  fi
}

# TERM, and up to a minute to write everything out; then KILL, which costs a recovery at the next start.
stop_running() {
  local pid i
  pid=$(server_pid) || return 0
  kill "$pid"
  for ((i = 0; i < 600; i++)); do
    server_pid >/dev/null 2>&1 || return 0
    sleep 0.1
  done
  say "$KIND did not stop within a minute: killed"
  kill -KILL "$pid"
}

stop_server() {
  lock_server
  if server_pid >/dev/null; then
    stop_running
    say "$KIND stopped"
  else
    rm -f "$RUN/pid"
    say "$KIND does not run"
  fi
}

print_dsn() {
  [ "$FLAVOUR" != seekdb ] || { seekdb_dsn; return; }
  echo "mysql://xiaoe:$(cat "$ROOT/password")@127.0.0.1:$(cat "$ROOT/port")/xiaoe?charset=utf8mb4"
}
