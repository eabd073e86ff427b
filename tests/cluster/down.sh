#!/usr/bin/env bash
# End what up.sh started, by its pid files only, and take its links out of /etc/slurm. --purge deletes its state.
set -u
LAB=${SLURM_LAB:-${TMPDIR:-/tmp}/slurm-lab}
[ -d "$LAB" ] || exit 0
export SLURM_CONF=$LAB/etc/slurm.conf PATH=$PATH:/usr/sbin:/sbin

stop() { # TERM to the processes of the pid files, KILL to those that are left after 10 s
  local file
  for file in "$@"; do [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null; done
  for _ in $(seq 100); do
    local left=
    for file in "$@"; do [ -s "$file" ] && kill -0 "$(cat "$file")" 2>/dev/null && left=1; done
    [ -z "$left" ] && break
    sleep 0.1
  done
  for file in "$@"; do [ -s "$file" ] && kill -9 "$(cat "$file")" 2>/dev/null; rm -f "$file"; done
}

timeout 5 scancel --user root --quiet 2>/dev/null
for _ in $(seq 100); do [ -z "$(timeout 2 squeue -h 2>/dev/null)" ] && break; sleep 0.1; done
stop "$LAB"/run/slurmd.*.pid "$LAB/run/slurmctld.pid"
stop "$LAB/run/slurmdbd.pid"
stop "$LAB/run/mariadbd.pid" "$LAB/run/munged.pid"
for link in /etc/slurm/*.conf; do
  case "$(readlink "$link")" in "$LAB"/*) rm -f "$link" ;; esac
done
[ "${1:-}" != --purge ] || rm -rf "$LAB"
