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

/* Active probes of physical links: Physical_Link_State.
 *
 * Each end asks once a second by a frame of a type of our own, the other end
 * answers; round-trip time is the median of the last N_SAMPLES.  The frames go to
 * a group address that no bridge forwards (IEEE 802.1Q, table 8-1), so they are
 * seen by the neighbour alone, and by its switch not at all.
 *
 * What comes in is anybody's: wrong lengths, links and numbers are ignored, and
 * a port answers at most ANSWERS_MAX times a second. */

#include <config.h>

#include "xenflow-hostd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_join_probe);

#define PROBE_TYPE 0x88b5       /* IEEE 802: local experiments. */
#define PROBE_MAGIC 0x58465031  /* "XFP1" */
#define PERIOD_MS 1000
#define N_SAMPLES 5
#define MISSED_MAX 3            /* Unanswered in a row: the link is down. */
#define ANSWERS_MAX 10

enum probe_kind { PROBE_ASKS = 1, PROBE_ANSWERS = 2 };

struct probe {
    ovs_be32 magic;
    ovs_be32 kind;
    ovs_be32 sequence;
    ovs_be32 link[4];           /* UUID. */
};
BUILD_ASSERT_DECL(sizeof(struct probe) == 28);

static const struct eth_addr group = ETH_ADDR_C(01,80,c2,00,00,0e);

/* Our end of a link. */
struct join_link {
    struct hmap_node node;      /* In struct join, by 'uuid'. */
    struct uuid uuid;
    char *port;
    bool wanted;
    int fd;                     /* -1: not open. */
    int ifindex;

    uint32_t sequence;          /* Of the last question. */
    long long int sent_us;      /* When; 0: it was answered. */
    long long int next_ms;      /* Next question. */
    int n_answers;              /* Given since the last question. */
    int n_missed;               /* In a row. */
    int mtu;                    /* Of the port; 0: not known. */
    int samples_us[N_SAMPLES];
    size_t n_samples;           /* Ever. */

    bool up;
    long long int measured_ms;  /* Of the epoch; 0: never. */
    long long int written_ms;   /* 'measured_ms' when it was written. */
    bool written_up;
    int written_mtu;

    int metric;                 /* OSPF's, or JOIN_METRIC_NONE. */
    int written_metric;         /* What was written of that. */
    const struct xfrec_physical_link_state *row; /* While it is written. */
};

void
join_probe_monitor(struct ovsdb_idl *idl)
{
    ovsdb_idl_add_table(idl, &xfrec_table_physical_link_state);
    for (size_t i = 0; i < XFREC_PHYSICAL_LINK_STATE_N_COLUMNS; i++) {
        ovsdb_idl_add_column(idl, &xfrec_physical_link_state_columns[i]);
    }
}

static struct join_link *
find_link(const struct join *j, const struct uuid *uuid)
{
    struct join_link *link;

    HMAP_FOR_EACH_WITH_HASH (link, node, uuid_hash(uuid), &j->links) {
        if (uuid_equals(&link->uuid, uuid)) {
            return link;
        }
    }
    return NULL;
}

static void
close_port(struct join_link *link)
{
    if (link->fd >= 0) {
        close(link->fd);
        link->fd = -1;
    }
}

static void
free_link(struct join *j, struct join_link *link)
{
    close_port(link);
    hmap_remove(&j->links, &link->node);
    free(link->port);
    free(link);
}

void
join_probe_destroy(struct join *j)
{
    struct join_link *link;

    HMAP_FOR_EACH_SAFE (link, node, &j->links) {
        free_link(j, link);
    }
}

/* Takes 'row', of which 'port' is our end and 'peer' the other. */
static void
want_link(struct join *j, const struct xfrec_physical_link *row,
          const char *port, const struct xfrec_host *peer)
{
    struct join_link *link = find_link(j, &row->header_.uuid);

    if (!peer || strcmp(peer->kind, "xenflow")) {
        return;                 /* Nobody would answer. */
    }
    if (link && strcmp(link->port, port)) {
        free_link(j, link);
        link = NULL;
    }
    if (!link) {
        link = xzalloc(sizeof *link);
        link->uuid = row->header_.uuid;
        link->port = xstrdup(port);
        link->fd = -1;
        link->metric = link->written_metric = JOIN_METRIC_NONE;
        hmap_insert(&j->links, &link->node, uuid_hash(&link->uuid));
    }
    link->wanted = true;
}

void
join_probe_update(struct join *j)
{
    const struct xfrec_physical_link *row;
    struct join_link *link;

    HMAP_FOR_EACH (link, node, &j->links) {
        link->wanted = false;
    }
    XFREC_PHYSICAL_LINK_FOR_EACH (row, j->xf.idl) {
        if (row->host1 == j->me) {
            want_link(j, row, row->port1, row->host2);
        } else if (row->host2 == j->me) {
            want_link(j, row, row->port2, row->host1);
        }
    }
    HMAP_FOR_EACH_SAFE (link, node, &j->links) {
        if (!link->wanted) {
            free_link(j, link);
        }
    }
}

void
join_probe_set_metrics(struct join *j,
                       int (*metric)(const char *port, int old,
                                     const void *aux),
                       const void *aux)
{
    struct join_link *link;

    HMAP_FOR_EACH (link, node, &j->links) {
        link->metric = metric(link->port, link->metric, aux);
    }
}

/* ---- Frames. ---- */

static void
open_port(struct join_link *link)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET,
                               .sll_protocol = htons(PROBE_TYPE) };

    link->ifindex = sll.sll_ifindex = if_nametoindex(link->port);
    if (!link->ifindex) {
        return;
    }
    link->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0 || bind(link->fd, (struct sockaddr *) &sll, sizeof sll)) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

        VLOG_WARN_RL(&rl, "%s: can't be probed (%s): it needs root",
                     link->port, ovs_strerror(errno));
        close_port(link);
    }
}

static void
send_probe(struct join_link *link, enum probe_kind kind, ovs_be32 sequence)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET,
                               .sll_protocol = htons(PROBE_TYPE),
                               .sll_ifindex = link->ifindex,
                               .sll_halen = ETH_ADDR_LEN };
    struct probe probe = { .magic = htonl(PROBE_MAGIC), .kind = htonl(kind),
                           .sequence = sequence };

    for (int i = 0; i < 4; i++) {
        probe.link[i] = htonl(link->uuid.parts[i]);
    }
    memcpy(sll.sll_addr, group.ea, ETH_ADDR_LEN);
    if (sendto(link->fd, &probe, sizeof probe, 0, (struct sockaddr *) &sll,
               sizeof sll) < 0 && (errno == ENXIO || errno == ENODEV)) {
        close_port(link);       /* The device is gone; another may come. */
    }
}

static void
answered(struct join_link *link)
{
    long long int rtt_us = time_usec() - link->sent_us;

    link->samples_us[link->n_samples++ % N_SAMPLES] = MAX(0, MIN(rtt_us,
                                                                 INT_MAX));
    link->sent_us = 0;
    link->n_missed = 0;
    link->up = true;
    link->measured_ms = time_wall_msec();
}

static void
receive(struct join_link *link)
{
    struct uuid uuid;
    struct probe probe;

    for (int n = 0; n < 50 && link->fd >= 0; n++) {
        ssize_t size = recv(link->fd, &probe, sizeof probe, 0);

        if (size < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ENETDOWN) {
                close_port(link);
            }
            return;
        }
        for (int i = 0; i < 4; i++) {
            uuid.parts[i] = ntohl(probe.link[i]);
        }
        if (size < sizeof probe || probe.magic != htonl(PROBE_MAGIC)
            || !uuid_equals(&uuid, &link->uuid)) {
            continue;
        }
        if (probe.kind == htonl(PROBE_ASKS)
            && link->n_answers++ < ANSWERS_MAX) {
            send_probe(link, PROBE_ANSWERS, probe.sequence);
        } else if (probe.kind == htonl(PROBE_ANSWERS) && link->sent_us
                   && probe.sequence == htonl(link->sequence)) {
            answered(link);
        }
    }
}

/* Asks for the size of the port's packets. */
static void
read_mtu(struct join_link *link)
{
    struct ifreq ifr;

    memset(&ifr, 0, sizeof ifr);
    ovs_strlcpy(ifr.ifr_name, link->port, sizeof ifr.ifr_name);
    link->mtu = (ioctl(link->fd, SIOCGIFMTU, &ifr) || ifr.ifr_mtu < 0 ? 0
                 : ifr.ifr_mtu);
}

static void
ask(struct join_link *link)
{
    if (link->sent_us || link->fd < 0) {
        link->n_missed++;
    }
    if (link->n_missed >= MISSED_MAX) {
        link->up = false;
        link->n_samples = 0;
        link->measured_ms = time_wall_msec();
    }
    link->n_answers = 0;
    if (link->fd < 0) {
        open_port(link);
    }
    if (link->fd >= 0) {
        read_mtu(link);
        link->sent_us = time_usec();
        send_probe(link, PROBE_ASKS, htonl(++link->sequence));
    }
}

void
join_probe_run(struct join *j, long long int now_ms)
{
    struct join_link *link;

    HMAP_FOR_EACH (link, node, &j->links) {
        if (link->fd >= 0) {
            receive(link);
        }
        if (now_ms >= link->next_ms) {
            link->next_ms = now_ms + PERIOD_MS;
            ask(link);
        }
    }
}

void
join_probe_wait(const struct join *j)
{
    const struct join_link *link;

    HMAP_FOR_EACH (link, node, &j->links) {
        poll_timer_wait_until(link->next_ms);
        if (link->fd >= 0) {
            poll_fd_wait(link->fd, POLLIN);
        }
    }
}

/* ---- Physical_Link_State. ---- */

static int
compare_ints(const void *a_, const void *b_)
{
    const int *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static int
median_us(const struct join_link *link)
{
    size_t n = MIN(link->n_samples, N_SAMPLES);
    int sorted[N_SAMPLES];

    memcpy(sorted, link->samples_us, sizeof sorted);
    qsort(sorted, n, sizeof *sorted, compare_ints);
    return n ? sorted[n / 2] : 0;
}

/* Whether what was written isn't so any more, but for latency. */
static bool
has_changed(const struct join_link *link)
{
    return (!link->written_ms || link->up != link->written_up
            || link->mtu != link->written_mtu
            || link->metric != link->written_metric);
}

static void
write_state(struct join_link *link,
            const struct xfrec_physical_link_state *row)
{
    int64_t metric = link->metric;

    xfrec_physical_link_state_set_up(row, link->up);
    xfrec_physical_link_state_set_latency_us(row, median_us(link));
    xfrec_physical_link_state_set_mtu(row, link->mtu);
    xfrec_physical_link_state_set_metric(row, &metric,
                                         metric != JOIN_METRIC_NONE);
    xfrec_physical_link_state_set_measured_ms(row, link->measured_ms);
    link->written_ms = link->measured_ms;
    link->written_up = link->up;
    link->written_mtu = link->mtu;
    link->written_metric = link->metric;
}

bool
join_probe_is_due(const struct join *j)
{
    const struct xfrec_physical_link_state *row;
    const struct join_link *link;

    XFREC_PHYSICAL_LINK_STATE_FOR_EACH (row, j->xf.idl) {
        if (!find_link(j, &row->link)) {
            return true;
        }
    }
    HMAP_FOR_EACH (link, node, &j->links) {
        if (link->measured_ms && has_changed(link)) {
            return true;
        }
    }
    return false;
}

/* Writes states that changed, with 'all' the latencies of all links, and removes
 * those of links that aren't ours any more. */
void
join_probe_write(struct join *j, bool all)
{
    const struct xfrec_physical_link_state *row;
    struct join_link *link;

    XFREC_PHYSICAL_LINK_STATE_FOR_EACH_SAFE (row, j->xf.idl) {
        link = find_link(j, &row->link);
        if (!link) {
            xfrec_physical_link_state_delete(row);
        } else if (!link->row) {
            link->row = row;
        }
    }
    HMAP_FOR_EACH (link, node, &j->links) {
        if (link->measured_ms
            && (has_changed(link)
                || (all && link->measured_ms != link->written_ms))) {
            row = link->row;
            if (!row) {
                struct xfrec_physical_link_state *new =
                    xfrec_physical_link_state_insert(j->xf.txn);

                xfrec_physical_link_state_set_host(new, j->name);
                xfrec_physical_link_state_set_link(new, link->uuid);
                row = new;
            }
            write_state(link, row);
        }
        link->row = NULL;
    }
}

/* What was written didn't arrive. */
void
join_probe_unwritten(struct join *j)
{
    struct join_link *link;

    HMAP_FOR_EACH (link, node, &j->links) {
        link->written_ms = 0;
    }
}
