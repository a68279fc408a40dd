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
#undef NDEBUG

#include "fake-switch.h"

#include <netinet/icmp6.h>
#include <stdio.h>

#include "csum.h"
#include "openvswitch/poll-loop.h"
#include "packets.h"
#include "seq.h"
#include "util.h"

static struct fake_switch *
fake_cast(const struct xf_switch *sw)
{
    return CONTAINER_OF(CONST_CAST(struct xf_switch *, sw),
                        struct fake_switch, up);
}

static uint64_t
fake_revalidate(const struct xf_switch *sw)
{
    struct fake_switch *fake = fake_cast(sw);

    ovs_mutex_lock(&fake->mutex);
    uint64_t ticket = ++fake->tickets;
    if (!fake->manual) {
        fake->completed = ticket;
    }
    ovs_mutex_unlock(&fake->mutex);
    seq_change(fake->seq);
    return ticket;
}

static bool
fake_revalidated(const struct xf_switch *sw, uint64_t ticket)
{
    struct fake_switch *fake = fake_cast(sw);

    ovs_mutex_lock(&fake->mutex);
    bool completed = fake->completed >= ticket;
    ovs_mutex_unlock(&fake->mutex);
    return completed;
}

static void
fake_revalidated_wait(const struct xf_switch *sw, uint64_t ticket)
{
    struct fake_switch *fake = fake_cast(sw);
    uint64_t seqno = seq_read(fake->seq);

    if (fake_revalidated(sw, ticket)) {
        poll_immediate_wake();
    } else {
        seq_wait(fake->seq, seqno);
    }
}

/* Formats an ARP request or a neighbour solicitation; anything else the engine
 * doesn't send. */
static void
format_frame(const uint8_t *frame, size_t size, struct ds *ds)
{
    const struct eth_header *eth = ALIGNED_CAST(const void *, frame);
    const struct arp_eth_header *arp = ALIGNED_CAST(const void *, eth + 1);
    const struct ovs_16aligned_ip6_hdr *ip6
        = ALIGNED_CAST(const void *, eth + 1);
    const struct ovs_nd_msg *ns = ALIGNED_CAST(const void *, ip6 + 1);
    char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN], c[INET6_ADDRSTRLEN];

    ds_put_format(ds, ETH_ADDR_FMT" > "ETH_ADDR_FMT" ",
                  ETH_ADDR_ARGS(eth->eth_src), ETH_ADDR_ARGS(eth->eth_dst));
    if (eth->eth_type == htons(ETH_TYPE_ARP)) {
        ovs_assert(size == sizeof *eth + sizeof *arp);
        ovs_assert(arp->ar_op == htons(ARP_OP_REQUEST));
        ds_put_format(ds, "arp who-has "IP_FMT" ("ETH_ADDR_FMT") tell "IP_FMT
                      " ("ETH_ADDR_FMT")\n",
                      IP_ARGS(get_16aligned_be32(&arp->ar_tpa)),
                      ETH_ADDR_ARGS(arp->ar_tha),
                      IP_ARGS(get_16aligned_be32(&arp->ar_spa)),
                      ETH_ADDR_ARGS(arp->ar_sha));
        return;
    }

    ovs_assert(eth->eth_type == htons(ETH_TYPE_IPV6));
    ovs_assert(size == sizeof *eth + sizeof *ip6 + ND_MSG_LEN
               + ND_LLA_OPT_LEN);
    ovs_assert(ip6->ip6_ctlun.ip6_un1.ip6_un1_hlim == 255);
    ovs_assert(ns->icmph.icmp6_type == ND_NEIGHBOR_SOLICIT);
    uint32_t csum = packet_csum_pseudoheader6(ip6);
    ovs_assert(!csum_finish(csum_continue(csum, ns, ND_MSG_LEN
                                          + ND_LLA_OPT_LEN)));
    inet_ntop(AF_INET6, &ip6->ip6_src, a, sizeof a);
    inet_ntop(AF_INET6, &ip6->ip6_dst, b, sizeof b);
    inet_ntop(AF_INET6, &ns->target, c, sizeof c);
    ds_put_format(ds, "%s > %s nd who-has %s\n", a, b, c);
}

static void
fake_inject(const struct xf_switch *sw, const char *router, uint16_t vlan,
            const void *frame, size_t size)
{
    struct fake_switch *fake = fake_cast(sw);

    ovs_mutex_lock(&fake->mutex);
    ds_put_format(&fake->events, "%s vlan %"PRIu16": ", router, vlan);
    format_frame(frame, size, &fake->events);
    ovs_mutex_unlock(&fake->mutex);
}

static void
fake_output(const struct xf_switch *sw, const char *port, uint16_t vlan,
            const void *frame OVS_UNUSED, size_t size)
{
    struct fake_switch *fake = fake_cast(sw);

    ovs_mutex_lock(&fake->mutex);
    ds_put_format(&fake->events, "%s vlan %"PRIu16": %"PRIuSIZE" bytes\n",
                  port, vlan, size);
    ovs_mutex_unlock(&fake->mutex);
}

static bool
fake_port_exists(const struct xf_switch *sw OVS_UNUSED,
                 const char *port OVS_UNUSED)
{
    return true;
}

static void
fake_hold_begin(const struct xf_switch *sw OVS_UNUSED,
                uint32_t id OVS_UNUSED)
{
}

static void
fake_hold_release(const struct xf_switch *sw OVS_UNUSED,
                  uint32_t id OVS_UNUSED, const char *router OVS_UNUSED,
                  uint16_t vlan OVS_UNUSED, const char *vif OVS_UNUSED)
{
}

static bool
fake_hold_released(const struct xf_switch *sw OVS_UNUSED,
                   uint32_t id OVS_UNUSED)
{
    return true;
}

static bool
fake_hold_stats(const struct xf_switch *sw OVS_UNUSED,
                uint32_t id OVS_UNUSED, struct xf_hold_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    return false;
}

static void
fake_router_add(const struct xf_switch *sw, uint32_t id, const char *name,
                uint32_t punt_rate)
{
    struct fake_switch *fake = fake_cast(sw);

    seq_change(fake->entered);
    ovs_mutex_lock(&fake->mutex);
    ds_put_format(&fake->events, "add router %"PRIu32" %s punt-rate "
                  "%"PRIu32"\n", id, name, punt_rate);
    ovs_mutex_unlock(&fake->mutex);
}

static void
fake_router_set_table(const struct xf_switch *sw, uint32_t id,
                      const struct xf_rt *rt OVS_UNUSED, uint32_t seed)
{
    struct fake_switch *fake = fake_cast(sw);

    ovs_mutex_lock(&fake->mutex);
    ds_put_format(&fake->events, "compiled table of router %"PRIu32" seed "
                  "%"PRIu32"\n", id, seed);
    ovs_mutex_unlock(&fake->mutex);
}

static bool
fake_has_fib(const struct xf_switch *sw, const char *router OVS_UNUSED)
{
    struct fake_switch *fake = fake_cast(sw);
    bool fib;

    atomic_read(&fake->fib, &fib);
    return fib;
}

static void
fake_read_nothing(uint32_t number OVS_UNUSED, struct xf_count *count,
                  void *aux OVS_UNUSED)
{
    memset(count, 0, sizeof *count);
}

static void
fake_router_counts(const struct xf_switch *sw OVS_UNUSED,
                   uint32_t id OVS_UNUSED, enum xf_rt_counted kind OVS_UNUSED,
                   struct xf_counted_reader *reader)
{
    reader->get = fake_read_nothing;
}

static void
fake_router_account(const struct xf_switch *sw OVS_UNUSED,
                    uint32_t id OVS_UNUSED, const char *name OVS_UNUSED)
{
}

static void
fake_router_del(const struct xf_switch *sw, uint32_t id)
{
    struct fake_switch *fake = fake_cast(sw);

    ovs_mutex_lock(&fake->mutex);
    ds_put_format(&fake->events, "delete router %"PRIu32"\n", id);
    ovs_mutex_unlock(&fake->mutex);
}

static bool
fake_router_stats(const struct xf_switch *sw OVS_UNUSED, uint32_t id,
                  struct xf_dp_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->n_forwarded = 1000 * id;
    stats->n_forwarded_bytes = 64000 * id;
    stats->n_punted[XF_PUNT_TTL] = 3;
    stats->n_punt_limited[XF_PUNT_NO_ROUTE] = 4;
    stats->n_dropped = 5;
    return true;
}

static void
fake_router_binding(const struct xf_switch *sw OVS_UNUSED,
                    const char *router OVS_UNUSED, char bridge[XF_NAME_MAX])
{
    ovs_strlcpy(bridge, "br0", XF_NAME_MAX);
}

static bool
fake_vif_exists(const struct xf_switch *sw OVS_UNUSED,
                const char *router OVS_UNUSED, const char *vif)
{
    return !strncmp(vif, "vif", 3);
}

static void
fake_for_each_mac(const struct xf_switch *sw OVS_UNUSED,
                  const char *router OVS_UNUSED, uint16_t vlan,
                  bool (*cb)(struct eth_addr, const char *port, int age_s,
                             void *aux),
                  void *aux)
{
    struct eth_addr mac = ETH_ADDR_C(02, 00, 00, 00, 00, 00);

    mac.ea[5] = vlan;
    if (cb(mac, "p1", 7, aux)) {
        mac.ea[1] = 1;
        cb(mac, "p2", -1, aux);
    }
}

static int
fake_dump_flows(const struct xf_switch *sw OVS_UNUSED, uint32_t id,
                bool (*cb)(const char *, uint64_t, uint64_t, long long int,
                           const char *, void *),
                void *aux)
{
    char *actions = xasprintf("xenflow(router=%"PRIu32",drop)", id);
    bool more = cb("eth(),ipv4(dst=10.1.0.0/16)", 10, 980, 0, actions, aux);

    if (more) {
        cb("eth(),ipv4(dst=10.2.0.0/16)", 20, 1960, 0, "drop", aux);
    }
    free(actions);
    return 0;
}

void
fake_switch_init(struct fake_switch *fake)
{
    const struct xf_switch up = {
        .revalidate = fake_revalidate,
        .revalidated = fake_revalidated,
        .revalidated_wait = fake_revalidated_wait,
        .inject = fake_inject,
        .output = fake_output,
        .port_exists = fake_port_exists,
        .hold_begin = fake_hold_begin,
        .hold_release = fake_hold_release,
        .hold_released = fake_hold_released,
        .hold_stats = fake_hold_stats,
        .router_add = fake_router_add,
        .router_del = fake_router_del,
        .router_set_table = fake_router_set_table,
        .has_fib = fake_has_fib,
        .router_counts = fake_router_counts,
        .router_account = fake_router_account,
        .router_stats = fake_router_stats,
        .router_binding = fake_router_binding,
        .vif_exists = fake_vif_exists,
        .for_each_mac = fake_for_each_mac,
        .dump_flows = fake_dump_flows,
    };

    memset(fake, 0, sizeof *fake);
    fake->up = up;
    atomic_init(&fake->fib, false);
    ovs_mutex_init(&fake->mutex);
    fake->seq = seq_create();
    fake->entered = seq_create();
    ds_init(&fake->events);
}

void
fake_switch_uninit(struct fake_switch *fake)
{
    ds_destroy(&fake->events);
    seq_destroy(fake->seq);
    seq_destroy(fake->entered);
    ovs_mutex_destroy(&fake->mutex);
}

/* If 'manual', revalidations complete by fake_switch_complete() alone. */
void
fake_switch_set_manual(struct fake_switch *fake, bool manual)
{
    ovs_mutex_lock(&fake->mutex);
    fake->manual = manual;
    ovs_mutex_unlock(&fake->mutex);
}

/* Waits until a revalidation is asked for that isn't complete, completes
 * it. */
void
fake_switch_complete(struct fake_switch *fake)
{
    for (;;) {
        uint64_t seqno = seq_read(fake->seq);

        ovs_mutex_lock(&fake->mutex);
        bool asked = fake->completed < fake->tickets;
        if (asked) {
            fake->completed = fake->tickets;
        }
        ovs_mutex_unlock(&fake->mutex);
        if (asked) {
            seq_change(fake->seq);
            return;
        }
        seq_wait(fake->seq, seqno);
        poll_block();
    }
}

uint64_t
fake_switch_tickets(struct fake_switch *fake)
{
    ovs_mutex_lock(&fake->mutex);
    uint64_t tickets = fake->tickets;
    ovs_mutex_unlock(&fake->mutex);
    return tickets;
}

/* Prints what the engine did since the last call. */
void
fake_switch_print_frames(struct fake_switch *fake)
{
    ovs_mutex_lock(&fake->mutex);
    fputs(ds_cstr(&fake->events), stdout);
    ds_clear(&fake->events);
    ovs_mutex_unlock(&fake->mutex);
}

uint64_t
fake_switch_stall(struct fake_switch *fake)
{
    ovs_mutex_lock(&fake->mutex);
    return seq_read(fake->entered);
}

void
fake_switch_await_stalled(struct fake_switch *fake, uint64_t seqno)
{
    while (seq_read(fake->entered) == seqno) {
        seq_wait(fake->entered, seqno);
        poll_block();
    }
}

void
fake_switch_unstall(struct fake_switch *fake)
{
    ovs_mutex_unlock(&fake->mutex);
}
