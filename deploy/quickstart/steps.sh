# Sourced by the scripts here and by .ci/run: every step has a name, and a failure names it.
# shellcheck shell=bash
set -Eeuo pipefail
step_name='starting'
trap 'printf "\n%s: the step \"%s\" failed; the messages above say why.\n" "$0" "$step_name" >&2' ERR

step() {
  step_name=$1
  printf '\n== %s\n' "$1"
}

# Runs a command whose output matters only if it fails: quietly LOGFILE COMMAND...
quietly() {
  local log=$1
  shift
  "$@" > "$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }
}
