# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the examples have in common: they print what they do, and take everything away again. Sourced, not run.

GTP=${GTP:-gtp}
# shellcheck disable=SC2034 # the scripts use it
prefix=${EXAMPLE_PREFIX:-ex$$-}
namespaces=()
declare -A with_links=()

# only_help ARGUMENTS: for scripts that take no other.
only_help() {
  [ $# -gt 0 ] || return 0
  case $1 in
    -h | --help) print_help && exit 0 ;;
    *) print_help >&2 && exit 1 ;;
  esac
}

# Looks whether all is there, and sees to it that nothing stays.
begin() {
  [ "$(id -u)" = 0 ] || die 'network namespaces and BPF programs need root'
  local program
  for program in ip ping "$GTP"; do
    command -v "$program" > /dev/null || die "$program is not there (GTP names the command, now $GTP)"
  done
  set -E
  trap 'echo "$0: status $? at line $LINENO: $BASH_COMMAND" >&2' ERR
  trap take_away EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
}

# The comment at the head of the script, without its first two lines.
print_help() {
  sed -n '3,/^$/s/^# \{0,1\}//p' "$0"
}

die() {
  echo "$0: $*" >&2
  exit 1
}

say() {
  printf '\n%s\n' "$*"
}

# Prints a command, then runs it.
run() {
  printf '  $ %s\n' "$*"
  "$@"
}

# in_ns NETNS COMMAND: prints and runs a command in a namespace.
in_ns() {
  run ip netns exec "$@"
}

# gtp NETNS WORDS: prints and runs `gtp -n NETNS WORDS`.
gtp() {
  with_links[$1]=yes
  run "$GTP" -n "$@"
}

# Makes namespaces with the loopback device up; each is noted first, for an interrupt may come in between.
make_namespaces() {
  local name
  for name in "$@"; do
    [ ! -e "/run/netns/$name" ] || die "there is a namespace $name already: EXAMPLE_PREFIX chooses other names"
    namespaces+=("$name")
    ip netns add "$name"
    ip -n "$name" link set lo up
  done
}

# wire NETNS DEV ADDRESSES NETNS DEV ADDRESSES: a veth pair; ADDRESSES are words with blanks between them, or nothing.
wire() {
  ip -n "$1" link add "$2" type veth peer name "$5" netns "$4"
  set_up "$1" "$2" "$3"
  set_up "$4" "$5" "$6"
}

# set_up NETNS DEV ADDRESSES
set_up() {
  local addresses address
  read -ra addresses <<< "$3"
  for address in "${addresses[@]}"; do
    case $address in
      *:*) ip -n "$1" address add "$address" dev "$2" nodad ;;
      *) ip -n "$1" address add "$address" dev "$2" ;;
    esac
  done
  ip -n "$1" link set "$2" up
}

# transfer FROM TO ADDRESS [PORT]: TCP for a second between two namespaces, where iperf3 is installed.
transfer() {
  local port=${4:-5201}
  if ! command -v iperf3 > /dev/null; then
    say 'iperf3 is not installed: no TCP here.'
    return
  fi
  in_ns "$2" iperf3 -s -1 -D -p "$port"
  wait_for listens "$2" "$port"
  in_ns "$1" iperf3 -c "$3" -p "$port" -t 1 -i 0
}

listens() {
  ip netns exec "$1" ss -Hltn "sport = :$2" | grep -q LISTEN
}

# look_at NETNS DEV FILTER FROM ADDRESS: one packet on DEV while FROM pings ADDRESS, where tcpdump is installed.
look_at() {
  if ! command -v tcpdump > /dev/null; then
    say 'tcpdump is not installed: no look at the wire.'
    return
  fi
  ip netns exec "$4" ping -q -i 0.1 -w 25 "$5" > /dev/null &
  local pinger=$!
  in_ns "$1" timeout 20 tcpdump -nn -e -c 1 -i "$2" "$3" 2> /dev/null
  kill "$pinger"
  wait "$pinger" || true
}

# dissect NETNS DEV COUNT FROM ADDRESS FIELD...: fields of GTP-U packets on DEV while FROM pings ADDRESS, where tshark is installed.
dissect() {
  local netns=$1 dev=$2 count=$3 from=$4 address=$5 field
  local fields=()
  for field in "${@:6}"; do fields+=(-e "$field"); done
  if ! command -v tshark > /dev/null; then
    say 'tshark is not installed: no look at the wire.'
    return
  fi
  ip netns exec "$from" ping -q -i 0.1 -w 60 "$address" > /dev/null &
  local pinger=$!
  in_ns "$netns" tshark -n -l -i "$dev" -c "$count" -a duration:20 -f 'udp port 2152' -T fields "${fields[@]}" 2> /dev/null
  kill "$pinger"
  wait "$pinger" || true
}

# wait_for COMMAND: until it succeeds, for twenty seconds.
wait_for() {
  local end=$((SECONDS + 20))
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || die "waited in vain: $*"
    sleep 0.05
  done
}

# Whatever has happened: links with their pins first, then what still runs in the namespaces, then these.
take_away() {
  local status=$? name removed=yes
  trap '' HUP INT PIPE TERM
  trap - ERR
  set +e
  for name in "${!with_links[@]}"; do
    "$GTP" -n "$name" link flush || removed=
  done
  for name in "${namespaces[@]}"; do
    [ -e "/run/netns/$name" ] || continue
    ip netns pids "$name" | xargs -r kill -KILL
    ip netns del "$name" || removed=
  done
  if [ -z "$removed" ]; then
    echo "$0: not all could be removed, see above" >&2
    [ "$status" != 0 ] || status=1
  elif [ "$status" = 0 ]; then
    say 'Nothing is left.'
  else
    echo "$0: ended with status $status; all is removed" >&2
  fi
  exit "$status"
}
