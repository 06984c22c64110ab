# The engine, the same for all shells: what may stand next in a command line of gtp. It reads the tables above, which are the
# grammar's; only for what the kernel alone knows it runs a program.

# _gtp_complete COMMAND [WORD]... CURRENT: fills `found` with CANDIDATE<TAB>HELP for the word that is being typed. What begins with a tab
# is no candidate: <TAB>file, where a file may stand, and <TAB>message<TAB>TEXT, what to type where nothing can be offered. Whatever
# COMMAND is, it is not run: who has to be asked is the gtp that is in PATH.
_gtp_complete() {
  local IFS=$' \t\n' cur=${!#} netns='' at=0 picked='' object only='' exclusive=''
  local -a words=("${@:2:$#-2}") commands=() rows=()
  found=()
  _gtp_read_options || return 0
  if ((at == ${#words[@]})); then
    _gtp_offer_names "${_gtp_objects[@]}"
    return 0
  fi
  _gtp_pick "${words[at++]}" "${_gtp_objects[@]}" || return 0
  object=$picked
  if [[ $object = help ]]; then
    _gtp_complete_help
    return 0
  fi
  _gtp_commands "$object" || return 0
  if [[ $only ]]; then
    picked=$only
  elif ((at == ${#words[@]})); then
    _gtp_offer_names "${commands[@]}"
    ((${#found[@]})) || _gtp_offer_names "${_gtp_aliases[@]}"
    return 0
  else
    _gtp_pick "${words[at++]}" "${commands[@]}" "${_gtp_aliases[@]}" || return 0
  fi
  _gtp_rows "$object $picked" && _gtp_read_words
  return 0
}

# gtp help [ OBJECT [ COMMAND ] ]
_gtp_complete_help() {
  local -a offers=()
  if ((at == ${#words[@]})); then
    offers=("${_gtp_objects[@]}")
  elif _gtp_pick "${words[at]}" "${_gtp_objects[@]}" && ((at + 1 == ${#words[@]})); then
    _gtp_commands "$picked"
    offers=("${commands[@]}")
  fi
  for object in "${offers[@]}"; do
    [[ $object = help* ]] || _gtp_offer_names "$object"
  done
}

# Picks a name as the parser does: exact, or else the first in order that begins so. Names stand with their help.
_gtp_pick() {
  local text=$1 name
  shift
  picked=''
  for name; do
    case $name in
      "$text"$'\t'*) picked=$text && return 0 ;;
      "$text"*) [[ $picked || ! $text ]] || picked=${name%%$'\t'*} ;;
    esac
  done
  [[ $picked ]]
}

# Names without help are of a later version, or for completion itself.
_gtp_offer_names() {
  local name
  for name; do
    [[ ! ${name#*$'\t'} ]] || _gtp_offer "${name%%$'\t'*}" "${name#*$'\t'}"
  done
}

# What a shell may read as more than a word is not offered: names of devices and namespaces are given by others, too.
_gtp_offer() {
  [[ $1 != "$cur"* || $1 = *[![:alnum:]_.:/@%+=,-]* ]] || found+=("$1"$'\t'"$2")
}

# Reads options; false where no object can follow: one is being typed, or one of them leaves no place for it.
_gtp_read_options() {
  local option
  while ((at < ${#words[@]})); do
    [[ ${words[at]} = -* ]] || return 0
    at=$((at + 1))
    [[ ${words[at - 1]} != -- ]] || return 0
    _gtp_pick_option "${words[at - 1]}" || return 1
    local -a parts=("${_gtp_options[@]:option:7}")
    case ${parts[2]} in
      last | later) return 1 ;;
      required)
        if ((at == ${#words[@]})); then
          _gtp_offer_values "${parts[@]:3}"
          return 1
        fi
        [[ ${parts[0]} != netns ]] || netns=${words[at]}
        # The commands are in the file.
        [[ ${parts[3]} != file || $cur = -* ]] || return 1
        at=$((at + 1))
        ;;
    esac
  done
  [[ $cur = -* ]] || return 0
  _gtp_offer_options
  return 1
}

_gtp_pick_option() {
  local name=${1#-} i
  name=${name#-} name=${name%%=*} option=''
  for ((i = 0; i < ${#_gtp_options[@]}; i += 7)); do
    [[ ${_gtp_options[i + 1]} != "$name" || ! $name ]] || { option=$i && return 0; }
    [[ $option || ! $name || ${_gtp_options[i]} != "$name"* ]] || option=$i
  done
  [[ $option ]]
}

_gtp_offer_options() {
  local i value help option dashes=-
  [[ $cur != --* ]] || dashes=--
  for ((i = 0; i < ${#_gtp_options[@]}; i += 7)); do
    help=${_gtp_options[i + 6]}
    [[ ${_gtp_options[i + 2]} = later ]] || _gtp_offer "$dashes${_gtp_options[i]}" "$help"
    [[ $cur = *=* && ${_gtp_options[i + 2]} = equals ]] || continue
    _gtp_pick_option "$cur"
    [[ $option = "$i" ]] || continue
    for value in ${_gtp_options[i + 4]}; do _gtp_offer "${cur%%=*}=$value" "$help"; done
  done
}

# The words of a command, each a row of ten fields:
#   0 its key  1 what is typed  2 forms that it goes with, as bits  3 flags  4 keys that rule it out
#   5 the forms that hold without it, of `type` and `version`  6 source  7 choices  8 placeholder  9 help
# Flags: P positional, Q required, R may be repeated, F takes no value, N has a form with "no".
_gtp_read_words() {
  local -A given=()
  local -a order=() matches=()
  local open type_forms='' version_forms='' dev='' type='' row first=$at
  [[ ${words[at]-} != help ]] || return 0
  if _gtp_read_positional; then _gtp_read_rest; fi
  ((first < ${#words[@]})) || _gtp_offer help 'what can be given here'
}

_gtp_read_rest() {
  while ((at < ${#words[@]})); do
    _gtp_match "${words[at++]}" || return 0
    _gtp_choose "${words[at]-}"
    if [[ ${rows[row + 3]} = *F* ]]; then
      _gtp_offer_other_row
      _gtp_give ''
    elif ((at < ${#words[@]})); then
      _gtp_give "${words[at++]}"
    else
      _gtp_offer_row_values
      return 0
    fi
  done
  _gtp_offer_words
}

# False where the first word is being typed and has to be the positional one.
_gtp_read_positional() {
  row=0
  [[ ${rows[3]-} = *P* ]] || return 0
  if ((at == ${#words[@]})); then
    _gtp_offer_row_values
    [[ ${rows[3]} != *Q* ]]
  elif [[ ${words[at]} != -* ]] && ! _gtp_match "${words[at]}"; then
    _gtp_give "${words[at++]}"
  fi
}

# The rows that a text may be; two may share a word.
_gtp_match() {
  local i
  matches=()
  for ((i = 0; i < ${#rows[@]}; i += 10)); do
    [[ ${rows[i + 3]} != *P* ]] || continue
    [[ ${rows[i + 1]} != "$1" && (${rows[i + 3]} != *N* || no${rows[i + 1]} != "$1") ]] || matches+=("$i")
  done
  ((${#matches[@]}))
}

# Of two rows the one that has the next word as its value, or else one that the other words are about.
_gtp_choose() {
  local i
  row=${matches[0]}
  ((${#matches[@]} > 1)) || return 0
  _gtp_narrow
  for i in "${matches[@]}"; do
    [[ ! $1 || " ${rows[i + 7]} " != *" $1 "* ]] || { row=$i && return 0; }
  done
  for i in "${matches[@]}"; do
    ((rows[i + 2] == 255 || !(rows[i + 2] & open))) || { row=$i && return 0; }
  done
}

# A flag shares its word with one that takes a value, which may be what is being typed.
_gtp_offer_other_row() {
  local i
  ((${#matches[@]} > 1 && at == ${#words[@]})) || return 0
  for i in "${matches[@]}"; do
    ((i == row || !(rows[i + 2] & open))) || _gtp_offer_values "${rows[@]:i+6:4}"
  done
}

_gtp_give() {
  local key=${rows[row]}
  [[ ${given[$key]-} ]] || order+=("$row")
  given[$key]=1
  case $key in
    dev) [[ ${rows[row + 6]} != link ]] || dev=$1 ;;
    type) type=$1 && _gtp_forms_of_type "$1" ;;
    version) [[ $1 != [01] ]] || version_forms=$((2 - $1)) ;;
  esac
}

# The forms that are left: those that all words given share. A word that shares none is left out.
_gtp_narrow() {
  local i forms
  local -a limits=()
  [[ ! $type_forms ]] || limits+=("$type_forms")
  [[ ! $version_forms ]] || limits+=("$version_forms")
  for ((i = 0; i < ${#rows[@]}; i += 10)); do
    [[ ! ${rows[i + 5]} || ${given[${rows[i]}]-} ]] || limits+=("${rows[i + 5]}")
  done
  for i in "${order[@]}"; do
    case ${rows[i]} in
      type | version) ;;
      *) limits+=("${rows[i + 2]}") ;;
    esac
  done
  open=255
  for forms in "${limits[@]}"; do
    ((!(open & forms))) || open=$((open & forms))
  done
}

# The words that may still be given.
_gtp_offer_words() {
  local i key other
  local -A seen=()
  _gtp_narrow
  [[ ! $exclusive || ${#order[@]} = 0 ]] || return 0
  for ((i = 0; i < ${#rows[@]}; i += 10)); do
    key=${rows[i]}
    [[ ${rows[i + 3]} != *P* ]] || continue
    [[ ! ${given[$key]-} || ${rows[i + 3]} = *R* ]] || continue
    ((rows[i + 2] & open)) || continue
    for other in ${rows[i + 4]}; do
      [[ ! ${given[$other]-} ]] || continue 2
    done
    [[ ! ${seen[${rows[i + 1]}]-} ]] || continue
    seen[${rows[i + 1]}]=1
    _gtp_offer "${rows[i + 1]}" "${rows[i + 9]}"
    [[ ${rows[i + 3]} != *N* ]] || _gtp_offer "no${rows[i + 1]}" "${rows[i + 9]}"
  done
}

_gtp_offer_row_values() {
  _gtp_offer_values "${rows[@]:row+6:4}" "${rows[row]}"
}

# _gtp_offer_values SOURCE CHOICES PLACEHOLDER HELP [KEY]
_gtp_offer_values() {
  local value
  for value in $2; do _gtp_offer "$value" ''; done
  case $1 in
    netns) _gtp_offer_netns ;;
    interface) _gtp_offer_interfaces ;;
    link) _gtp_offer_links ;;
    vrf) _gtp_offer_lines 2 '' ip -o link show type vrf ;;
    address) _gtp_offer_lines 4 2 ip -o address show ;;
    session) _gtp_offer_asked "$5" ;;
    file) found+=($'\tfile') ;;
  esac
  ((${#found[@]})) || found=($'\tmessage\t'"$3: $4")
}

_gtp_offer_netns() {
  local path
  [[ $cur != */* ]] || { found+=($'\tfile') && return; }
  while IFS= read -r path; do
    _gtp_offer "${path##*/}" ''
  done < <(compgen -G '/run/netns/*')
}

# /sys/class/net may be of another namespace than this shell, /proc/net is not.
_gtp_offer_interfaces() {
  local name rest
  while IFS=$' \t' read -r name rest; do
    case $name in
      @SHIM_OUT@:* | @SHIM_IN@:* | *'|'*) ;;
      *:*) _gtp_offer "${name%:*}" '' ;;
    esac
  done < <(_gtp_inside cat /proc/net/dev)
}

# Fields of what a program of iproute2 says in lines: the candidate, without the length of a prefix, and its help.
_gtp_offer_lines() {
  local field=$1 help=$2 line
  shift 2
  while IFS=' ' read -r -a line; do
    _gtp_offer "${line[field - 1]%%[@/]*}" "${help:+${line[help - 1]}}"
  done < <(_gtp_inside "$@")
}

# Links have pins below a directory of their namespace. That one is told by the device that all links of a namespace share; where the
# one of another namespace has the same number, and for links of the kernel's driver, which may be elsewhere, only gtp can tell.
_gtp_offer_links() {
  local number name shim='' is_unsure=''
  local -a line homes=()
  local -A names=()
  [[ ! -e /sys/module/gtp ]] || is_unsure=1
  while read -r -a line; do
    number=${line[0]%:} name=${line[1]%:} name=${name%@*}
    names[$number]=$name
    [[ $name != @SHIM_IN@ ]] || shim=$number
    [[ "${line[*]}" != *'\ gtp '* ]] || is_unsure=1
  done < <(_gtp_inside ip -details -oneline link show)
  [[ ! $shim ]] || mapfile -t homes < <(compgen -G "${GTP_BPFFS:-/sys/fs/bpf}/@HOOKS@/@SHIM_PIN@$shim")
  [[ ! $shim || ${#homes[@]} = 1 ]] || is_unsure=1
  if [[ $is_unsure ]]; then
    _gtp_offer_asked link
  elif [[ $shim ]]; then
    while IFS= read -r name; do
      number=${name##*-}
      [[ ! ${names[$number]-} ]] || _gtp_offer "${names[$number]}" ''
    done < <(compgen -G "${homes[0]%/*}/@LINK_PIN@*")
  fi
}

# Values that only gtp knows, of the link and type that the line has. Certificates to add, which a TAB does not need, would take Node longer to read
# than all of the rest takes.
_gtp_offer_asked() {
  local value help
  while IFS=$'\t' read -r value help; do
    _gtp_offer "$value" "$help"
  done < <(NODE_EXTRA_CA_CERTS='' command gtp ${netns:+-n "$netns"} completion values "$1" ${dev:+dev "$dev"} ${type:+type "$type"} 2>/dev/null </dev/null)
}

# Runs a program in the network namespace that -n names.
_gtp_inside() {
  local path=$netns
  case $netns in
    '') "$@" 2>/dev/null </dev/null && return ;;
    */*) ;;
    *) path=/run/netns/$netns ;;
  esac
  [[ -e $path || $netns = *[!0-9]* ]] || path=/proc/$netns/ns/net
  [[ ! $netns ]] || nsenter --net="$path" "$@" 2>/dev/null </dev/null
}
