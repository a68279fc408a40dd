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
#include "xenflow-guestd-kernel.h"

#include <errno.h>
#include <limits.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mirror.h"
#include "netlink-socket.h"
#include "netlink.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(guestd_kernel);

#define EVENTS_PER_RUN 1000
#define DUMPED_PER_RUN 1000
#define BUFFER_BYTES 65536      /* Of one read; dumps fill up to 32 kB. */
/* Events drained at the end of a reading: not for ever. */
#define DRAIN_MAX 100000
#define READ_PAUSE 10
#define READ_PAUSE_MIN_MS 20
#define READ_PAUSE_MAX_MS 60000
/* Readings that changes of the table interrupted, one after the other, before
 * one is taken as it is. */
#define INTERRUPTED_MAX 5

/* The parts of a reading, in order. */
static const struct part {
    uint16_t type;              /* RTM_GET*. */
    uint8_t family;
    uint8_t header_size;
} parts[] = {
    { RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg) },
    { RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg) },
    { RTM_GETNEXTHOP, AF_UNSPEC, sizeof(struct nhmsg) },
    { RTM_GETNEIGH, AF_INET, sizeof(struct ndmsg) },
    { RTM_GETNEIGH, AF_INET6, sizeof(struct ndmsg) },
    { RTM_GETROUTE, AF_INET, sizeof(struct rtmsg) },
    { RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg) },
};

static const unsigned int groups[] = {
    RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP,
};

struct guestd_kernel {
    struct xf_mirror *mirror;
    int buffer_bytes;
    struct nl_sock *events;     /* NULL: not subscribed. */
    bool subscribed_before;     /* For the log. */

    /* Reading. */
    bool wanted;                /* To be begun. */
    bool is_read;               /* One was completed. */
    bool is_reading;
    size_t part;                /* Of 'parts', if 'is_reading'. */
    bool dumping;               /* 'dump' is under way. */
    struct nl_dump dump;
    struct ofpbuf buffer;       /* Of 'dump'. */
    bool interrupted;           /* Something may be missing. */
    int n_interrupted;          /* Readings in a row. */
    long long int begun_ms;
    long long int not_before_ms; /* Earliest time of the next reading. */
    long long int now_ms;

    struct guestd_kernel_stats stats;
};

struct guestd_kernel *
guestd_kernel_create(struct xf_mirror *mirror, int buffer_bytes)
{
    struct guestd_kernel *k = xzalloc(sizeof *k);

    k->mirror = mirror;
    k->buffer_bytes = buffer_bytes;
    ofpbuf_init(&k->buffer, BUFFER_BYTES);
    return k;
}

void
guestd_kernel_destroy(struct guestd_kernel *k)
{
    if (k) {
        guestd_kernel_close(k);
        ofpbuf_uninit(&k->buffer);
        free(k);
    }
}

static void
end_dump(struct guestd_kernel *k)
{
    if (k->dumping) {
        nl_dump_done(&k->dump);
        k->dumping = false;
    }
}

void
guestd_kernel_close(struct guestd_kernel *k)
{
    end_dump(k);
    k->is_reading = k->wanted = k->is_read = false;
    nl_sock_destroy(k->events);
    k->events = NULL;
}

int
guestd_kernel_open(struct guestd_kernel *k)
{
    int error = nl_sock_create(NETLINK_ROUTE, &k->events);

    for (size_t i = 0; !error && i < ARRAY_SIZE(groups); i++) {
        error = nl_sock_join_mcgroup(k->events, groups[i]);
        if (error == EINVAL && groups[i] == RTNLGRP_NEXTHOP) {
            error = 0;          /* A kernel without next-hop objects. */
        }
    }
    if (!error && k->buffer_bytes
        && setsockopt(nl_sock_fd(k->events), SOL_SOCKET, SO_RCVBUFFORCE,
                      &k->buffer_bytes, sizeof k->buffer_bytes)) {
        error = errno;
    }
    if (error) {
        guestd_kernel_close(k);
        return error;
    }
    k->wanted = true;
    k->n_interrupted = 0;
    k->not_before_ms = 0;
    return 0;
}

void
guestd_kernel_read(struct guestd_kernel *k)
{
    k->wanted = true;
    k->not_before_ms = 0;
}

bool
guestd_kernel_is_read(const struct guestd_kernel *k)
{
    return k->is_read;
}

void
guestd_kernel_get_stats(const struct guestd_kernel *k,
                        struct guestd_kernel_stats *stats)
{
    *stats = k->stats;
}

/* ---- Events. ---- */

/* Events were lost: what is being read may be older than what was lost. */
static void
overflow(struct guestd_kernel *k)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

    VLOG_WARN_RL(&rl, "the kernel's changes came faster than they were read: "
                 "reading all again");
    k->stats.n_overflows++;
    k->interrupted = true;
    k->wanted = true;
}

/* True if the event may have moved what a dump of IPv6 routes counts. */
static bool
is_ipv6_route(const struct nlmsghdr *nlh, const struct ofpbuf *msg)
{
    const struct rtgenmsg *gen = ofpbuf_at(msg, sizeof *nlh, sizeof *gen);

    return ((nlh->nlmsg_type == RTM_NEWROUTE
             || nlh->nlmsg_type == RTM_DELROUTE)
            && gen && gen->rtgen_family == AF_INET6);
}

/* Takes up to 'max' events.  Returns 0, EAGAIN if there are no more, or
 * another positive errno. */
static int
read_events(struct guestd_kernel *k, int max)
{
    uint64_t stub[BUFFER_BYTES / 8];
    struct ofpbuf buf;
    int error = 0;

    ofpbuf_use_stub(&buf, stub, sizeof stub);
    for (int i = 0; i < max && !error; i++) {
        struct ofpbuf msg;
        struct nlmsghdr *nlh;

        error = nl_sock_recv(k->events, &buf, NULL, false);
        if (error == ENOBUFS) {
            overflow(k);
            error = 0;
            continue;
        }
        while (!error && (nlh = nl_msg_next(&buf, &msg)) != NULL) {
            k->interrupted |= k->is_reading && is_ipv6_route(nlh, &msg);
            xf_mirror_event(k->mirror, msg.data, msg.size);
        }
    }
    ofpbuf_uninit(&buf);
    return error;
}

/* ---- Readings. ---- */

/* Starts the dump of the current part. */
static void
begin_part(struct guestd_kernel *k)
{
    const struct part *part = &parts[k->part];
    struct ofpbuf request;

    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, part->header_size, part->type,
                        NLM_F_REQUEST);
    /* Each of the headers begins with the family. */
    uint8_t *header = ofpbuf_put_zeros(&request, part->header_size);
    header[0] = part->family;
    nl_dump_start(&k->dump, NETLINK_ROUTE, &request);
    ofpbuf_uninit(&request);
    ofpbuf_clear(&k->buffer);
    k->dumping = true;
}

static void
begin_reading(struct guestd_kernel *k)
{
    end_dump(k);
    k->wanted = false;
    k->is_reading = true;
    k->part = 0;
    k->interrupted = false;
    k->begun_ms = k->now_ms;
    xf_mirror_read_begin(k->mirror);
}

/* The last part is read. */
static void
end_reading(struct guestd_kernel *k)
{
    /* What happened meanwhile counts. */
    read_events(k, DRAIN_MAX);
    if (k->interrupted && ++k->n_interrupted < INTERRUPTED_MAX) {
        k->wanted = true;
    } else {
        k->interrupted = false;
        k->n_interrupted = 0;
    }
    xf_mirror_read_end(k->mirror, !k->interrupted);
    k->is_reading = false;
    k->is_read |= !k->interrupted;
    k->stats.n_readings += !k->interrupted;

    long long int pause_ms = READ_PAUSE * (time_msec() - k->begun_ms);
    k->not_before_ms = time_msec() + MAX(READ_PAUSE_MIN_MS,
                                         MIN(pause_ms, READ_PAUSE_MAX_MS));
}

/* Reads a bounded number of messages of the current part. */
static void
continue_part(struct guestd_kernel *k)
{
    struct ofpbuf msg;

    for (int i = 0; i < DUMPED_PER_RUN; i++) {
        if (!nl_dump_next(&k->dump, &msg, &k->buffer)) {
            int error = nl_dump_done(&k->dump);

            k->dumping = false;
            if (error && error != EOPNOTSUPP) {
                static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

                VLOG_WARN_RL(&rl, "cannot read the kernel's tables (type %d): "
                             "%s", parts[k->part].type, ovs_strerror(error));
                k->interrupted = true;
            }
            k->part++;
            return;
        }

        const struct nlmsghdr *nlh = nl_msg_nlmsghdr(&msg);
        k->interrupted |= (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        xf_mirror_read(k->mirror, msg.data, msg.size);
    }
}

static void
reading_run(struct guestd_kernel *k)
{
    if (xf_mirror_take_reread(k->mirror) && !k->wanted) {
        /* What caused it may have more to come. */
        k->wanted = true;
        k->not_before_ms = MAX(k->not_before_ms,
                               k->now_ms + READ_PAUSE_MIN_MS);
    }
    if (!k->is_reading) {
        if (!k->wanted || k->now_ms < k->not_before_ms) {
            return;
        }
        begin_reading(k);
    }
    if (!k->dumping && k->part < ARRAY_SIZE(parts)) {
        begin_part(k);
    }
    if (k->dumping) {
        continue_part(k);
    }
    if (k->part >= ARRAY_SIZE(parts)) {
        end_reading(k);
    }
}

/* ---- Running. ---- */

int
guestd_kernel_run(struct guestd_kernel *k, long long int now_ms)
{
    if (!k->events) {
        return 0;
    }
    k->now_ms = now_ms;

    int error = read_events(k, EVENTS_PER_RUN);
    if (error && error != EAGAIN) {
        return error;
    }
    reading_run(k);
    return 0;
}

void
guestd_kernel_wait(const struct guestd_kernel *k)
{
    if (!k->events) {
        return;
    }
    nl_sock_wait(k->events, POLLIN);
    if (k->is_reading) {
        poll_immediate_wake();
    } else if (k->wanted) {
        poll_timer_wait_until(k->not_before_ms);
    }
}

/* ---- Neighbours in use. ---- */

void
guestd_kernel_use(struct guestd_kernel *k, uint32_t ifindex,
                  const struct in6_addr *ip)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    bool v4 = IN6_IS_ADDR_V4MAPPED(ip);
    struct ndmsg ndm = {
        .ndm_family = v4 ? AF_INET : AF_INET6,
        .ndm_ifindex = ifindex,
        .ndm_flags = NTF_USE,
    };
    struct ofpbuf request;
    char name[IF_NAMESIZE];
    int error;

    if (!if_indextoname(ifindex, name)
        || ifindex == xf_mirror_management(k->mirror)) {
        return;
    }
    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, sizeof ndm, RTM_NEWNEIGH,
                        NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE);
    ofpbuf_put(&request, &ndm, sizeof ndm);
    nl_msg_put_unspec(&request, NDA_DST, v4 ? &ip->s6_addr[12] : ip->s6_addr,
                      v4 ? 4 : 16);
    error = nl_transact(NETLINK_ROUTE, &request, NULL);
    ofpbuf_uninit(&request);
    k->stats.n_used++;
    if (error) {
        VLOG_WARN_RL(&rl, "cannot make the kernel probe a neighbour on %s: %s",
                     name, ovs_strerror(error));
    }
}
