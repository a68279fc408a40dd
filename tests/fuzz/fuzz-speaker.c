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
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/rule-table.h"
#include "engine/speaker.h"
#include "openvswitch/json.h"
#include "packets.h"

/* A speaker's connection: the input is cut into pieces (its first byte of each
 * says how long, and what happens between), which go over a real TCP
 * connection to a real listener.  Time passes as the pieces say.  At the end
 * the peer is gone and its statements are swept. */

#define SOURCE 3
#define PIECES_MAX 64

struct peer {
    struct xf_rt *rt;
    struct xf_listener *listener;
    int fd;                     /* -1: not connected. */
    long long int now_ms;
    uint64_t generation;
};

static void
retire_now(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

static uint64_t
changed(void *peer_)
{
    struct peer *peer = peer_;

    return ++peer->generation;
}

static void
iface_changed(void *peer_)
{
    changed(peer_);
}

static const struct xf_listener_ops ops = {
    .changed = changed,
    .iface_changed = iface_changed,
};

static void
create(struct peer *peer)
{
    const struct xf_rt_limits limits = { 200, 20, 10, 4, 8 };
    const struct xf_listener_config config = {
        .address = "127.0.0.1",
        .source = SOURCE,
        .source_name = "speaker",
        .stale_ms = 1000,
        .settle_ms = 100,
    };
    struct xf_iface iface = {
        .name = "eth0", .ifindex = 2, .mtu = 1500, .up = true,
        .mac = ETH_ADDR_C(52,54,00,00,00,01),
    };
    char *error = NULL;

    memset(peer, 0, sizeof *peer);
    peer->fd = -1;
    peer->now_ms = 1000;
    peer->rt = xf_rt_create(&limits, retire_now, NULL);
    ovs_assert(!xf_rt_iface_add(peer->rt, &iface, NULL));
    peer->listener = xf_listener_create(&config, peer->rt, &ops, peer,
                                        &error);
    if (error) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
}

/* Ends the connection at once, without leaving the port in TIME_WAIT. */
static void
hang_up(struct peer *peer)
{
    const struct linger linger = { .l_onoff = 1 };

    if (peer->fd >= 0) {
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(peer->fd);
        peer->fd = -1;
    }
}

static void
call(struct peer *peer)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET,
        .sin_port = htons(xf_listener_port(peer->listener)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    hang_up(peer);
    peer->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(peer->fd, (struct sockaddr *) &sin, sizeof sin)) {
        hang_up(peer);
    }
}

/* One turn of the engine, as far as the listener notices. */
static void
turn(struct peer *peer, long long int ms)
{
    peer->now_ms += ms;
    xf_listener_run(peer->listener, peer->now_ms);
    xf_listener_acked(peer->listener, peer->generation);
}

/* Reads the answers, which must be whole ones. */
static void
read_answers(struct peer *peer)
{
    uint8_t buffer[65536];
    ssize_t n = (peer->fd < 0 ? 0
                 : recv(peer->fd, buffer, sizeof buffer, MSG_DONTWAIT));

    for (ssize_t ofs = 0; ofs < n; ) {
        int size = xf_wire_frame_size(buffer + ofs, n - ofs);
        uint32_t seq;
        int error;

        FUZZ_CHECK(size > 0);
        if (size > n - ofs) {
            break;
        }
        FUZZ_CHECK(xf_wire_decode_ack(buffer + ofs, size, &seq, &error));
        ofs += size;
    }
}

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct peer peer;

    create(&peer);
    call(&peer);
    for (int i = 0; in.size && i < PIECES_MAX; i++) {
        uint8_t how = fuzz_u8(&in);
        size_t n = how & 1 ? fuzz_u16(&in) : in.size;

        n = MIN(n, in.size);
        if (how & 2 && peer.fd >= 0 && n) {
            if (send(peer.fd, in.data, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                hang_up(&peer);
            }
        }
        if (how & 2) {
            in.data += n;
            in.size -= n;
        }
        turn(&peer, how & 4 ? 0 : 1 + (how >> 4) * 40);
        if (how & 8) {
            read_answers(&peer);
        }
        if ((how & 0xf4) == 0xf4) {
            call(&peer);
        }
        json_destroy(xf_listener_to_json(peer.listener, peer.now_ms));
    }
    turn(&peer, 20);
    hang_up(&peer);
    turn(&peer, 1);
    for (int i = 0; i < 3; i++) {
        turn(&peer, 1000);
    }
    /* All that the peer said is gone. */
    FUZZ_CHECK(!xf_rt_source_n_routes(peer.rt, SOURCE));
    FUZZ_CHECK(!xf_rt_source_n_stale(peer.rt, SOURCE));
    xf_rt_check(peer.rt);
    xf_listener_destroy(peer.listener);
    xf_rt_destroy(peer.rt);
    ovsrcu_quiesce();
    return 0;
}
