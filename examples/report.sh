#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# report.sh: sessions with their rates, and what was dropped, from what `gtp -j` prints
#
# Looks twice at the sessions that are there and makes a table of what went through each of them in between. Below it stands what was
# dropped so far, by reason: on each link with its sessions, and of what came to a local address and belonged to none. It changes nothing.
#
# Usage: report.sh [ -n NETNS ] [ -i SECONDS ] [ -c COUNT ] [ -h ]
#   -n NETNS     of links in this network namespace
#   -i SECONDS   between two looks (default 1)
#   -c COUNT     tables; 0 is until interrupted (default 1)
# Needs root and jq. GTP names the command (default: gtp).

set -eu -o pipefail
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"

netns=() interval=1 count=1
while getopts :hn:i:c: option; do
  case $option in
    h) print_help && exit 0 ;;
    n) netns=(-n "$OPTARG") ;;
    i) interval=$OPTARG ;;
    c) count=$OPTARG ;;
    *) print_help >&2 && exit 1 ;;
  esac
done
for program in jq "$GTP"; do
  command -v "$program" > /dev/null || die "$program is not there (GTP names the command, now $GTP)"
done

# The receive half of an ID: what tells sessions apart.
id='[.dev, .type, .local, .local_teid // .tid // .ikey // .vni // .session_id // .id, .remote]'

main() {
  local before after round=0
  before=$(sessions)
  while [ "$count" = 0 ] || [ "$round" -lt "$count" ]; do
    round=$((round + 1))
    sleep "$interval"
    after=$(sessions)
    show_rates "$before" "$after"
    show_drops
    before=$after
  done
}

# The sessions, and when that was.
sessions() {
  ask session show | jq -c --arg now "$EPOCHREALTIME" '{now: $now | tonumber, sessions: .}'
}

# show_rates BEFORE AFTER: kilobits of inner packets a second. A session that is new has had 0.
show_rates() {
  local rows words
  rows=$(jq -rs '
    def rate($was; $is; $time): ((($is // 0) - ($was // 0)) * 8 / 1000 / $time) | round;
    .[0] as $before | .[1] as $after | ($after.now - $before.now) as $time
    | INDEX($before.sessions[]; '"$id"' | tostring) as $was
    | $after.sessions | sort_by(.dev, .name, .remote)[]
    | $was['"$id"' | tostring].stats as $past
    | [.dev, .name // "-", .remote // "-", .ue[0] // "-", .state,
       rate($past.encap.bytes; .stats.encap.bytes; $time), rate($past.decap.bytes; .stats.decap.bytes; $time),
       (.stats.drops // {} | add // 0)]
    | @tsv' <<< "$1 $2")
  row DEV NAME REMOTE UE STATE OUT-KBIT/S IN-KBIT/S DROPS
  [ -n "$rows" ] || return 0
  while IFS=$'\t' read -ra words; do row "${words[@]}"; done <<< "$rows"
}

row() {
  printf '%-12s %-12s %-16s %-18s %-16s %11s %11s %7s\n' "$@"
}

# By link, what belongs to its sessions included, and by local address, what belongs to nobody.
show_drops() {
  { ask link show && ask path show; } | jq -r '
    .[] | select(.remote == null) | (.ifname // .local) as $where
    | .stats.drops // {} | to_entries[] | select(.value > 0) | "dropped at \($where): \(.key) \(.value)"'
}

ask() {
  "$GTP" "${netns[@]}" -s -j "$@"
}

main
