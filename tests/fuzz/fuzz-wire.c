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

#include <arpa/inet.h>
#include <stdio.h>

#include "core/rule-table.h"
#include "core/wire.h"
#include "openvswitch/util.h"
#include "packets.h"

/* Wire protocol: a stream of FPM frames is decoded, each message told anew
 * (encode and decode give the same), stated in a rule table, and the table
 * checked. */

#define SOURCE 3

static struct xf_rt *rt;
static size_t n_statements;

static void
retire_now(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

static struct xf_rt *
create_table(void)
{
    const struct xf_rt_limits limits = { 200, 20, 10, 4, 8 };
    struct xf_rt *t = xf_rt_create(&limits, retire_now, NULL);

    ovs_assert(!xf_rt_source_add(t, SOURCE, "speaker", XF_PREF_SPEAKER, NULL));
    for (int i = 0; i < 3; i++) {
        struct xf_iface iface = {
            .ifindex = 2 + i,
            .vlan = 10 * i,
            .mac = ETH_ADDR_C(52,54,00,00,00,01),
            .mtu = 1500,
            .up = true,
        };

        snprintf(iface.name, sizeof iface.name, "eth%d", i);
        ovs_assert(!xf_rt_iface_add(t, &iface, NULL));
    }
    return t;
}

/* What was decoded keeps its own promises. */
static void
check_msg(const struct xf_wire_msg *msg)
{
    FUZZ_CHECK(msg->type <= XF_WIRE_IGNORED);
    FUZZ_CHECK(msg->n_nexthops <= XF_NH_MAX && msg->n_members <= XF_NH_MAX);
    for (size_t i = 0; i < msg->n_nexthops; i++) {
        FUZZ_CHECK(msg->nexthops[i].weight >= 1
                   && msg->nexthops[i].weight <= 256);
    }
    FUZZ_CHECK(strnlen(msg->ifname, sizeof msg->ifname)
               < sizeof msg->ifname);
    if (msg->type == XF_WIRE_ROUTE_ADD || msg->type == XF_WIRE_ROUTE_DEL) {
        const struct xf_prefix *p = &msg->route.prefix;
        unsigned int ofs = 128 - xf_addr_bits(&p->addr);

        FUZZ_CHECK(p->len + ofs <= 128);
        for (unsigned int bit = ofs + p->len; bit < 128; bit++) {
            FUZZ_CHECK(!(p->addr.s6_addr[bit / 8] & (0x80 >> bit % 8)));
        }
        FUZZ_CHECK(!msg->route.n_nexthops
                   || msg->route.nexthops == msg->nexthops);
    }
}

/* Encodes and decodes 'msg': it must say the same. */
static void
check_round_trip(const struct xf_wire_msg *msg)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME];
    static struct xf_wire_msg again;
    size_t size = xf_wire_encode(msg, frame, sizeof frame);

    if (!size) {
        return;
    }
    FUZZ_CHECK(xf_wire_frame_size(frame, size) == size);

    const uint8_t *payload = frame + XF_WIRE_HEADER_SIZE;
    size_t left = size - XF_WIRE_HEADER_SIZE;
    FUZZ_CHECK(!xf_wire_decode(&payload, &left, &again));

    if (msg->type == XF_WIRE_ROUTE_DEL || msg->type == XF_WIRE_NEXTHOP_DEL
        || msg->type == XF_WIRE_NEIGH_DEL) {
        /* An addition of what can't be used counts as deletion; there the flag
         * means nothing. */
        again.replace = msg->replace;
    }
    char *a = xf_wire_msg_to_string(msg);
    char *b = xf_wire_msg_to_string(&again);
    if (strcmp(a, b)) {
        fprintf(stderr, "was: %s\nis:  %s\n", a, b);
        abort();
    }
    free(a);
    free(b);
}

/* States 'msg' in the table, through whichever functions it is for. */
static void
apply(const struct xf_wire_msg *msg)
{
    const struct xf_iface *iface = xf_rt_iface_by_ifindex(rt, msg->ifindex);
    const char *name = iface ? iface->name : "none";
    char *error = NULL;

    switch (msg->type) {
    case XF_WIRE_ROUTE_ADD:
        xf_rt_route_add(rt, SOURCE, &msg->route, msg->replace, &error);
        break;
    case XF_WIRE_ROUTE_DEL:
        xf_rt_route_del(rt, SOURCE, &msg->route.prefix, msg->route.metric,
                        &error);
        break;
    case XF_WIRE_NEXTHOP_ADD:
        if (msg->blackhole) {
            xf_rt_nexthop_set_blackhole(rt, SOURCE, msg->nexthop_id, &error);
        } else {
            xf_rt_nexthop_set(rt, SOURCE, msg->nexthop_id, msg->nexthops,
                              msg->n_nexthops, &error);
        }
        break;
    case XF_WIRE_NEXTHOP_GROUP_ADD:
        xf_rt_nexthop_set_group(rt, SOURCE, msg->nexthop_id, msg->members,
                                msg->n_members, &error);
        break;
    case XF_WIRE_NEXTHOP_DEL:
        xf_rt_nexthop_del(rt, SOURCE, msg->nexthop_id, &error);
        break;
    case XF_WIRE_NEIGH_ADD:
        xf_rt_neigh_set(rt, SOURCE, name, &msg->ip, msg->mac,
                        msg->permanent ? XF_NEIGH_PERMANENT
                        : XF_NEIGH_REACHABLE, 1, &error);
        break;
    case XF_WIRE_NEIGH_DEL:
        xf_rt_neigh_del(rt, name, &msg->ip, &error);
        break;
    case XF_WIRE_ADDR_ADD:
        xf_rt_addr_add(rt, SOURCE, name, &msg->ip, msg->prefix_len, &error);
        break;
    case XF_WIRE_ADDR_DEL:
        xf_rt_addr_del(rt, SOURCE, name, &msg->ip, msg->prefix_len, &error);
        break;
    case XF_WIRE_LINK_ADD:
    case XF_WIRE_LINK_DEL:
        if (iface) {
            struct xf_iface new = *iface;

            new.up = msg->up;
            xf_rt_iface_update(rt, &new, &error);
        }
        break;
    case XF_WIRE_END:
        xf_rt_source_sweep(rt, SOURCE, 10);
        xf_rt_source_mark(rt, SOURCE, &error);
        break;
    case XF_WIRE_IGNORED:
    default:
        break;
    }
    free(error);
}

/* What the table says of a destination that a message names. */
static void
check_lookup(const struct in6_addr *dst)
{
    struct xf_rt_result r;

    xf_rt_lookup(rt, dst, 0x12345678, &r);
    FUZZ_CHECK(r.n_bits <= xf_addr_bits(dst));
    FUZZ_CHECK(r.verdict != XF_FORWARD
               || (r.out && r.out->up && !eth_addr_is_zero(r.dmac)
                   && !eth_addr_is_multicast(r.dmac)));
    FUZZ_CHECK(!r.has_route || r.prefix.len <= r.n_bits);
}

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct xf_wire_msg msg;

    rt = create_table();
    n_statements = 0;
    while (size && n_statements < 500) {
        int frame = xf_wire_frame_size(data, size);

        if (frame <= 0 || (size_t) frame > size) {
            break;
        }

        const uint8_t *payload = data + XF_WIRE_HEADER_SIZE;
        size_t left = frame - XF_WIRE_HEADER_SIZE;
        while (left) {
            size_t before = left;
            enum xf_wire_error error = xf_wire_decode(&payload, &left, &msg);

            FUZZ_CHECK(left < before);
            FUZZ_CHECK(payload + left == data + frame || !left);
            if (!error) {
                check_msg(&msg);
                check_round_trip(&msg);
                apply(&msg);
                n_statements++;
                check_lookup(msg.type <= XF_WIRE_ROUTE_DEL
                             ? &msg.route.prefix.addr : &msg.ip);
                free(xf_wire_msg_to_string(&msg));
            } else {
                /* Nothing but what the answer needs. */
                FUZZ_CHECK(msg.type == XF_WIRE_IGNORED && !msg.n_nexthops
                           && !msg.n_members && !msg.nexthop_id);
            }
        }
        data += frame;
        size -= frame;
    }
    xf_rt_check(rt);
    xf_rt_destroy(rt);
    ovsrcu_quiesce();
    return 0;
}
