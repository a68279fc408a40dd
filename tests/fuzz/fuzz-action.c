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
#include <netinet/ip6.h>
#include <stdio.h>

#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "netlink.h"
#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "seam/xf-odp.h"

/* The datapath action.  The first byte of the input says what the rest is:
 *
 *   frames (the second byte: how long), which the action with an MTU and TTLs
 *     of the input's choice is executed on;
 *   the action's text, which is parsed, formatted and parsed again;
 *   the action's netlink attributes, which are formatted. */

#define ROUTER 1
#define PORT_FORWARD 3
#define PORT_PUNT 4

static const struct eth_addr new_src = ETH_ADDR_C(52,54,00,00,02,02);
static const struct eth_addr new_dst = ETH_ADDR_C(52,54,00,00,02,03);

/* ---- Frames. ---- */

/* What went in, to be compared with what comes out. */
struct run {
    struct dp_packet *in[NETDEV_MAX_BURST];
    size_t n_in, n_out;
    uint16_t mtu;
};

/* A frame as it came: same place in 'run->in' as its flow mark. */
static const struct dp_packet *
original(const struct run *run, struct dp_packet *packet)
{
    uint32_t mark = packet->md.pkt_mark;

    FUZZ_CHECK(mark < run->n_in);
    return run->in[mark];
}

static void
check_forwarded(const struct run *run, struct dp_packet *packet)
{
    const struct dp_packet *was = original(run, packet);
    const uint8_t *old = dp_packet_l3(was);
    const uint8_t *new = dp_packet_l3(packet);
    const struct eth_header *eth = dp_packet_eth(packet);
    size_t l3_size = dp_packet_l3_size(packet);

    FUZZ_CHECK(dp_packet_size(was) == dp_packet_size(packet));
    FUZZ_CHECK(eth_addr_equals(eth->eth_src, new_src)
               && eth_addr_equals(eth->eth_dst, new_dst));
    /* Nothing else has changed. */
    FUZZ_CHECK(!memcmp((const uint8_t *) dp_packet_data(was) + 12,
                       (const uint8_t *) dp_packet_data(packet) + 12,
                       new - (const uint8_t *) dp_packet_data(packet) - 12));
    if (new[0] >> 4 == 4) {
        FUZZ_CHECK(l3_size >= 20 && new[0] == 0x45);
        FUZZ_CHECK(old[8] > 1 && new[8] == old[8] - 1);
        FUZZ_CHECK(((size_t) new[2] << 8 | new[3]) <= run->mtu);
        /* What was a good checksum still is. */
        FUZZ_CHECK(csum(old, 20) || !csum(new, 20));
        FUZZ_CHECK(!memcmp(old, new, 8) && old[9] == new[9]
                   && !memcmp(old + 12, new + 12, l3_size - 12));
    } else {
        FUZZ_CHECK(new[0] >> 4 == 6 && l3_size >= 40);
        FUZZ_CHECK(old[7] > 1 && new[7] == old[7] - 1);
        FUZZ_CHECK(((size_t) new[4] << 8 | new[5]) + 40 <= run->mtu);
        FUZZ_CHECK(!memcmp(old, new, 7)
                   && !memcmp(old + 8, new + 8, l3_size - 8));
    }
}

static void
check_punted(const struct run *run, struct dp_packet *packet)
{
    const struct dp_packet *was = original(run, packet);

    FUZZ_CHECK(dp_packet_size(was) == dp_packet_size(packet)
               && !memcmp(dp_packet_data(was), dp_packet_data(packet),
                          dp_packet_size(was)));
}

static void
output(void *run_, struct dp_packet_batch *batch, const struct nlattr *a,
       bool should_steal)
{
    struct run *run = run_;
    uint32_t port = nl_attr_get_u32(a);
    struct dp_packet *packet;

    FUZZ_CHECK(nl_attr_type(a) == OVS_ACTION_ATTR_OUTPUT);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        run->n_out++;
        if (port == PORT_FORWARD) {
            check_forwarded(run, packet);
        } else {
            FUZZ_CHECK(port == PORT_PUNT);
            check_punted(run, packet);
        }
    }
    if (should_steal) {
        dp_packet_delete_batch(batch, true);
    }
}

static void
put_action(struct ofpbuf *actions, uint16_t mtu)
{
    const struct xf_odp_spec spec = {
        .router = ROUTER, .verdict = XF_FORWARD, .mtu = mtu,
        .src = new_src, .dst = new_dst,
    };
    size_t ofs = nl_msg_start_nested(actions, OVS_ACTION_ATTR_XENFLOW);
    size_t nested;

    nl_msg_put_unspec(actions, XF_ODP_ATTR_SPEC, &spec, sizeof spec);
    nested = nl_msg_start_nested(actions, XF_ODP_ATTR_FORWARD);
    nl_msg_put_u32(actions, OVS_ACTION_ATTR_OUTPUT, PORT_FORWARD);
    nl_msg_end_nested(actions, nested);
    nested = nl_msg_start_nested(actions, XF_ODP_ATTR_PUNT);
    nl_msg_put_u32(actions, OVS_ACTION_ATTR_OUTPUT, PORT_PUNT);
    nl_msg_end_nested(actions, nested);
    nl_msg_end_nested(actions, ofs);
}

static void
fuzz_frames(struct fuzz_input *in)
{
    struct run run = { .mtu = fuzz_u16(in) };
    struct dp_packet_batch batch;
    struct ofpbuf actions;
    struct flow flow;

    dp_packet_batch_init(&batch);
    while (in->size && run.n_in < NETDEV_MAX_BURST) {
        size_t size = fuzz_u8(in);

        size = MIN(size, in->size);
        if (!size) {
            continue;           /* No device gives a frame of nothing. */
        }
        struct dp_packet *packet = dp_packet_new(size + 64);

        dp_packet_put(packet, in->data, size);
        in->data += size;
        in->size -= size;
        flow_extract(packet, &flow);    /* Sets where layer 3 begins. */
        packet->md.pkt_mark = run.n_in;
        run.in[run.n_in++] = dp_packet_clone(packet);
        dp_packet_batch_add(&batch, packet);
    }

    ofpbuf_init(&actions, 0);
    put_action(&actions, run.mtu);
    size_t n = run.n_in;
    odp_execute_actions(&run, &batch, true, actions.data, actions.size,
                        output);
    FUZZ_CHECK(run.n_out == n);
    for (size_t i = 0; i < run.n_in; i++) {
        dp_packet_delete(run.in[i]);
    }
    ofpbuf_uninit(&actions);
}

/* ---- Text and attributes. ---- */

static void
fuzz_text(struct fuzz_input *in)
{
    char *text = xmemdup0((const char *) in->data, in->size);
    struct ofpbuf actions, again;
    struct ds ds = DS_EMPTY_INITIALIZER;

    ofpbuf_init(&actions, 0);
    ofpbuf_init(&again, 0);
    if (!strncmp(text, "xenflow(", 8)
        && !odp_actions_from_string(text, NULL, &actions)) {
        format_odp_actions(&ds, actions.data, actions.size, NULL);
        FUZZ_CHECK(!odp_actions_from_string(ds_cstr(&ds), NULL, &again));
        FUZZ_CHECK(actions.size == again.size
                   && !memcmp(actions.data, again.data, again.size));
    }
    free(text);
    ds_destroy(&ds);
    ofpbuf_uninit(&actions);
    ofpbuf_uninit(&again);
}

/* True if the nested lists are outputs, whatever else is wrong.  Such lists come
 * from translation alone; upstream's formatter asserts that they are right. */
static bool
are_outputs(const struct fuzz_input *in)
{
    const struct nlattr *outer, *inner;
    size_t left, inner_left;

    NL_ATTR_FOR_EACH (outer, left, (const struct nlattr *) in->data,
                      in->size) {
        if (nl_attr_type(outer) != XF_ODP_ATTR_PUNT
            && nl_attr_type(outer) != XF_ODP_ATTR_FORWARD) {
            continue;
        }
        NL_NESTED_FOR_EACH (inner, inner_left, outer) {
            if (nl_attr_type(inner) != OVS_ACTION_ATTR_OUTPUT
                || nl_attr_get_size(inner) != sizeof(odp_port_t)) {
                return false;
            }
        }
        if (inner_left) {
            return false;
        }
    }
    return true;
}

/* The attributes' inside is the input. */
static void
fuzz_attributes(struct fuzz_input *in)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct ofpbuf actions;

    ofpbuf_init(&actions, 0);
    nl_msg_put_unspec(&actions, OVS_ACTION_ATTR_XENFLOW, in->data,
                      MIN(in->size, 4096));

    struct fuzz_input inside = {
        nl_attr_get(actions.data), nl_attr_get_size(actions.data)
    };
    if (!are_outputs(&inside)) {
        ofpbuf_uninit(&actions);
        return;
    }
    xf_odp_format(&ds, actions.data, NULL);
    FUZZ_CHECK(xf_odp_actions(actions.data));
    ds_destroy(&ds);
    ofpbuf_uninit(&actions);
}

int
LLVMFuzzerInitialize(int *argc OVS_UNUSED, char ***argv OVS_UNUSED)
{
    fuzz_init();
    odp_execute_init();
    xf_odp_router_add(ROUTER, 0);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    switch (fuzz_u8(&in) % 4) {
    case 0:
    case 1:
        fuzz_frames(&in);
        break;
    case 2:
        fuzz_text(&in);
        break;
    default:
        fuzz_attributes(&in);
        break;
    }
    return 0;
}
