# bash completion for xfctl.  Source it, or put it into /etc/bash_completion.d.
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
# Nothing is listed here: commands come from "xfctl --commands", names of
# objects and keys from the database, as --db or $XF_DB says.

# First column of what xfctl lists of kind $1, without its heading.
_xfctl_names() {
    xfctl "${_xfctl_db[@]}" --timeout=2 --format=csv --no-headings "$1-list" \
        2>/dev/null | cut -d, -f1
}

# What can follow the words of a command: "$@".
_xfctl_arguments() {
    local command=$1 kind=${1%%-*} n=$#
    case $command,$n in
        *-list,* | *-add,1)
            case $kind,$n in
                rule,1 | filter,1 | flow,1 | select,1 | neigh,1)
                    _xfctl_names router ;;
                if,1) _xfctl_names router ;;
            esac ;;
        import,1) compgen -f -- "$current" ;;
        export,1) _xfctl_names net ;;
        trace,1)
            _xfctl_names if
            _xfctl_names edge ;;
        if-*,1 | rule-*,1 | filter-*,1 | flow-*,1 | select-*,1 | neigh-*,1)
            _xfctl_names router ;;
        if-*,2 | neigh-*,2)
            _xfctl_names if | sed -n "s/^$2://p" ;;
        filter-add,3) printf 'permit\ndeny\n' ;;
        router-swap,2) _xfctl_names router ;;
        router-migrate,2)
            _xfctl_names host | sed 's/^/--to=/'
            printf '%s\n' --technique=separated --technique=native ;;
        host-evacuate,2 | host-power-off,2)
            _xfctl_names host | sed 's/^/--to=/' ;;
        migration-*,1)
            xfctl "${_xfctl_db[@]}" --timeout=2 --format=csv --no-headings \
                migration-list 2>/dev/null | cut -d, -f2 ;;
        host-*,1 | trunk-*,1 | net-*,1 | segment-*,1 | edge-*,1 | \
            router-*,1 | link-*,1)
            _xfctl_names "$kind" ;;
        *-add,* | *-set,*)
            # Keys are the columns of the list.
            xfctl "${_xfctl_db[@]}" --timeout=2 --format=csv "$kind-list" \
                2>/dev/null | head -n 1 | tr , '\n' | sed '1d; s/$/=/' ;;
    esac
}

_xfctl() {
    local line=${COMP_LINE:0:COMP_POINT} words current= choices word
    local command=() _xfctl_db=()
    read -ra words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        current=${words[-1]}
        unset 'words[-1]'
    fi
    for word in "${words[@]:1}"; do
        case $word in
            --) command=() ;;
            --db=*) _xfctl_db=("$word") ;;
            -*) ;;
            *) command+=("$word") ;;
        esac
    done
    if [ ${#command[@]} = 0 ]; then
        choices=$(xfctl --commands 2>/dev/null | cut -d, -f2)
    else
        choices=$(_xfctl_arguments "${command[@]}")
    fi
    COMPREPLY=()
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current" | sort)
    if [[ ${COMPREPLY[0]-} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _xfctl xfctl
