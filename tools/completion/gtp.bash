
# What bash asks for. COMP_WORDS is broken at the colons of addresses, and quoted as it was typed.
_gtp() {
  local - typed start each
  local -a words found
  set +efu # these options of the user's are meant for other commands
  _gtp_split "${COMP_LINE:0:COMP_POINT}"
  typed=${words[${#words[@]} - 1]}
  _gtp_complete "${words[@]}"
  COMPREPLY=()
  for each in "${found[@]}"; do
    case $each in
      $'\tfile')
        compopt -o filenames 2>/dev/null
        while IFS= read -r each; do COMPREPLY+=("${each#"$start"}"); done < <(compgen -f -- "$typed")
        ;;
      $'\t'*) ;;
      *) each=${each%%$'\t'*} && COMPREPLY+=("${each#"$start"}") ;;
    esac
  done
}

# Splits a line into `words` as the shell does, but expands nothing. Of the last word readline replaces only what follows `start`: the
# last quote, or character that breaks words for it.
_gtp_split() {
  local rest=${1//$'\\\n'/} quote='' char at=0
  words=('') start=''
  while [[ $rest ]]; do
    char=${rest:0:1} rest=${rest:1}
    case $quote$char in
      [[:space:]])
        rest=${rest#"${rest%%[![:space:]]*}"}
        words[++at]='' start=''
        ;;
      \\ | \"\\) words[at]+=${rest:0:1} rest=${rest:1} ;;
      \' | \") quote=$char start=${words[at]} ;;
      \'\' | \"\") quote='' start=${words[at]} ;;
      *)
        words[at]+=$char
        [[ $quote || $COMP_WORDBREAKS != *"$char"* ]] || start=${words[at]}
        ;;
    esac
  done
}

complete -o nosort -F _gtp gtp 2>/dev/null || complete -F _gtp gtp
