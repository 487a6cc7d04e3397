# Sourced by the scripts of this folder: paths, messages, installation of system packages.
# shellcheck shell=bash

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Everything that a run leaves behind is in here; tests point it elsewhere.
LOCAL=${XIAOE_LOCAL:-$REPO/.local}

# Progress goes to stderr, so that stdout can carry a result (a DSN) and nothing else.
say() { printf '%s: %s\n' "${0##*scripts/}" "$*" >&2; }
die() { say "$@"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# Install Debian packages, or print the exact command for it.
apt_install() {
  local why=$1; shift
  local elevate=()
  if ! is_root; then
    if have sudo && sudo -n true 2>/dev/null; then
      elevate=(sudo -n)
    else
      die "$why. Run this and try again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    fi
  fi
  have apt-get || die "$why. This needs the packages that Debian calls: $*"
  say "$why: installing $*"
  local log
  log=$(mktemp)
  "${elevate[@]}" apt-get -qq update >"$log" 2>&1 || say "apt-get update failed; trying with the package lists at hand"
  # env: sudo would drop the variable; without it, debconf may stop to ask.
  if ! "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "$@" </dev/null >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get could not install: $* (its output is in $log)"
  fi
  rm -f "$log"
}

# test_workers MORE: how many processes of pytest run side by side: XIAOE_TEST_WORKERS, else as many as there are cores
# and MORE (for tests that wait for other processes), four at most.
test_workers() {
  local count=$(($(nproc 2>/dev/null || echo 1) + ${1:-0}))
  echo "${XIAOE_TEST_WORKERS:-$((count < 4 ? count : 4))}"
}

# uv of the virtual environment, configured like this machine's pip: uv reads neither pip's configuration, which may name
# a mirror, nor, by default, the machine's certificates, which may include a company's own.
venv_uv() {
  local bin=$REPO/.venv/bin index
  index=${PIP_INDEX_URL:-$("$bin/python" -m pip config get global.index-url 2>/dev/null || true)}
  if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX=$index; fi
  if [ -e /etc/ssl/certs/ca-certificates.crt ]; then export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1}; fi
  VIRTUAL_ENV=$REPO/.venv "$bin/uv" "$@"
}

# locked_venv VENV LOCK PICK...: a separate virtual environment with the requirements of that lock, for tools that
# do not belong into .venv. PICK is a command that prints its interpreter. Quick when nothing changed.
locked_venv() {
  local venv=$1 lock=$2 started=$SECONDS python
  local stamp=$venv/.installed
  if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(_locked "$venv" "$lock")" ]; then return; fi
  python=$("${@:3}")
  say "creating $venv with $("$python" -V)"
  rm -rf "$venv"
  venv_uv venv --quiet --python "$python" "$venv"
  venv_uv pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r "$lock"
  _locked "$venv" "$lock" >"$stamp"
  say "done in $((SECONDS - started)) s"
}
_locked() { { cat "$2"; "$1/bin/python" -VV; pwd; } | sha256sum | cut -d' ' -f1; }
