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
"""The disk, kernel and hypervisor of emulated Xen hosts, from Debian packages.

What build() leaves in a folder:
    xen         the hypervisor, unpacked (multiboot)
    vmlinuz     Debian's kernel: dom0's
    initrd.gz   finds the disk
    dom0.ext4   dom0's root: Debian's tools for Xen, dom0-init as first program
    stamp       hash of what they were made from
    debs/       the packages

Packages are unpacked, not installed: nothing is configured, no script of
theirs runs, and it takes seconds.
"""

import glob
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "utilities"))

# pylint: disable=wrong-import-position
from lab import cpio                            # noqa: E402

KERNEL = "linux-image-amd64"
HYPERVISOR = "xen-hypervisor-4.17-amd64"
PACKAGES = ["bash", "busybox-static", "coreutils", "dash", "grep", "iproute2",
            "kmod", "libc-bin", "libcap-ng0", "libssl3", "libunbound8",
            "libxdp1", "libnuma1", "mount", "procps", "sed", "util-linux",
            "xen-utils-4.17"]
# Of the kernel's package: these and what they depend on.
MODULES = ["ext4", "nf_conntrack", "tun", "virtio_blk", "virtio_net",
           "virtio_pci", "xen-evtchn", "xen-gntalloc", "xen-gntdev",
           "xen-netback", "xen-privcmd", "xenfs"]
INITRD_MODULES = ["virtio_pci", "virtio_blk", "ext4"]
MERGED = ("bin", "sbin", "lib", "lib32", "lib64")
USELESS = ["usr/share/doc", "usr/share/man", "usr/share/locale",
           "usr/share/perl", "usr/share/perl5", "usr/share/i18n",
           "usr/lib/python3*", "usr/lib/x86_64-linux-gnu/perl*",
           "usr/lib/x86_64-linux-gnu/libperl*",
           "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/xen-*/boot/*"]
INITRD_INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do /bin/busybox insmod "$module"; done </modules
n=0
until [ -b /dev/vdb ] || [ $n = 100 ]; do
    n=$((n + 1)); /bin/busybox sleep 0.1
done
/bin/busybox mount -t ext4 /dev/vda /root
exec /bin/busybox switch_root /root /sbin/init
"""


class RigError(Exception):
    """A sentence for whoever runs it."""


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RigError("'%s' failed: %s" % (
            " ".join(command)[:200], (done.stderr or done.stdout)[-800:]))
    return done.stdout


def read(path):
    with open(path, "rb") as f:
        return f.read()


def dependency(package, pattern):
    """The package that 'package' depends on whose name matches."""
    match = re.search(r"Depends: (%s)" % pattern,
                      run("apt-cache", "depends", package))
    if not match:
        raise RigError("apt knows no package %s: run 'apt-get update' first"
                       % package)
    return match.group(1)


class Packages:
    """What apt would fetch: 'tools' with all they depend on, and 'plain'."""

    def __init__(self, out):
        self.debs = os.path.join(out, "debs")
        os.makedirs(os.path.join(self.debs, "partial"), exist_ok=True)
        # An installation on which nothing is installed.
        self.status = os.path.join(out, "status")
        with open(self.status, "w", encoding="ascii"):
            pass
        self.plain = [dependency(KERNEL, r"linux-image-\S+"), HYPERVISOR]
        self.versions = dict(re.findall(
            r"^Inst (\S+) \((\S+)", self._apt("--simulate", *PACKAGES),
            re.MULTILINE))
        self.plain_versions = {
            name: re.search(r"Candidate: (\S+)", run(
                "apt-cache", "policy", name)).group(1)
            for name in self.plain}

    def _apt(self, *arguments):
        return run("apt-get", "-q", "-y", "--no-install-recommends",
                   "-o", "APT::Sandbox::User=root",
                   "-o", "Dir::State::status=" + self.status,
                   "-o", "Dir::Cache::archives=" + self.debs,
                   "-o", "Debug::NoLocking=1", "install", *arguments)

    def _paths(self, versions):
        """Files of packages; of those that aren't there, None."""
        return [next(iter(glob.glob(os.path.join(
            self.debs, "%s_%s_*.deb" % (name, version.replace(":", "%3a"))))),
            None) for name, version in versions.items()]

    def fetch(self):
        """Fetches what isn't there; returns (tools, plain): paths."""
        self._apt("--download-only", *PACKAGES)
        if None in self._paths(self.plain_versions):
            run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download",
                *self.plain, cwd=self.debs)
        tools, plain = map(self._paths, (self.versions, self.plain_versions))
        if None in tools + plain:
            raise RigError("apt didn't fetch all packages into %s: remove "
                           "that folder and try again" % self.debs)
        return tools, plain


def merged_root(root):
    """Makes the folders of a Debian system."""
    for name in MERGED:
        os.makedirs(os.path.join(root, "usr", name))
        os.symlink("usr/" + name, os.path.join(root, name))
    for name in ("dev", "etc", "proc", "run", "root", "sys", "tmp", "xf",
                 "var/lib/xen", "var/log/xen/console", "var/lib/xenstored"):
        os.makedirs(os.path.join(root, name))
    os.symlink("/run", os.path.join(root, "var/run"))


def unpack(deb, root):
    """Unpacks a package, through the links of merged_root()."""
    data = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb],
                            stdout=subprocess.PIPE)
    with data:
        done = subprocess.run(
            ["tar", "-C", root, "--keep-directory-symlink", "-xf", "-",
             "--exclude=./usr/share/doc", "--exclude=./usr/share/man",
             "--exclude=./usr/share/locale"],
            stdin=data.stdout, capture_output=True, text=True, check=False)
    if done.returncode or data.returncode:
        raise RigError("%s can't be unpacked: %s" % (deb, done.stderr))


def modules_of(kernel, version, wanted):
    """Files of the modules 'wanted' and of those they need, in order."""
    files = {}
    for path in glob.glob(os.path.join(kernel, "lib/modules", version,
                                       "**/*.ko"), recursive=True):
        files[os.path.basename(path)[:-3].replace("-", "_")] = path
    # What is found by a name at run time, so that no module depends on it.
    order = []

    def add(name):
        path = files.get(name.replace("-", "_"))
        if path is None or path in order:
            return              # Built in.
        match = re.search(rb"\0depends=([^\0]*)\0", b"\0" + read(path))
        for other in match.group(1).decode().split(",") if match else []:
            if other:
                add(other)
        order.append(path)

    for name in ["crc32c_generic", "crc16", *wanted]:
        add(name)
    return order


def make_initrd(root, modules, out):
    archive = cpio.Writer()
    for folder in ("bin", "dev", "root"):
        archive.folder(folder)
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", read(os.path.join(root, "bin/busybox")),
                 0o755)
    names = ["/" + os.path.basename(m) for m in modules]
    for name, path in zip(names, modules):
        archive.file(name[1:], read(path))
    archive.file("modules", "\n".join(names) + "\n")
    archive.file("init", INITRD_INIT, 0o755)
    with open(os.path.join(out, "initrd.gz"), "wb") as f:
        f.write(gzip.compress(archive.finish(), compresslevel=6, mtime=0))


def make_root(out, tools, kernel):
    """Makes dom0's disk."""
    root = os.path.join(out, "root")
    merged_root(root)
    for deb in tools:
        unpack(deb, root)
    for pattern in USELESS:
        for path in glob.glob(os.path.join(root, pattern)):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.remove(path)
    version = os.listdir(os.path.join(kernel, "lib/modules"))[0]
    modules = modules_of(kernel, version, MODULES)
    target = os.path.join(root, "lib/modules", version)
    os.makedirs(target)
    for path in modules:
        shutil.copy(path, target)
    for name in ("modules.builtin", "modules.order"):
        shutil.copy(os.path.join(kernel, "lib/modules", version, name),
                    target)
    run("chroot", root, "depmod", version)
    init = os.path.join(root, "usr/sbin/init")
    shutil.copy(os.path.join(HERE, "dom0-init"), init)
    shutil.copy(os.path.join(TOP, "utilities/lab/guest-command"),
                os.path.join(root, "usr/sbin/guest-command"))
    run("ldconfig", "-r", root)
    make_initrd(root, modules_of(kernel, version, INITRD_MODULES), out)
    make_disk(root, os.path.join(out, "dom0.ext4"), 300)
    shutil.rmtree(root)


def make_disk(folder, path, spare_mb):
    """Makes 'path' an ext4 of what is in 'folder' and 'spare_mb' more."""
    size = int(run("du", "-sm", "--apparent-size", folder).split()[0])
    if os.path.exists(path):
        os.remove(path)
    run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", folder,
        path, "%dM" % (size * 1.15 + spare_mb))


def build(out):
    """Brings what is in 'out' up to date; returns True if it was made."""
    os.makedirs(out, exist_ok=True)
    packages = Packages(out)
    digest = hashlib.sha256(repr((sorted(
        packages.versions.items()), sorted(
            packages.plain_versions.items()))).encode())
    for path in (__file__, os.path.join(HERE, "dom0-init")):
        digest.update(read(path))
    stamp = os.path.join(out, "stamp")
    if os.path.exists(stamp) and read(stamp).decode() == digest.hexdigest():
        return False
    for name in ("root", "kernel"):
        shutil.rmtree(os.path.join(out, name), ignore_errors=True)
    if os.path.exists(stamp):
        os.remove(stamp)
    tools, plain = packages.fetch()
    kernel = os.path.join(out, "kernel")
    for deb in plain:
        run("dpkg-deb", "-x", deb, kernel)
    with open(os.path.join(out, "xen"), "wb") as f:
        f.write(gzip.decompress(read(glob.glob(
            os.path.join(kernel, "boot/xen-*.gz"))[0])))
    shutil.copy(glob.glob(os.path.join(kernel, "boot/vmlinuz-*"))[0],
                os.path.join(out, "vmlinuz"))
    make_root(out, tools, kernel)
    shutil.rmtree(kernel)
    with open(stamp, "w", encoding="ascii") as f:
        f.write(digest.hexdigest())
    return True
