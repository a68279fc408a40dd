# bash completion for the xenflow/ commands of ovs-appctl.  Source it, or put
# it into /etc/bash_completion.d.
#
# Copyright (c) 2026 The XenFlow Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at:
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
#
#
# Nothing is listed here: commands, their arguments and options come from what
# the switch says of itself (list-commands), names of routers and ports from
# what it has.  Without a running switch nothing is completed.  All else of
# ovs-appctl is left to whatever completed it before.

_xf_appctl_previous=$(complete -p ovs-appctl 2>/dev/null |
    sed -n 's/.*-F \([^ ]*\).*/\1/p')
if [ "$_xf_appctl_previous" = _xf_appctl ]; then
    _xf_appctl_previous=
fi

# The usage of command $1, or nothing.
_xf_appctl_usage() {
    ovs-appctl list-commands 2>/dev/null |
        sed -n "s|^ *$1  *||p"
}

# First column of what command "$@" lists, without its heading.
_xf_appctl_names() {
    ovs-appctl "$@" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# What KEY=VALUE can be for key $1 by usage $2 and router $3.
_xf_appctl_values() {
    case $1 in
        vif | device) ls /sys/class/net ;;
        via) _xf_appctl_names xenflow/port-list "$3" ;;
        *) sed -n "s/.*\[\{0,1\}$1=\([a-z]*|[a-z|]*\).*/\1/p" <<<"$2" |
               tr '|' '\n' ;;
    esac
}

# What can stand as argument number $1 (from 0) by usage $2, router $3.
_xf_appctl_arguments() {
    local usage=${2#\[--json\]} kind
    [ "$1" != 0 ] || [ "$usage" = "$2" ] || echo --json
    kind=$(tr -d '[]' <<<"$usage" | tr -s ' ' '\n' | sed '/^$/d' |
        sed -n "$(($1 + 1))p")
    case $kind in
        ROUTER) _xf_appctl_names xenflow/router-list ;;
        PORT) _xf_appctl_names xenflow/port-list "$3" ;;
        *)
            grep -oE '[a-z-]+=' <<<"$usage"
            # Words in small letters that aren't the value of an option.
            grep -oE '(^|[][ {}|])[a-z]+' <<<"$(sed 's/[a-z-]*=[^] ]*//g' \
                <<<"$usage")" | grep -oE '[a-z]+'
            ;;
    esac
}

# Sets 'choices' to what can follow word $1 in a command to xenflow-slice.
_xf_appctl_slice() {
    case $1 in
        slice/list) choices=--json ;;
        slice/show | --json)
            choices=$(ovs-appctl -t xenflow-slice slice/list 2>/dev/null |
                sed -n 's/^ *slice \([^:]*\):.*/\1/p')
            [ "$1" = --json ] || choices+=" --json" ;;
        xenflow-slice)
            choices=$(ovs-appctl -t xenflow-slice list-commands \
                2>/dev/null | awk 'NR > 1 { print $1 }') ;;
        *) choices= ;;
    esac
}

_xf_appctl() {
    local line=${COMP_LINE:0:COMP_POINT} words current i command usage json=0
    local choices
    read -ra words <<<"$line"
    current=
    if [[ $line != *[[:space:]] ]]; then
        current=${words[-1]}
        unset 'words[-1]'
    fi
    COMPREPLY=()
    if [[ "$line" =~ (-t|--target[\ =])\ *xenflow-slice\  ]]; then
        _xf_appctl_slice "${words[-1]}"
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
        return
    fi
    for ((i = 1; i < ${#words[@]}; i++)); do
        if [[ ${words[i]} == xenflow/* ]]; then
            command=${words[i]}
            break
        fi
    done
    if [ -z "$command" ]; then
        if [[ $current != xenflow* && -n $_xf_appctl_previous ]]; then
            "$_xf_appctl_previous" "$@"
            return
        fi
        choices=$(ovs-appctl list-commands 2>/dev/null | awk '{ print $1 }')
    else
        usage=$(_xf_appctl_usage "$command")
        words=("${words[@]:i + 1}")
        if [ "${words[0]-}" = --json ]; then
            json=1
        fi
        if [[ $current == *=* ]]; then
            choices=$(_xf_appctl_values "${current%%=*}" "$usage" \
                "${words[json]-}")
            current=${current#*=}
        elif [[ ${#words[@]} -gt 0 && ${words[-1]} == dev ]]; then
            choices=$(_xf_appctl_names xenflow/port-list "${words[json]}")
        else
            choices=$(_xf_appctl_arguments $((${#words[@]} - json)) "$usage" \
                "${words[json]-}")
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
    if [[ ${COMPREPLY[0]-} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _xf_appctl ovs-appctl
