# bash completion for mt5statectl: commands, options, their values, and the ids of the instances that the daemon
# knows. It needs nothing but bash.

# _mt5statectl_ids: asked with the address and the token of the line that is being completed.
_mt5statectl_ids() {
    local i given=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --url | --token-file)
            # An = and a : are words of their own here.
            local name=${COMP_WORDS[i]} value=
            [[ ${COMP_WORDS[i + 1]-} != = ]] || ((i++))
            while ((++i < COMP_CWORD)); do
                value+=${COMP_WORDS[i]}
                [[ ${COMP_WORDS[i]} == : || ${COMP_WORDS[i + 1]-} == : ]] || break
            done
            given+=("$name=${value/#\~\//$HOME/}")
            ;;
        esac
    done
    "${COMP_WORDS[0]/#\~\//$HOME/}" instances --timeout 2s "${given[@]}" 2>/dev/null |
        while read -r id _; do
            [[ $id == INSTANCE ]] || printf '%s\n' "$id"
        done
}

_mt5statectl_words() {
    local current=$1
    shift
    local word
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(compgen -W "$*" -- "$current")
}

_mt5statectl_files() {
    local file
    while IFS= read -r file; do
        COMPREPLY+=("$file")
    done < <(compgen -f -- "$1")
    compopt -o filenames 2>/dev/null
}

# _mt5statectl_value OPTION CURRENT: true where the option takes one.
_mt5statectl_value() {
    case $1 in
    --state) _mt5statectl_words "$2" running stopped crashed restarting ;;
    --health) _mt5statectl_words "$2" healthy warning critical ;;
    --instance) _mt5statectl_words "$2" "$(_mt5statectl_ids)" ;;
    --for) _mt5statectl_words "$2" 30m 1h 2h 8h 1d ;;
    --since) _mt5statectl_words "$2" 10m 1h 1d ;;
    --token-file) _mt5statectl_files "$2" ;;
    --url | --timeout | --broker | --limit | --reason) ;;
    *) return 1 ;;
    esac
}

_mt5statectl() {
    local commands='status instances instance why events alerts signals start stop restart recover maintenance record
        remove reload help'
    local everywhere='--url --token-file --json --timeout --help' current=${COMP_WORDS[COMP_CWORD]}
    local previous=${COMP_WORDS[COMP_CWORD - 1]} command= words=0 i
    COMPREPLY=()

    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if _mt5statectl_value "$previous" "$current"; then
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --url | --token-file | --timeout | --state | --health | --broker | --instance | --since | --limit | --reason | --for)
            [[ ${COMP_WORDS[i + 1]-} != = ]] || ((i++))
            ((i++))
            while [[ ${COMP_WORDS[i + 1]-} == : ]]; do
                ((i += 2))
            done
            ;;
        -*) ;;
        help) [[ -n $command ]] || words=-1 ;;
        *)
            if [[ -z $command ]]; then
                command=${COMP_WORDS[i]}
            else
                ((words++))
            fi
            ;;
        esac
    done

    if [[ $current == -* ]]; then
        case $command in
        instances) everywhere+=' --state --health --broker' ;;
        events) everywhere+=' -f --follow --instance --since --limit' ;;
        start | stop | restart | recover | remove) everywhere+=' --reason' ;;
        maintenance) everywhere+=' --reason --for' ;;
        '') everywhere+=' --version' ;;
        esac
        _mt5statectl_words "$current" "$everywhere"
        return
    fi
    case $command in
    '') _mt5statectl_words "$current" "$commands" ;;
    instance | why | start | stop | restart | recover | remove)
        ((words > 0)) || _mt5statectl_words "$current" "$(_mt5statectl_ids)"
        ;;
    maintenance)
        case $words in
        0) _mt5statectl_words "$current" "$(_mt5statectl_ids)" ;;
        1) _mt5statectl_words "$current" on off ;;
        esac
        ;;
    record) ((words > 0)) || _mt5statectl_files "$current" ;;
    esac
}

complete -F _mt5statectl mt5statectl
