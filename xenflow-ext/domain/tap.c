/*
 * Copyright (c) 2026 The XenFlow Authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

#include <config.h>
#include "domain/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packets.h"
#include "util.h"

#define TUN_DEVICE "/dev/net/tun"
/* Frames.  With the kernel's 1000, bursts are lost before the guest. */
#define QUEUE_LENGTH 10000

/* Opens tap 'name', made unless it's there.  Returns 0 or an errno. */
static int
attach(const char *name, int *fdp)
{
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
    int fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        return errno;
    }
    ovs_strlcpy(ifr.ifr_name, name, sizeof ifr.ifr_name);
    if (ioctl(fd, TUNSETIFF, &ifr)) {
        int error = errno;

        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}

/* Prepares 'ifr' for requests about 'name'.  Returns the socket for them or a
 * negative errno.  That of af_inet_ifreq_ioctl() is no use: processes that work
 * for Xen close what they inherit. */
static int
begin_requests(const char *name, struct ifreq *ifr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memset(ifr, 0, sizeof *ifr);
    ovs_strlcpy(ifr->ifr_name, name, sizeof ifr->ifr_name);
    return fd < 0 ? -errno : fd;
}

/* Brings the interface up or takes it down.  Returns 0 or an errno. */
static int
set_up(int fd, struct ifreq *ifr, bool up)
{
    if (ioctl(fd, SIOCGIFFLAGS, ifr)) {
        return errno;
    }
    ifr->ifr_flags = (ifr->ifr_flags & ~IFF_UP) | (up ? IFF_UP : 0);
    return ioctl(fd, SIOCSIFFLAGS, ifr) ? errno : 0;
}

/* Keeps the host itself from speaking on it (router solicitations and such).
 * Not fatal: a host may have no IPv6. */
static void
silence(const char *name)
{
    char *path = xasprintf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        ignore(write(fd, "1", 1));
        close(fd);
    }
    free(path);
}

int
xf_tap_configure(const char *name)
{
    struct ifreq ifr;
    int fd = begin_requests(name, &ifr);
    int error;

    if (fd < 0) {
        return -fd;
    }
    silence(name);
    ifr.ifr_qlen = QUEUE_LENGTH;
    error = ioctl(fd, SIOCSIFTXQLEN, &ifr) ? errno : set_up(fd, &ifr, true);
    close(fd);
    return error;
}

char *
xf_tap_create(const char *name)
{
    const char *hint;
    int fd;
    int error = attach(name, &fd);

    if (!error) {
        error = ioctl(fd, TUNSETPERSIST, 1) ? errno : 0;
        close(fd);
        error = error ? error : xf_tap_configure(name);
    }
    if (!error) {
        return NULL;
    }
    hint = (error == EBUSY ? ": another program has it open"
            : error == EINVAL ? ": an interface of that name that is no tap "
                                "is there"
            : error == EPERM ? ": xenflow-hostd must run as root"
            : error == ENOENT || error == ENODEV
              ? ": kernel module tun is needed" : "");
    return xasprintf("tap '%s' can't be made (%s)%s", name,
                     ovs_strerror(error), hint);
}

static int
set_ipv4(int fd, struct ifreq *ifr, unsigned long request, ovs_be32 ip)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_addr = { .s_addr = ip } };

    memcpy(&ifr->ifr_addr, &sin, sizeof sin);
    return ioctl(fd, request, ifr) ? errno : 0;
}

static int
set_mac(int fd, struct ifreq *ifr, struct eth_addr mac)
{
    if (!ioctl(fd, SIOCGIFHWADDR, ifr)
        && !memcmp(ifr->ifr_hwaddr.sa_data, mac.ea, ETH_ADDR_LEN)) {
        return 0;
    }
    memset(&ifr->ifr_hwaddr, 0, sizeof ifr->ifr_hwaddr);
    ifr->ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifr->ifr_hwaddr.sa_data, mac.ea, ETH_ADDR_LEN);
    return ioctl(fd, SIOCSIFHWADDR, ifr) ? errno : 0;
}

int
xf_tap_set_addresses(const char *name, struct eth_addr mac, ovs_be32 ip,
                     ovs_be32 netmask)
{
    struct ifreq ifr;
    int fd = begin_requests(name, &ifr);
    int error;

    if (fd < 0) {
        return -fd;
    }
    error = set_mac(fd, &ifr, mac);
    if (error == EBUSY) {       /* Xen's cards change it only when down. */
        error = set_up(fd, &ifr, false);
        error = error ? error : set_mac(fd, &ifr, mac);
        error = error ? error : set_up(fd, &ifr, true);
    }
    error = error ? error : set_ipv4(fd, &ifr, SIOCSIFADDR, ip);
    error = error ? error : set_ipv4(fd, &ifr, SIOCSIFNETMASK, netmask);
    close(fd);
    return error;
}

int
xf_tap_rename(const char *old, const char *new)
{
    struct ifreq ifr;
    int fd = begin_requests(old, &ifr);
    int error;

    if (fd < 0) {
        return -fd;
    }
    ovs_strlcpy(ifr.ifr_newname, new, sizeof ifr.ifr_newname);
    error = ioctl(fd, SIOCSIFNAME, &ifr) ? errno : 0;
    close(fd);
    return error;
}

int
xf_tap_destroy(const char *name)
{
    int fd, error;

    if (!if_nametoindex(name)) {
        return 0;
    }
    error = attach(name, &fd);
    if (!error) {
        error = ioctl(fd, TUNSETPERSIST, 0) ? errno : 0;
        close(fd);
    }
    return error;
}
