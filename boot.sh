#!/usr/bin/env bash
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
# From a clone to a running fork of Open vSwitch.  Each step is skipped when
# its result is there and what it was made from is unchanged:
#
#   packages -> ovs/UPSTREAM verified -> ovs/tree (unpacked, patched, linked to
#   our sources) -> autoreconf -> build/NAME (configured out of tree) -> make
#
# Files it writes: ovs/* and build/*, both ignored by git.  One run at a time
# works on a tree (ovs/TREE.lock); others wait.  --unpatched does the same with
# the tree as upstream has it, in ovs/unpatched.

set -u -o pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
TREE=$TOP/ovs/tree
JOBS=${XF_JOBS:-$(nproc 2>/dev/null || echo 2)}
WITH_DPDK=yes
UNPATCHED=no
SANITIZED=no
OVS_TREE=

BUILD_PACKAGES="autoconf automake ccache diffutils gcc iproute2 libc6-dev
    libcap-ng-dev libssl-dev libtool libunbound-dev make openssl patch
    libxen-dev pkg-config procps python3"
DPDK_PACKAGES="libbpf-dev libdpdk-dev libnuma-dev libpcap-dev libxdp-dev"
PERF_PACKAGES="dpdk-dev"
XEN_PACKAGES="e2fsprogs"
EXPERIMENT_PACKAGES="bird2 gnuplot-nox iputils-ping"
SANITIZER_PACKAGES="clang libclang-rt-14-dev llvm"
SANITIZER_CFLAGS="-g -O1 -fno-omit-frame-pointer
    -fsanitize=address,undefined,fuzzer-no-link"

# What autoreconf writes.  Debian's tarball carries these too, but the tree's
# own, made from the patched sources, are the ones to keep.
GENERATED='^\./(aclocal\.m4|configure|config\.h\.in|Makefile\.in)$'
GENERATED+='|^\./build-aux/(ltmain\.sh|compile|missing|depcomp|install-sh'
GENERATED+='|config\.(guess|sub)|ar-lib|test-driver|py-compile)$'
GENERATED+='|^\./(autom4te\.cache/|configure~$|config\.h\.in~$)'

usage() {
    cat <<TXT
usage: ./boot.sh [OPTIONS] [COMMAND] [ARGUMENTS]

Commands (none: prepare):
  prepare           packages, upstream tree, patches, autoreconf, configure
  build             prepare, then compile
  check [--quick]   build, then all tests but the whole upstream suite
  check-upstream    the whole upstream suite, patched against unpatched
  fuzz [TARGET] [--seconds=N]
                    build with sanitizers, then fuzz our parsers (60 s each)
  perf [NAME...] [OPTIONS]
                    build, then the benchmarks (as root; perf --help says more)
  perf lookup       build, then the longest-prefix match beside DPDK's (as root)
  check-xen [--keep] [--pv] [--moves=N]
                    build without DPDK, then virtual routers on two emulated
                    Xen hosts (as root; 6 minutes; more with moves)
  experiment NAME   build, then an experiment (as root): migration (the paper's
                    tests, with plots), kills (each process at each stage),
                    hundred (migrations in a row among five hosts),
                    evacuate (a host of 20 routers, switched off and on again),
                    edges (what users will meet, case by case), xen (ten moves
                    of each machine on emulated Xen hosts)
  demo              build, then the demonstration (as root; 3 minutes)
  demo-xen [--keep] the same on two emulated Xen hosts (as root)
  clean             remove ovs/tree and build/

Options:
  --without-dpdk    build without DPDK (into build/nodpdk)
  --ovs-tree=DIR    take the Open vSwitch checkout in DIR, not the tarball that
                    ovs/UPSTREAM names
  --sanitized       build with clang, AddressSanitizer and
                    UndefinedBehaviorSanitizer (into build/sanitized)
  --unpatched       build the upstream tree without our patches and sources
                    (into build/unpatched)
  -h, --help        this text

As root, missing Debian packages are installed.  Otherwise the command that
installs them is printed.  \$CFLAGS (default "-g -O2") and \$XF_JOBS (parallel
jobs of make, default: CPUs) are taken from the environment.
TXT
}

die() {
    printf 'boot.sh: %s\n' "$*" >&2
    exit 1
}

# step TEXT LOG COMMAND...: runs COMMAND with its output in LOG and prints one
# line with its duration.  On failure, shows the log's end and stops.
step() {
    local text=$1 log=$2 begin=$SECONDS; shift 2
    mkdir -p "$(dirname "$log")"
    printf '  %-52s ' "$text..."
    if ("$@") >"$log" 2>&1 </dev/null 9>&-; then
        printf '%4d s\n' $((SECONDS - begin))
    else
        printf 'FAILED after %d s\n' $((SECONDS - begin))
        tail -n 25 "$log" | cut -c1-400 >&2
        die "step '$text' failed: all of its output is in ${log#"$TOP"/}"
    fi
}

# upstream KEY: the value of KEY in ovs/UPSTREAM.
upstream() {
    local value
    value=$(sed -n "s/^$1: *//p" "$TOP/ovs/UPSTREAM")
    [ -n "$value" ] || die "ovs/UPSTREAM has no line '$1:'"
    printf '%s\n' "$value"
}

# ---- Packages. ----

INSTALL="apt-get install -y --no-install-recommends"

# is_installed PACKAGE[=VERSION]
is_installed() {
    local status
    status=$(dpkg-query -W -f '${db:Status-Status}' "${1%%=*}" 2>/dev/null)
    [ "$status" = installed ]
}

# need_packages PACKAGE...: installs those that are missing, as root; prints
# the command and stops otherwise.
need_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        return 0                # Not Debian: configure says what is missing.
    fi
    for package; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        die "packages are missing; run this, then again what you ran:
  sudo $INSTALL ${missing[*]}"
    fi
    step "install ${#missing[@]} Debian packages" "$TOP/build/apt.log" \
        install_packages "${missing[@]}"
}

# The lists of packages are only fetched if they are too old or not there.
install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    $INSTALL "$@" || { apt-get update && $INSTALL "$@"; }
}

build_packages() {
    local packages=$BUILD_PACKAGES
    [ $WITH_DPDK = no ] || packages+=" $DPDK_PACKAGES"
    [ $SANITIZED = no ] || packages+=" $SANITIZER_PACKAGES"
    if [ -z "$OVS_TREE" ] && [ ! -e "$(upstream file)" ]; then
        packages+=" $(upstream package)=$(upstream version)"
    fi
    need_packages $packages
}

# ---- The upstream tree: $TREE, beside it $TREE.{stamp,manifest}. ----

# Hash of what the tree is made from.
tree_key() {
    {
        if [ -n "$OVS_TREE" ]; then
            # Without what a build of that checkout leaves in it.
            (cd "$OVS_TREE" && git rev-parse HEAD 2>/dev/null &&
                git diff HEAD 2>/dev/null) ||
                (cd "$OVS_TREE" &&
                    find . -name .git -prune -o -type f -print0 |
                    sort -z | xargs -0 sha256sum)
        else
            upstream sha256
        fi
        series | while read -r patch; do
            echo "$patch"
            cat "$TOP/vswitchd-patches/$patch"
        done
    } | sha256sum | cut -d' ' -f1
}

# Names of the patches in order.
series() {
    [ $UNPATCHED = no ] || return 0
    sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' \
        "$TOP/vswitchd-patches/series"
}

verify_tarball() {
    local file sum
    file=$(upstream file) || exit 1
    [ -r "$file" ] || die "$file is missing: install package\
 $(upstream package) version $(upstream version), or name another checkout\
 with --ovs-tree=DIR"
    sum=$(sha256sum "$file" | cut -d' ' -f1)
    [ "$sum" = "$(upstream sha256)" ] || die "$file has sha256
  $sum, but ovs/UPSTREAM says
  $(upstream sha256)
for $(upstream package) $(upstream version): install that version, or name\
 another checkout with --ovs-tree=DIR"
}

# unpack DIR: makes DIR the unpatched upstream tree.
unpack() {
    rm -rf "$1"
    mkdir -p "$1"
    if [ -n "$OVS_TREE" ]; then
        tar -C "$OVS_TREE" --exclude=./.git --exclude=autom4te.cache -cf - . |
            tar -C "$1" -xf -
    else
        tar -C "$1" --strip-components=1 -xzf "$(upstream file)" \
            "$(upstream top)"
    fi
}

# apply_series DIR: patches the tree in DIR.
apply_series() {
    local patch log=$TOP/build/patch.log
    mkdir -p "$TOP/build"
    for patch in $(series); do
        [ -r "$TOP/vswitchd-patches/$patch" ] ||
            die "vswitchd-patches/series names '$patch', which isn't there"
        if ! patch -d "$1" -p1 --fuzz=0 --no-backup-if-mismatch --batch \
             <"$TOP/vswitchd-patches/$patch" >"$log" 2>&1; then
            cat "$log" >&2
            die "vswitchd-patches/$patch doesn't apply (without fuzz) to\
 ${OVS_TREE:-$(upstream package) $(upstream version)}: refresh it against that\
 tree, see Documentation/internals/upgrading-ovs.rst"
        fi
    done
}

# Links our folders into the tree in DIR, where upstream's automake finds them.
link_sources() {
    [ $UNPATCHED = no ] || return 0
    ln -sfn ../../xenflow-ext "$1/xenflow-ext"
    ln -sfn ../../tests "$1/xf-tests"
    ln -sfn ../../utilities "$1/xf-utilities"
}

# manifest DIR: "sha256  ./path" of each file that isn't generated.
manifest() {
    (cd "$1" && find . -type f -print0 | grep -zvE "$GENERATED" | sort -z |
        xargs -0 sha256sum)
}

# sync_tree NEW: makes $TREE like NEW.  Only files whose contents differ are
# written, so that make compiles no more than that.  A file that somebody
# changed in $TREE by hand stops it, unless NEW has the same change.
sync_tree() {
    local new=$1 old=$TREE.manifest plan=$TREE.plan op path
    manifest "$new" >"$old.new"
    (cd "$TREE" && cut -c67- "$old" "$old.new" | sort -u |
        xargs -d '\n' sha256sum 2>/dev/null) >"$old.now"
    awk '{ sum = $1; path = substr($0, 67) }
         FILENAME == ARGV[1] { was[path] = sum; next }
         FILENAME == ARGV[2] { is[path] = sum; next }
         { want[path] = 1
           if (is[path] == sum) next
           if (path in is && is[path] != was[path]) print "edited", path
           else print "copy", path }
         END { for (path in was) if (!(path in want) && path in is)
                   print (is[path] == was[path] ? "remove" : "edited"), path }
        ' "$old" "$old.now" "$old.new" >"$plan"
    if grep -q '^edited' "$plan"; then
        sed -n "s|^edited \./|  ${TREE#"$TOP"/}/|p" "$plan" >&2
        die "the files above were changed by hand: put the change into a patch\
 of vswitchd-patches/, or remove the files, then run this again"
    fi
    while read -r op path; do
        case $op in
            copy) mkdir -p "$(dirname "$TREE/$path")"
                  cp "$new/$path" "$TREE/$path" ;;
            remove) rm -f "$TREE/$path" ;;
        esac
    done <"$plan"
    mv "$old.new" "$old"
    rm -f "$old.now" "$plan"
}

make_tree() {
    local key new=$TREE.new name=${TREE#"$TOP"/}
    key=$(tree_key) || exit 1
    if [ "$(cat "$TREE.stamp" 2>/dev/null)" = "$key" ]; then
        link_sources "$TREE"
        return 0
    fi
    if [ -n "$OVS_TREE" ]; then
        [ ! -e "$OVS_TREE/config.status" ] || die "$OVS_TREE is configured in\
 place, which a build outside of it can't use: run 'make distclean' there"
    else
        step "verify $(upstream package) $(upstream version)" \
            "$TOP/build/verify.log" verify_tarball
    fi
    step "unpack the upstream tree" "$TOP/build/unpack.log" unpack "$new"
    step "apply $(series | wc -l) patches" "$TOP/build/apply.log" \
        apply_series "$new"
    rm -f "$TREE.stamp"
    if [ -d "$TREE" ] && [ -e "$TREE.manifest" ]; then
        step "bring $name up to date" "$TOP/build/sync.log" sync_tree "$new"
        rm -rf "$new"
    else
        rm -rf "$TREE"
        manifest "$new" >"$TREE.manifest"
        mv "$new" "$TREE"
        rm -f "$TREE/configure" "$TREE/Makefile.in"
    fi
    link_sources "$TREE"
    echo "$key" >"$TREE.stamp"
}

# ---- configure and make. ----

# A clone elsewhere finds what this one compiled.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$TOP} CCACHE_NOHASHDIR=1

# Users without a home (of a service, or in a container) have no place where
# ccache may write.
if [ -z "${CCACHE_DIR-}" ] && ! mkdir -p "${HOME:-/nonexistent}" 2>/dev/null ||
   [ ! -w "${HOME:-/nonexistent}" ]; then
    export CCACHE_DIR=${CCACHE_DIR:-$TOP/build/ccache}
fi

have_dpdk() {
    [ $WITH_DPDK = yes ] && pkg-config --atleast-version=22.11 libdpdk
}

# Prints the arguments of configure, one per line.
configure_arguments() {
    local cc=gcc cflags=${CFLAGS:--g -O2}
    if have_dpdk; then
        echo --with-dpdk=shared
    fi
    if [ $SANITIZED = yes ]; then
        cc=clang cflags=$(echo $SANITIZER_CFLAGS)
    fi
    if command -v ccache >/dev/null; then
        echo "CC=ccache $cc"
    elif [ $SANITIZED = yes ]; then
        echo "CC=$cc"
    fi
    echo "CFLAGS=$cflags"
}

autoreconf_tree() {
    cd "$TREE" && ./boot.sh
}

# configure_build DIR
configure_build() {
    local args
    mapfile -t args < <(configure_arguments)
    mkdir -p "$1" && cd "$1" && "$TREE/configure" -q "${args[@]}"
}

# Prepares build directory $BUILD.
prepare() {
    local wanted
    build_packages
    make_tree
    [ -x "$TREE/configure" ] && [ -e "$TREE/Makefile.in" ] ||
        step "autoreconf" "$TOP/build/autoreconf.log" autoreconf_tree
    if [ $WITH_DPDK = yes ] && ! have_dpdk; then
        echo "  (libdpdk 22.11 not found: building without DPDK)"
    fi
    wanted=$(configure_arguments)
    if [ ! -e "$BUILD/config.status" ] ||
       [ "$(cat "$BUILD/.xf-configured" 2>/dev/null)" != "$wanted" ]; then
        step "configure ${BUILD#"$TOP"/}" "$BUILD.configure.log" \
            configure_build "$BUILD"
        echo "$wanted" >"$BUILD/.xf-configured"
    fi
}

# Names in automake.mk of files that aren't there stop make with a riddle.
check_sources() {
    local path ours='(xenflow-ext|xf-tests|xf-utilities)/[a-z0-9/-]+\.[ch]'
    [ $UNPATCHED = no ] || return 0
    for path in $(grep -oE "$ours" "$TOP/xenflow-ext/automake.mk" |
            grep -v -- '-idl\.[ch]$'); do     # Those are made.
        [ -e "$TREE/$path" ] ||
            die "xenflow-ext/automake.mk names $path, which isn't there"
    done
}

build() {
    prepare
    check_sources
    step "make ${BUILD#"$TOP"/} (all output in ${BUILD#"$TOP"/}.make.log)" \
        "$BUILD.make.log" \
        make -C "$BUILD" -j"$JOBS" --no-print-directory V=0 all
    grep -E 'xenflow-ext/.*warning:|xf-(tests|utilities)/.*warning:' \
        "$BUILD.make.log" || :
}

# ---- Commands. ----

lock() {
    mkdir -p "$TOP/build"
    exec 9>"$TREE.lock"
    if ! flock -n 9; then
        echo "  (another boot.sh works here: waiting for it)"
        flock 9
    fi
}

unlock() {
    exec 9>&-
}

# run_script PATH ARGUMENTS...: builds, then becomes that script.
run_script() {
    local script=$TOP/$1; shift
    [ -x "$script" ] || die "${script#"$TOP"/} isn't there"
    lock
    build
    unlock
    export XF_BUILD=$BUILD XF_BOOT_OPTIONS
    XF_BOOT_OPTIONS="${OVS_TREE:+--ovs-tree=$OVS_TREE}"
    [ $WITH_DPDK = yes ] || XF_BOOT_OPTIONS+=" --without-dpdk"
    exec "$script" "$@"
}

lab_packages() {
    need_packages python3
    need_packages $("$TOP/utilities/xenflow-lab" --print-packages)
    # The image's kernel isn't installed but fetched.
    if [ ! -e "$TOP/build/image/vmlinux" ] &&
       [ -z "$(apt-cache search --names-only '^linux-image-amd64$')" ]; then
        step "update the list of packages" "$TOP/build/apt.log" apt-get update
    fi
}

demo() {
    [ "$(id -u)" = 0 ] || die "the demonstration makes network namespaces and\
 virtual machines: run 'sudo ./boot.sh demo'"
    lab_packages
    run_script utilities/xenflow-demo --build "$BUILD" "$@"
}

# Others than root run what needs no root.
check() {
    case " $* " in
        *" --quick "*) ;;
        *) [ "$(id -u)" != 0 ] || lab_packages ;;
    esac
    run_script tests/run-check "$@"
}

# The emulated processor has nothing of what DPDK's build needs.
check_xen() {
    [ "$(id -u)" = 0 ] || die "the emulated hosts are in network namespaces:\
 use sudo"
    lab_packages
    need_packages $XEN_PACKAGES
    WITH_DPDK=no BUILD=$TOP/build/nodpdk
    run_script tests/xen/run "$@"
}

fuzz() {
    SANITIZED=yes WITH_DPDK=no BUILD=$TOP/build/sanitized
    run_script tests/fuzz/run "$@"
}

# What is measured needs DPDK; what says how fast the rig is, its testpmd.
perf() {
    case " $* " in
        *" --help "* | *" -h "* | *" --list "*)
            exec "$TOP/tests/perf/run" "$@" ;;
    esac
    [ $WITH_DPDK = yes ] || die "the benchmarks need DPDK: run them without\
 --without-dpdk and --sanitized"
    [ "$(id -u)" = 0 ] || die "the benchmarks take hugepages: run\
 'sudo ./boot.sh perf'"
    need_packages $PERF_PACKAGES
    if [ "${1:-}" = lookup ]; then
        run_script tests/perf/"$@"
    fi
    run_script tests/perf/run "$@"
}

experiment() {
    if [ "${1:-}" = xen ]; then
        shift
        check_xen --only-moves --moves=10 "$@"
    fi
    [ -n "${1:-}" ] && [ -x "$TOP/tests/experiment/$1" ] ||
        die "experiment: use one of" $(ls "$TOP/tests/experiment") xen
    [ "$(id -u)" = 0 ] || die "experiments make network namespaces and virtual\
 machines: use sudo"
    lab_packages
    need_packages $EXPERIMENT_PACKAGES
    run_script tests/experiment/"$@"
}

clean() {
    lock
    rm -rf "$TOP"/ovs/{tree,unpatched}* "$TOP"/build/*
}

check_place() {
    case $TOP in
        *[[:space:]]*) die "make can't work in a path with spaces: move\
 '$TOP' elsewhere" ;;
    esac
}

# Puts the interpreter itself before the script of a version manager (pyenv),
# which costs more than what most tests do with it.
find_python() {
    local python
    python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) ||
        return 0
    if [ "$(command -v python3)" != "$python" ]; then
        export PATH=${python%/*}:$PATH
    fi
}

main() {
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --without-dpdk) WITH_DPDK=no ;;
            --sanitized) SANITIZED=yes WITH_DPDK=no ;;
            --unpatched) UNPATCHED=yes ;;
            --ovs-tree=*)
                OVS_TREE=$(cd "${1#*=}" 2>/dev/null && pwd -P) &&
                    [ -e "$OVS_TREE/vswitchd/bridge.c" ] ||
                    die "--ovs-tree: '${1#*=}' isn't an Open vSwitch checkout"
                ;;
            -*) die "unknown option '$1': see ./boot.sh --help" ;;
            *) break ;;
        esac
        shift
    done
    check_place
    find_python
    BUILD=$TOP/build/default
    [ $WITH_DPDK = yes ] || BUILD=$TOP/build/nodpdk
    if [ $SANITIZED = yes ]; then
        [ $UNPATCHED = no ] || die "--sanitized doesn't go with --unpatched"
        BUILD=$TOP/build/sanitized
    fi
    if [ $UNPATCHED = yes ]; then
        TREE=$TOP/ovs/unpatched
        BUILD=${BUILD/%default/unpatched}
        BUILD=${BUILD/%nodpdk/unpatched-nodpdk}
    fi
    local command=${1:-prepare}
    [ $# -eq 0 ] || shift
    case $command in
        prepare) lock; prepare ;;
        build) lock; build ;;
        check | check-upstream | check-xen | perf | demo | demo-xen | \
            experiment)
            [ $UNPATCHED = no ] ||
                die "--unpatched goes with prepare and build only" ;;&
        check) check "$@" ;;
        check-upstream) run_script tests/run-upstream "$@" ;;
        check-xen) check_xen "$@" ;;
        demo-xen) check_xen --demo "$@" ;;
        fuzz) fuzz "$@" ;;
        perf) perf "$@" ;;
        experiment) experiment "$@" ;;
        demo) demo "$@" ;;
        clean) clean ;;
        *) die "unknown command '$command': use one of prepare, build, check,\
 check-upstream, check-xen, fuzz, perf, experiment, demo, demo-xen, clean\
 (see ./boot.sh --help)" ;;
    esac
}

main "$@"; exit
