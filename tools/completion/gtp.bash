
# What bash asks for. The line is split at blanks alone: COMP_WORDS is broken at the colons of addresses, too.
_gtp() {
  local before=${COMP_LINE:0:COMP_POINT} typed start='' each
  local -a words found
  IFS=$' \t\n' read -r -a words <<<"$before"
  [[ $before != *[[:space:]] ]] || words+=('')
  typed=${words[${#words[@]} - 1]}
  type -P "${words[0]}" >/dev/null || words[0]=gtp
  _gtp_complete "${words[@]}"
  # Readline replaces no more than what follows the last of these.
  [[ $typed != *["$COMP_WORDBREAKS"]* ]] || start=${typed%"${typed##*["$COMP_WORDBREAKS"]}"}
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

complete -o nosort -F _gtp gtp 2>/dev/null || complete -F _gtp gtp
