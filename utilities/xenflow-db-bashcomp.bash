# bash completion for xenflow-db.  Source it, or put it into /etc/bash_completion.d.
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
# Nothing is listed here: commands and options come from "xenflow-db --help".

_xenflow_db() {
    local line=${COMP_LINE:0:COMP_POINT} words current= choices
    read -ra words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        current=${words[-1]}
    fi
    choices=$(xenflow-db --help 2>/dev/null |
              sed -n 's/^  \([a-z-]*=\{0,1\}\).*/\1/p')
    COMPREPLY=()
    case $current in
        --*=*) mapfile -t COMPREPLY < <(compgen -f -- "${current#*=}") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current" | sort)
    esac
    if [[ ${COMPREPLY[0]-} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -o default -F _xenflow_db xenflow-db
