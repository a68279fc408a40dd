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
#include "fuzz.h"

#include <netinet/in.h>
#include <stdio.h>

#include "core/rule-table.h"
#include "dp-packet.h"
#include "flow.h"
#include "openvswitch/match.h"
#include "packets.h"
#include "seam/xf-snoop.h"

/* ARP and neighbour discovery: the input is a frame; it is looked through as
 * the translation does, and what it says is learned.  Whatever the megaflow's
 * mask leaves open must not change what was heard. */

#define SOURCE 2

static void
retire_now(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

static const struct xf_iface eth0 = {
    .name = "eth0", .ifindex = 2, .mtu = 1500, .up = true,
    .mac = ETH_ADDR_C(52,54,00,00,01,01),
};

static struct xf_rt *
create_table(void)
{
    const struct xf_rt_limits limits = { 20, 20, 4, 4, 8 };
    struct xf_rt *rt = xf_rt_create(&limits, retire_now, NULL);
    struct in6_addr v4 = in6_addr_mapped_ipv4(htonl(0x0a000101));
    struct in6_addr v6;

    ovs_assert(ipv6_parse("2001:db8:1::1", &v6));
    ovs_assert(!xf_rt_source_add(rt, SOURCE, "learned", XF_PREF_LEARNED,
                                 NULL));
    ovs_assert(!xf_rt_iface_add(rt, &eth0, NULL));
    ovs_assert(!xf_rt_addr_add(rt, SOURCE, "eth0", &v4, 24, NULL));
    ovs_assert(!xf_rt_addr_add(rt, SOURCE, "eth0", &v6, 64, NULL));
    return rt;
}

/* 'flow' with the bits that 'wc' leaves open turned by 'noise'. */
static void
turn_open_bits(struct flow *flow, const struct flow_wildcards *wc,
               uint8_t noise)
{
    uint8_t *f = (uint8_t *) flow;
    const uint8_t *mask = (const uint8_t *) &wc->masks;

    for (size_t i = 0; i < sizeof *flow; i++) {
        f[i] ^= (uint8_t) (noise * (i + 1)) & ~mask[i];
    }
}

static void
hear(const struct flow *flow, uint8_t noise)
{
    struct flow other = *flow;
    struct flow_wildcards wc, wc2;
    struct in6_addr ip, ip2;
    struct eth_addr mac, mac2;

    flow_wildcards_init_catchall(&wc);
    flow_wildcards_init_catchall(&wc2);
    /* The translation has these always. */
    WC_MASK_FIELD(&wc, dl_type);
    WC_MASK_FIELD(&wc, packet_type);
    WC_MASK_FIELD(&wc, nw_frag);

    bool heard = xf_neighbor_of_flow(flow, &wc, &ip, &mac);
    turn_open_bits(&other, &wc, noise);
    FUZZ_CHECK(heard == xf_neighbor_of_flow(&other, &wc2, &ip2, &mac2));
    if (!heard) {
        return;
    }
    FUZZ_CHECK(ipv6_addr_equals(&ip, &ip2) && eth_addr_equals(mac, mac2));
    FUZZ_CHECK(!eth_addr_is_zero(mac) && !eth_addr_is_multicast(mac));
    FUZZ_CHECK(ipv6_addr_is_set(&ip) && !ipv6_addr_is_multicast(&ip));

    struct xf_rt *rt = create_table();
    const struct xf_iface *iface = xf_rt_iface_by_name(rt, "eth0");
    enum xf_neigh_news news = xf_rt_neigh_hear(rt, iface, &ip, mac, 1);
    if (news == XF_NEIGH_NEW) {
        FUZZ_CHECK(!xf_rt_neigh_set(rt, SOURCE, "eth0", &ip, mac,
                                    XF_NEIGH_REACHABLE, 1, NULL));
        FUZZ_CHECK(xf_rt_neigh_hear(rt, iface, &ip, mac, 2)
                   == XF_NEIGH_KNOWN);
    } else if (news == XF_NEIGH_OWN) {
        FUZZ_CHECK(eth_addr_equals(mac, eth0.mac));
        FUZZ_CHECK(!xf_rt_addr_add(rt, SOURCE, "eth0", &ip, xf_addr_bits(&ip),
                                   NULL));
    }
    xf_rt_check(rt);
    xf_rt_destroy(rt);
}

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t noise = fuzz_u8(&in);
    struct dp_packet packet;
    struct flow flow;

    if (!in.size) {
        return 0;               /* No device gives a frame of nothing. */
    }
    dp_packet_init(&packet, in.size);
    dp_packet_put(&packet, in.data, in.size);
    flow_extract(&packet, &flow);
    hear(&flow, noise);
    dp_packet_uninit(&packet);
    ovsrcu_quiesce();
    return 0;
}
