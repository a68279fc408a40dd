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

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/rule-table-follow.h"
#include "core/wire-copy.h"
#include "engine/copy-private.h"
#include "openvswitch/json.h"
#include "packets.h"
#include "socket-util.h"
#include "stream-fd.h"
#include "stream-provider.h"
#include "stream.h"
#include "xenflow-ext/xenflow-idl.h"

/* Copies of tables, by the first byte of the input:
 *
 *   0  the rest is what somebody says to the source of a copy
 *   1  the rest is what somebody says to the destination of one
 *   2  the rest is a history of a table, and when it is followed: in the end the
 *      other table must state the same */

#define SOURCE 3
#define LEARNED 2
#define STEPS_MAX 400

static void
retire_now(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

/* ---- A table with a passive listener. ---- */

struct end {
    struct xf_rt *rt;
    struct xf_listener *listener;
    int fd;                     /* The other end of its connection. */
    long long int now_ms;
    uint64_t generation;
    size_t n_copies;            /* Messages of copies' own. */
};

static uint64_t
changed(void *end_)
{
    struct end *end = end_;

    return ++end->generation;
}

static void
iface_changed(void *end_)
{
    changed(end_);
}

static void
copy_message(void *end_, const struct xf_wire_msg *msg)
{
    struct end *end = end_;
    struct xf_copy_msg copy;
    struct xf_copy_count count;
    const uint8_t *body = msg->body;
    size_t size = msg->body_size;

    end->n_copies++;
    if (msg->type == XF_WIRE_COPY) {
        FUZZ_CHECK(!xf_copy_decode(body, size, &copy));
        if (copy.kind == XF_COPY_BEGIN) {
            xf_listener_begin(end->listener);
        }
        return;
    }
    while (xf_copy_next_count(&body, &size, &count)) {
        const struct xf_rt_count c = {
            .is_neigh = count.is_neigh,
            .prefix = { count.ip, count.len },
            .number = count.number,
            .confirmed_ms = end->now_ms - count.age_ms,
        };

        xf_rt_raise_count(end->rt, SOURCE, &c, count.n_packets, count.n_bytes,
                          end->now_ms);
    }
}

static const struct xf_listener_ops ops = {
    .changed = changed,
    .iface_changed = iface_changed,
    .copy = copy_message,
};

static struct xf_rt *
create_table(void)
{
    const struct xf_rt_limits limits = { 400, 60, 20, 4, 16 };
    struct xf_rt *rt = xf_rt_create(&limits, retire_now, NULL);

    for (int i = 0; i < 2; i++) {
        struct xf_iface iface = {
            .ifindex = 2 + i, .mtu = 1500, .up = true, .vlan = 10 + i,
            .mac = ETH_ADDR_C(52,54,00,00,00,01),
        };

        iface.mac.ea[5] += i;
        snprintf(iface.name, sizeof iface.name, "eth%d", i);
        ovs_assert(!xf_rt_iface_add(rt, &iface, NULL));
    }
    ovs_assert(!xf_rt_source_add(rt, SOURCE, "speaker", XF_PREF_SPEAKER,
                                 NULL));
    ovs_assert(!xf_rt_source_add(rt, LEARNED, "learned", XF_PREF_LEARNED,
                                 NULL));
    return rt;
}

/* Makes 'end' a listener with a connection. */
static void
create_end(struct end *end)
{
    const struct xf_listener_config config = {
        .address = "s1",
        .port = 6655,
        .source = SOURCE,
        .source_name = "speaker",
        .neigh_source = LEARNED,
        .passive = true,
        .adopt = true,
    };
    struct stream *stream;
    char *error = NULL;
    int fds[2];

    memset(end, 0, sizeof *end);
    end->now_ms = 1000;
    end->rt = create_table();
    end->listener = xf_listener_create(&config, end->rt, &ops, end, &error);
    FUZZ_CHECK(!error);
    FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
    end->fd = fds[0];
    FUZZ_CHECK(!new_fd_stream(xstrdup("pair"), fds[1], 0, AF_UNIX, &stream));
    FUZZ_CHECK(!stream_connect(stream));
    xf_listener_connect(end->listener, stream, xstrdup("peer"), end->now_ms);
}

static void
run_end(struct end *end, long long int ms)
{
    uint8_t answers[4096];

    end->now_ms += ms;
    xf_listener_run(end->listener, end->now_ms);
    xf_listener_acked(end->listener, end->generation);
    while (recv(end->fd, answers, sizeof answers, MSG_DONTWAIT) > 0) {
        continue;
    }
}

static void
destroy_end(struct end *end)
{
    close(end->fd);
    run_end(end, 20);
    json_destroy(xf_listener_to_json(end->listener, end->now_ms));
    xf_listener_abandon(end->listener);
    xf_rt_check(end->rt);
    xf_rt_destroy(end->rt);
}

static void
fuzz_destination(struct fuzz_input *in)
{
    struct end end;

    create_end(&end);
    while (in->size) {
        size_t n = MIN(in->size, 1 + fuzz_u8(in) * 16);

        n = MIN(n, in->size);
        if (n && send(end.fd, in->data, n, MSG_NOSIGNAL) < 0) {
            break;
        }
        in->data += n;
        in->size -= n;
        run_end(&end, 3);
    }
    destroy_end(&end);
}

/* ---- The source. ---- */

static void
fuzz_source(struct fuzz_input *in)
{
    struct ovsdb_idl *idl = ovsdb_idl_create_unconnected(&xfrec_idl_class,
                                                         false);
    struct xf_db db = { .idl = idl, .host = CONST_CAST(char *, "s1") };
    struct xf_copies *copies = xf_copies_create(NULL, &db);
    struct stream *stream;
    int fds[2];

    FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
    FUZZ_CHECK(!new_fd_stream(xstrdup("pair"), fds[1], 0, AF_UNIX, &stream));
    FUZZ_CHECK(!stream_connect(stream));
    xf_serving_create(copies, stream, 1000);
    for (int i = 0; in->size && i < 64; i++) {
        size_t n = MIN(in->size, 1 + fuzz_u8(in) * 8);

        n = MIN(n, in->size);
        if (n && send(fds[0], in->data, n, MSG_NOSIGNAL) < 0) {
            break;
        }
        in->data += n;
        in->size -= n;
        xf_servings_run(copies, 1000 + i);
    }
    xf_servings_run(copies, 2000 + XF_COPY_HELLO_MS);
    xf_copies_destroy(copies);
    close(fds[0]);
    ovsdb_idl_destroy(idl);
}

/* ---- A history. ---- */

static struct xf_nexthop
take_nexthop(struct fuzz_input *in)
{
    struct xf_nexthop nh = { .weight = 1 };
    uint8_t byte = fuzz_u8(in);

    nh.ifindex = 2 + (byte & 1);
    in6_addr_set_mapped_ipv4(&nh.gateway, htonl(0x0a000100 + (byte & 7)));
    return nh;
}

static struct xf_prefix
take_prefix(struct fuzz_input *in)
{
    struct xf_prefix prefix = { .len = 16 };

    in6_addr_set_mapped_ipv4(&prefix.addr,
                             htonl(0x14000000 + (fuzz_u8(in) % 12 << 16)));
    return prefix;
}

static void
step_route(struct xf_rt *rt, struct fuzz_input *in)
{
    struct xf_nexthop hops[2] = { take_nexthop(in), take_nexthop(in) };
    uint8_t how = fuzz_u8(in);
    struct xf_route_spec spec = {
        .prefix = take_prefix(in),
        .type = how & 64 ? XF_ROUTE_BLACKHOLE : XF_ROUTE_UNICAST,
        .metric = how & 3,
        .protocol = how >> 7,
        .nhid = how & 4 ? 1 + (how >> 3) % 4 : 0,
        .n_nexthops = how & 4 ? 0 : 1 + (how >> 3) % 2,
        .nexthops = hops,
    };

    xf_rt_route_add(rt, SOURCE, &spec, how & 32, NULL);
}

static void
step_nexthop(struct xf_rt *rt, struct fuzz_input *in)
{
    struct xf_nexthop hop = take_nexthop(in);
    uint8_t how = fuzz_u8(in);
    uint32_t id = 1 + how % 4;
    struct xf_nexthop_ref members[] = {
        { 1 + (how >> 2) % 4, 1 }, { 1 + (how >> 4) % 4, 2 },
    };

    switch (fuzz_u8(in) % 4) {
    case 0:
        xf_rt_nexthop_set(rt, SOURCE, id, &hop, 1, NULL);
        break;
    case 1:
        xf_rt_nexthop_set_group(rt, SOURCE, id, members, 2, NULL);
        break;
    case 2:
        xf_rt_nexthop_set_blackhole(rt, SOURCE, id, NULL);
        break;
    default:
        xf_rt_nexthop_del(rt, SOURCE, id, NULL);
        break;
    }
}

static void
step_neigh(struct xf_rt *rt, struct fuzz_input *in)
{
    struct eth_addr mac = ETH_ADDR_C(aa,00,00,00,00,00);
    uint8_t how = fuzz_u8(in);
    const char *iface = how & 1 ? "eth1" : "eth0";
    struct in6_addr ip;

    mac.ea[5] = how >> 6;
    in6_addr_set_mapped_ipv4(&ip, htonl(0x0a000100 + (how >> 1) % 4));
    if (how & 8) {
        xf_rt_neigh_del(rt, iface, &ip, NULL);
    } else {
        xf_rt_neigh_set(rt, how & 16 ? SOURCE : LEARNED, iface, &ip, mac,
                        how & 16 ? XF_NEIGH_PERMANENT : XF_NEIGH_REACHABLE, 1,
                        NULL);
    }
}

static void
step_addr(struct xf_rt *rt, struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);
    uint32_t source = how & 16 ? SOURCE : LEARNED;
    const char *iface = how & 1 ? "eth1" : "eth0";
    struct in6_addr ip;

    in6_addr_set_mapped_ipv4(&ip, htonl(0x1e000001 + (how >> 1) % 4));
    if (how & 8) {
        xf_rt_addr_del(rt, source, iface, &ip, 24 + (how >> 7), NULL);
    } else {
        xf_rt_addr_add(rt, source, iface, &ip, 24 + (how >> 7), NULL);
    }
}

/* Has up to 'n' messages told to 'end'. */
static void
tell(struct xf_rt_follower *follower, struct end *end, int n)
{
    static struct xf_wire_msg msg;
    uint8_t frame[16384];

    memset(&msg, 0, offsetof(struct xf_wire_msg, nexthops));
    while (n-- && xf_rt_follow_next(follower, &msg)) {
        size_t size = xf_wire_encode(&msg, frame, sizeof frame);

        FUZZ_CHECK(size);
        FUZZ_CHECK(send(end->fd, frame, size, MSG_NOSIGNAL) == size);
        run_end(end, 1);
    }
}

static void
tell_end(struct end *end)
{
    static const struct xf_wire_msg msg = { .type = XF_WIRE_END };
    uint8_t frame[64];
    size_t size = xf_wire_encode(&msg, frame, sizeof frame);

    FUZZ_CHECK(send(end->fd, frame, size, MSG_NOSIGNAL) == size);
    for (int i = 0; i < 4; i++) {
        run_end(end, 20);
    }
    FUZZ_CHECK(xf_listener_is_settled(end->listener));
}

static bool
put_route(const struct xf_route_info *info, void *ds_)
{
    struct ds *ds = ds_;

    ipv6_format_mapped(&info->spec.prefix.addr, ds);
    ds_put_format(ds, "/%d %d %"PRIu32" %d %s", info->spec.prefix.len,
                  info->spec.type, info->spec.metric, info->spec.protocol,
                  info->source_name);
    for (size_t i = 0; i < info->spec.n_nexthops; i++) {
        const struct xf_nexthop *nh = &info->spec.nexthops[i];

        ds_put_format(ds, " %"PRIu32"*%d ", nh->ifindex, nh->weight);
        ipv6_format_mapped(&nh->gateway, ds);
    }
    ds_put_char(ds, '\n');
    return true;
}

static bool
put_neigh(const struct xf_neigh_info *info, void *ds_)
{
    struct ds *ds = ds_;

    ipv6_format_mapped(&info->ip, ds);
    ds_put_format(ds, " %s "ETH_ADDR_FMT" %d %"PRIu32"\n", info->iface->name,
                  ETH_ADDR_ARGS(info->mac), info->state, info->source);
    return true;
}

static bool
put_addr(const struct xf_addr_info *info, void *ds_)
{
    struct ds *ds = ds_;

    ipv6_format_mapped(&info->addr, ds);
    ds_put_format(ds, "/%d %s %"PRIu32"\n", info->prefix_len, info->iface,
                  info->source);
    return true;
}

static char *
table_to_string(const struct xf_rt *rt)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    xf_rt_for_each_route(rt, put_route, &ds);
    xf_rt_for_each_neigh(rt, put_neigh, &ds);
    xf_rt_for_each_addr(rt, put_addr, &ds);
    return ds_steal_cstr(&ds);
}

static void
step(struct xf_rt *rt, struct xf_rt_follower *follower, struct end *end,
     struct fuzz_input *in)
{
    switch (fuzz_u8(in) % 8) {
    case 0:
    case 1:
        step_route(rt, in);
        break;
    case 2: {
        struct xf_prefix prefix = take_prefix(in);

        xf_rt_route_del(rt, SOURCE, &prefix, fuzz_u8(in) & 3, NULL);
        break;
    }
    case 3:
        step_nexthop(rt, in);
        break;
    case 4:
        step_neigh(rt, in);
        break;
    case 5:
        step_addr(rt, in);
        break;
    case 6:
        tell(follower, end, fuzz_u8(in) % 8);
        break;
    default:
        if (fuzz_u8(in) & 3) {
            xf_rt_source_sweep(rt, SOURCE, 3);
        } else {
            xf_rt_source_mark(rt, SOURCE, NULL);
        }
        break;
    }
}

/* Has all that there is told; again from the beginning if something was refused
 * on the way, as a destination asks for. */
static void
tell_all(struct xf_rt_follower *follower, struct end *end)
{
    tell(follower, end, -1);
    tell_end(end);
    for (int i = 0; xf_listener_n_failed(end->listener) && i < 8; i++) {
        xf_rt_follow_restart(follower);
        xf_listener_begin(end->listener);
        tell(follower, end, -1);
        tell_end(end);
    }
    FUZZ_CHECK(!xf_listener_n_failed(end->listener));
}

static void
fuzz_history(struct fuzz_input *in)
{
    const uint32_t sources[] = { SOURCE, LEARNED };
    struct xf_rt *rt = create_table();
    struct xf_rt_follower *follower = xf_rt_follow(rt, sources, 2);
    struct end end;

    create_end(&end);
    for (int i = 0; in->size && i < STEPS_MAX; i++) {
        step(rt, follower, &end, in);
    }
    FUZZ_CHECK(!xf_rt_follow_is_lost(follower));
    tell_all(follower, &end);

    char *a = table_to_string(rt);
    char *b = table_to_string(end.rt);
    if (strcmp(a, b)) {
        fprintf(stderr, "the source has\n%sthe destination\n%s", a, b);
        abort();
    }
    free(a);
    free(b);
    destroy_end(&end);
    xf_rt_unfollow(follower);
    xf_rt_check(rt);
    xf_rt_destroy(rt);
}

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    switch (fuzz_u8(&in) % 3) {
    case 0:
        fuzz_source(&in);
        break;
    case 1:
        fuzz_destination(&in);
        break;
    default:
        fuzz_history(&in);
        break;
    }
    ovsrcu_quiesce();
    return 0;
}
