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

/* A guest daemon at the other end (utilities/xenflow-guestd.c): who it is, the
 * load that it reports, and what it is told.
 *
 * It is told of neighbours that packets are sent to, so that its kernel keeps
 * them alive, and to state everything again when statements about interfaces
 * were lost because the router didn't have these interfaces yet.  Other
 * speakers, FRR for one, are told nothing: they didn't say XF_NLMSG_HELLO.
 *
 * Bounds: two reports per connection are kept, XF_GUEST_IFACES_MAX interfaces
 * each.  What finds no room on its way to the guest isn't sent: a neighbour is
 * told again with the next scan, a resync is kept. */

#include <config.h>
#include "engine/speaker-private.h"

#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_guest);

/* Logs lines that a guest can cause. */
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

/* Room for the largest of the messages to a guest. */
#define MSG_MAX 128

void
xf_speaker_hello(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    struct xf_speaker_conn *conn = l->conn;

    if (!conn->guest.known) {
        VLOG_INFO_RL(&rl, "%s: %s is the guest daemon of %s", l->name,
                     conn->peer, msg->ifname);
    }
    conn->guest.known = true;
    ovs_strlcpy_arrays(conn->guest.name, msg->ifname);
}

void
xf_speaker_load(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    struct xf_speaker_guest *guest = &l->conn->guest;
    struct xf_guest_load *load = guest->before;

    if (!load) {
        load = xmalloc(sizeof *load);
    }
    if (xf_guest_load_decode(msg->body, msg->body_size, load)) {
        OVS_NOT_REACHED();      /* xf_wire_decode() has accepted it. */
    }
    guest->before = guest->load;
    guest->load = load;
    guest->load_ms = l->now_ms;
}

void
xf_speaker_guest_uninit(struct xf_speaker_guest *guest)
{
    free(guest->before);
    free(guest->load);
}

/* ---- To the guest. ---- */

bool
xf_listener_use_neighbor(struct xf_listener *l, uint32_t ifindex,
                         const struct in6_addr *ip)
{
    uint8_t frame[MSG_MAX];

    if (!l->conn || !l->conn->guest.known || !ifindex) {
        return false;
    }

    size_t size = xf_guest_use_encode(ifindex, ip, frame, sizeof frame);
    ovs_assert(size);
    if (!xf_speaker_conn_tell(l->conn, frame, size)) {
        return false;
    }
    l->stats.n_used++;
    return true;
}

void
xf_listener_iface_added(struct xf_listener *l)
{
    if (l->conn && l->conn->guest.known && l->conn->guest.n_lost) {
        l->conn->guest.want_resync = true;
    }
}

void
xf_speaker_guest_run(struct xf_listener *l)
{
    struct xf_speaker_guest *guest = &l->conn->guest;
    uint8_t frame[MSG_MAX];

    if (guest->want_resync) {
        size_t size = xf_guest_resync_encode(frame, sizeof frame);

        ovs_assert(size);
        if (xf_speaker_conn_tell(l->conn, frame, size)) {
            guest->want_resync = false;
            guest->n_lost = 0;
            l->stats.n_resyncs++;
        }
    }
}

/* ---- State. ---- */

static void
put_number(struct json *object, const char *name, uint64_t value)
{
    /* JSON's integers have a sign. */
    json_object_put(object, name, json_integer_create(MIN(value, INT64_MAX)));
}

static struct json *
iface_to_json(const struct xf_guest_iface *iface)
{
    static const char *const names[] = {
        [XF_LOAD_IFACE_INDEX] = "ifindex",
        [XF_LOAD_IFACE_RX_PACKETS] = "rx_packets",
        [XF_LOAD_IFACE_RX_BYTES] = "rx_bytes",
        [XF_LOAD_IFACE_RX_DROPPED] = "rx_dropped",
        [XF_LOAD_IFACE_TX_PACKETS] = "tx_packets",
        [XF_LOAD_IFACE_TX_BYTES] = "tx_bytes",
        [XF_LOAD_IFACE_TX_DROPPED] = "tx_dropped",
    };
    struct json *object = json_object_create();

    json_object_put_string(object, "name", iface->name);
    for (int i = 1; i < ARRAY_SIZE(names); i++) {
        put_number(object, names[i], iface->v[i]);
    }
    return object;
}

static void
put_load(struct json *object, const struct xf_speaker_guest *guest)
{
    const struct xf_guest_load *load = guest->load;
    struct json *ifaces = json_array_create_empty();

    put_number(object, "uptime", load->v[XF_LOAD_UPTIME_MS] / 1000);
    put_number(object, "cpus", load->v[XF_LOAD_N_CPUS]);
    put_number(object, "cpu_user_ms", load->v[XF_LOAD_CPU_USER_MS]);
    put_number(object, "cpu_system_ms", load->v[XF_LOAD_CPU_SYSTEM_MS]);
    if (guest->before) {
        json_object_put(object, "cpu_user_percent", json_real_create(
            xf_guest_cpu_percent(guest->before, load, XF_LOAD_CPU_USER_MS)));
        json_object_put(object, "cpu_system_percent", json_real_create(
            xf_guest_cpu_percent(guest->before, load,
                                 XF_LOAD_CPU_SYSTEM_MS)));
    }
    put_number(object, "memory_total", load->v[XF_LOAD_MEM_TOTAL_BYTES]);
    put_number(object, "memory_available",
               load->v[XF_LOAD_MEM_AVAILABLE_BYTES]);
    for (size_t i = 0; i < load->n_ifaces; i++) {
        json_array_add(ifaces, iface_to_json(&load->ifaces[i]));
    }
    json_object_put(object, "interfaces", ifaces);
}

struct json *
xf_listener_guest_to_json(const struct xf_listener *l, long long int now_ms)
{
    struct json *object = json_object_create();
    const struct xf_speaker_guest *guest = l->conn ? &l->conn->guest : NULL;

    json_object_put(object, "connected",
                    json_boolean_create(guest && guest->known));
    if (guest && guest->known) {
        json_object_put_string(object, "name", guest->name);
        put_number(object, "neighbors_used", l->stats.n_used);
        put_number(object, "resyncs", l->stats.n_resyncs);
    }
    if (guest && guest->load) {
        put_number(object, "age_ms", MAX(0, now_ms - guest->load_ms));
        put_load(object, guest);
    }
    return object;
}
