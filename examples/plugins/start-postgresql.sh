#!/usr/bin/env bash
# A private PostgreSQL server, to try storage-postgresql.c with: data, log and socket lie in one folder, and it listens
# on that socket alone. Who may enter the folder may use the server: its owner, and root.
#
#   examples/plugins/start-postgresql.sh DIR          starts it unless it runs, and prints the connection string
#   examples/plugins/start-postgresql.sh --stop DIR   stops it; nothing to stop is no error. DIR stays
#
# Debian: postgresql. The server refuses to run as root; started by root it runs as the user postgres, to whom DIR is
# given, and who must be able to reach it.
# Exit: 0 done, 1 it failed, 2 usage, 3 the environment lacks something.
set -euo pipefail

fail() { echo "start-postgresql: $2" >&2; exit "$1"; }
action=start
if [[ ${1-} == --stop ]]; then action=stop; shift; fi
[[ $# == 1 && -n $1 ]] || fail 2 "usage: start-postgresql.sh [--stop] DIR"
[[ $action == start || -d $1 ]] || exit 0
[[ -d $1 ]] || mkdir -m 700 -p "$1"
dir=$(cd "$1" && pwd -P)
# It stands in a list of the server's and in the connection string, and a socket's path has 107 bytes.
[[ $dir =~ ^[A-Za-z0-9/._+-]+$ ]] || fail 2 "$dir has other characters than letters, digits and / . _ + -"
[[ ${#dir} -le 85 ]] || fail 2 "$dir is longer than the 85 bytes that fit a socket's path"

bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
if command -v pg_ctl >/dev/null; then bin=$(dirname "$(command -v pg_ctl)"); fi
[[ -n $bin && -x $bin/initdb ]] || fail 3 "there is no PostgreSQL server; on Debian: apt-get install postgresql"

as_owner() { "$@"; }
if [[ $(id -u) == 0 ]]; then
  id postgres >/dev/null 2>&1 || fail 3 "there is no user postgres, as whom root's server would run"
  as_owner() { setpriv --reuid postgres --regid "$(id -g postgres)" --init-groups "$@"; }
fi
# It runs if the process in postmaster.pid does, and is that of this data.
is_running() { as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; }
# The owner may not be able to enter the caller's folder.
cd /

if [[ $action == stop ]]; then
  if is_running; then as_owner "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >&2; fi
  exit 0
fi

if [[ ! -e $dir/data/PG_VERSION ]]; then
  [[ -z $(ls -A "$dir") ]] || fail 1 "$dir is not empty, and has no server's data"
  chmod 700 "$dir"
  if [[ $(id -u) == 0 ]]; then chown postgres: "$dir"; fi
  as_owner test -w "$dir" || fail 3 "the user postgres cannot reach $dir"
  as_owner "$bin/initdb" -D "$dir/data" -U synchronicity -A trust -E UTF8 --no-locale >&2
  as_owner tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
unix_socket_permissions = 0700
CONF
fi
# It inherits no open file of this script's: who waits for the end of one would wait for the server's.
is_running || as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w start </dev/null >"$dir/start.log" 2>&1 || {
  cat "$dir/start.log" "$dir/log" >&2
  exit 1
}
echo "host=$dir user=synchronicity dbname=postgres"
