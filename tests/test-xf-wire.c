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


/* Tests of core/wire: see usage().
 *
 * Messages are written as text, one per line, so that a table of them can
 * stand in tests/wire.at; words are separated by spaces:
 *
 *   nTYPE      a netlink message begins: nlmsg_type, decimal
 *   nTYPE/FL   likewise, with nlmsg_flags, hexadecimal
 *   lN         its nlmsg_len is to be N, whatever follows
 *   aTYPE:HEX  an attribute with its header and padding
 *   aTYPE@N:HEX likewise, but with rta_len N
 *   HEX        bytes as they are; HEX*N: N times
 *   f          the bytes are a frame with its header, not its payload
 *
 * Numbers in HEX stand in the byte order of the machine: the tables are for
 * little-endian ones and the tests are skipped on others. */

#include <config.h>
#undef NDEBUG
#include "core/wire.h"
#include "core/wire-guest.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "random.h"
#include "util.h"

#define SPEC_MAX 70000

struct bytes {
    uint8_t data[SPEC_MAX];
    size_t size;
    bool is_frame;
};

/* ---- Text to bytes. ---- */

static void
put_hex(struct bytes *b, const char *s, const char *spec)
{
    size_t ofs = b->size;

    for (; s[0] && s[0] != ' ' && s[0] != '*'; s += 2) {
        int hi = hexit_value(s[0]);
        int lo = hi < 0 ? -1 : hexit_value(s[1]);

        if (lo < 0 || b->size >= sizeof b->data) {
            ovs_fatal(0, "%s: bad hexadecimal digits at '%s'", spec, s);
        }
        b->data[b->size++] = hi << 4 | lo;
    }

    size_t size = b->size - ofs;
    size_t n = s[0] == '*' ? strtoul(s + 1, NULL, 10) : 1;
    if (!n || n > sizeof b->data
        || (n - 1) * size > sizeof b->data - b->size) {
        ovs_fatal(0, "%s: cannot repeat as said at '%s'", spec, s);
    }
    for (; n > 1; n--) {
        memcpy(b->data + b->size, b->data + ofs, size);
        b->size += size;
    }
}

static void
put_attr(struct bytes *b, const char *word, const char *spec)
{
    struct rtattr rta = { .rta_type = strtoul(word, NULL, 10) };
    const char *colon = strchr(word, ':');
    const char *at = strchr(word, '@');
    size_t ofs = b->size;

    if (!colon) {
        ovs_fatal(0, "%s: '%s' needs a colon", spec, word);
    }
    b->size += sizeof rta;
    put_hex(b, colon + 1, spec);
    rta.rta_len = (at && at < colon ? strtoul(at + 1, NULL, 10)
                   : b->size - ofs);
    memcpy(b->data + ofs, &rta, sizeof rta);
    while ((b->size - ofs) % RTA_ALIGNTO) {
        b->data[b->size++] = 0;
    }
}

static void
start_msg(struct bytes *b, const char *word)
{
    const char *slash = strchr(word, '/');
    struct nlmsghdr nlh = {
        .nlmsg_type = strtoul(word, NULL, 10),
        .nlmsg_flags = slash ? strtoul(slash + 1, NULL, 16) : NLM_F_REQUEST,
        .nlmsg_seq = 7,
    };

    memcpy(b->data + b->size, &nlh, sizeof nlh);
    b->size += sizeof nlh;
}

/* Sets nlmsg_len of the message at 'ofs' to 'len' or, if that is negative, to
 * what has been written. */
static void
finish_msg(struct bytes *b, ssize_t ofs, long int len)
{
    if (ofs >= 0) {
        uint32_t nlmsg_len = len >= 0 ? len : b->size - ofs;

        memcpy(b->data + ofs, &nlmsg_len, sizeof nlmsg_len);
    }
}

static void
assemble(const char *spec, struct bytes *b)
{
    ssize_t ofs = -1;
    long int len = -1;

    b->size = 0;
    b->is_frame = false;
    for (const char *p = spec; *p; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        if (*p == 'n') {
            finish_msg(b, ofs, len);
            ofs = b->size;
            len = -1;
            start_msg(b, p + 1);
        } else if (*p == 'l') {
            len = strtoul(p + 1, NULL, 10);
        } else if (*p == 'a' && strcspn(p, ":") < strcspn(p, " ")) {
            put_attr(b, p + 1, spec);
        } else if (!strncmp(p, "f ", 2)) {
            b->is_frame = true;
        } else {
            put_hex(b, p, spec);
        }
    }
    finish_msg(b, ofs, len);
}

/* ---- Lines of a file. ---- */

static char *
next_line(FILE *stream, struct ds *line)
{
    while (!ds_get_line(line, stream)) {
        char *s = ds_cstr(line);

        s += strspn(s, " ");
        if (*s && *s != '#') {
            return s;
        }
    }
    return NULL;
}

static FILE *
open_file(const char *name)
{
    FILE *stream = !strcmp(name, "-") ? stdin : fopen(name, "r");

    if (!stream) {
        ovs_fatal(errno, "%s", name);
    }
    return stream;
}

/* ---- Checks of what a decoder returned. ---- */

#define CHECK(EXPR)                                                     \
    do {                                                                \
        if (!(EXPR)) {                                                  \
            ovs_fatal(0, "%s: check failed: %s", what, #EXPR);          \
        }                                                               \
    } while (0)

static void
check_nexthops(const struct xf_nexthop *nexthops, size_t n, const char *what)
{
    CHECK(n <= XF_NH_MAX);
    for (size_t i = 0; i < n; i++) {
        CHECK(nexthops[i].weight >= 1 && nexthops[i].weight <= 256);
        CHECK(nexthops[i].ifindex && nexthops[i].ifindex <= INT32_MAX);
    }
}

/* What holds for every message that was accepted. */
static void
check_msg(const struct xf_wire_msg *msg, const char *what)
{
    CHECK(msg->type <= XF_WIRE_IGNORED);
    check_nexthops(msg->nexthops, msg->n_nexthops, what);
    CHECK(msg->n_members <= XF_NH_MAX);
    CHECK(memchr(msg->ifname, '\0', sizeof msg->ifname));
    switch (msg->type) {
    case XF_WIRE_ROUTE_ADD:
        check_nexthops(msg->route.nexthops, msg->route.n_nexthops, what);
        CHECK(!msg->route.n_nexthops || msg->route.nexthops == msg->nexthops);
        CHECK((msg->route.type == XF_ROUTE_UNICAST)
              == (msg->route.nhid || msg->route.n_nexthops));
        CHECK(msg->route.metric != UINT32_MAX);
        /* fall through */
    case XF_WIRE_ROUTE_DEL:
        CHECK(msg->route.prefix.len <= xf_addr_bits(&msg->route.prefix.addr));
        break;
    case XF_WIRE_NEXTHOP_ADD:
        CHECK(msg->nexthop_id && msg->n_nexthops == !msg->blackhole);
        break;
    case XF_WIRE_NEXTHOP_GROUP_ADD:
        CHECK(msg->nexthop_id && msg->n_members);
        for (size_t i = 0; i < msg->n_members; i++) {
            CHECK(msg->members[i].id);
            CHECK(msg->members[i].weight >= 1
                  && msg->members[i].weight <= 256);
        }
        break;
    case XF_WIRE_NEIGH_ADD:
        CHECK(!eth_addr_is_zero(msg->mac) && !eth_addr_is_multicast(msg->mac));
        /* fall through */
    case XF_WIRE_NEIGH_DEL:
    case XF_WIRE_ADDR_ADD:
    case XF_WIRE_ADDR_DEL:
        CHECK(msg->prefix_len <= xf_addr_bits(&msg->ip));
        /* fall through */
    case XF_WIRE_NEIGH_USE:
    case XF_WIRE_LINK_ADD:
    case XF_WIRE_LINK_DEL:
        CHECK(msg->ifindex && msg->ifindex <= INT32_MAX);
        break;
    case XF_WIRE_NEXTHOP_DEL:
        CHECK(msg->nexthop_id);
        break;
    case XF_WIRE_HELLO:
        CHECK(msg->ifname[0]);
        break;
    case XF_WIRE_LOAD: {
        struct xf_guest_load load;

        CHECK(!xf_guest_load_decode(msg->body, msg->body_size, &load));
        CHECK(load.n_ifaces <= XF_GUEST_IFACES_MAX);
        break;
    }
    case XF_WIRE_END:
    case XF_WIRE_RESYNC:
    case XF_WIRE_COPY:
    case XF_WIRE_COUNTS:
    case XF_WIRE_IGNORED:
        break;
    }
}

/* Decodes 'size' bytes from a copy of exactly that size, in which any access
 * beyond it is seen by AddressSanitizer or valgrind.  Returns the result of
 * the first message. */
static enum xf_wire_error
decode_copy(const void *data, size_t size, const char *what)
{
    uint8_t *copy = size ? xmemdup(data, size) : xmalloc(1);
    enum xf_wire_error first = XF_WIRE_OK;
    const uint8_t *p = copy;
    size_t left = size;
    bool is_first = true;

    do {
        struct xf_wire_msg msg;
        size_t before = left;
        enum xf_wire_error error = xf_wire_decode(&p, &left, &msg);

        CHECK(error < XF_N_WIRE_ERRORS);
        CHECK(!before || left < before);
        CHECK(error != XF_WIRE_E_TRUNCATED || !left);
        CHECK(p == copy + size - left);
        if (!error) {
            check_msg(&msg, what);
        } else {
            CHECK(msg.type == XF_WIRE_IGNORED && !msg.n_nexthops
                  && !msg.n_members && !msg.replace);
        }
        free(xf_wire_msg_to_string(&msg));
        first = is_first ? error : first;
        is_first = false;
    } while (left);
    free(copy);
    return first;
}

/* ---- Sub-commands. ---- */

/* Prints each message of each line. */
static void
cmd_decode(const char *name)
{
    FILE *stream = open_file(name);
    struct ds line = DS_EMPTY_INITIALIZER;
    static struct bytes b;

    for (char *s; (s = next_line(stream, &line)); ) {
        assemble(s, &b);

        const uint8_t *p = b.data;
        size_t size = b.size;
        if (b.is_frame) {
            int frame_size = xf_wire_frame_size(b.data, b.size);

            if (frame_size < 0 || (size_t) frame_size != b.size) {
                ovs_fatal(0, "%s: not one whole frame (%d)", s, frame_size);
            }
            p += XF_WIRE_HEADER_SIZE;
            size -= XF_WIRE_HEADER_SIZE;
        }
        while (size) {
            struct xf_wire_msg msg;
            enum xf_wire_error error = xf_wire_decode(&p, &size, &msg);
            char *text = xf_wire_msg_to_string(&msg);

            if (error) {
                printf("refused: %s\n", xf_wire_error_name(error));
            } else {
                check_msg(&msg, s);
                printf("%s\n", text);
            }
            free(text);
        }
    }
    ds_destroy(&line);
}

/* Each line: the reason expected, a colon, a message. */
static void
cmd_refuse(const char *name)
{
    FILE *stream = open_file(name);
    struct ds line = DS_EMPTY_INITIALIZER;
    static struct bytes b;
    int n = 0, n_wrong = 0;

    for (char *s; (s = next_line(stream, &line)); n++) {
        char *colon = strchr(s, ':');
        enum xf_wire_error error;

        if (!colon) {
            ovs_fatal(0, "%s: no colon", s);
        }
        *colon = '\0';
        assemble(colon + 1, &b);
        if (b.is_frame) {
            uint8_t *copy = xmemdup(b.data, b.size);
            int result = xf_wire_frame_size(copy, b.size);

            error = result < 0 ? -result : XF_WIRE_OK;
            free(copy);
        } else {
            error = decode_copy(b.data, b.size, colon + 1);
        }
        if (strcmp(xf_wire_error_name(error), s)) {
            printf("%s: expected %s, got %s\n", colon + 1, s,
                   xf_wire_error_name(error));
            n_wrong++;
        }
    }
    ds_destroy(&line);
    printf("%d of %d as expected\n", n - n_wrong, n);
    if (n_wrong) {
        exit(1);
    }
}

/* Truncates each line's message at every byte, and gives every byte every
 * other value. */
static void
cmd_mutate(const char *name)
{
    FILE *stream = open_file(name);
    struct ds line = DS_EMPTY_INITIALIZER;
    unsigned int n_samples = 0, n_cuts = 0, n_mutations = 0;
    static struct bytes b;

    for (char *what; (what = next_line(stream, &line)); n_samples++) {
        assemble(what, &b);
        size_t ofs = b.is_frame ? XF_WIRE_HEADER_SIZE : 0;
        uint8_t *data = b.data + ofs;
        size_t size = b.size - ofs;
        struct nlmsghdr nlh;

        memcpy(&nlh, data, sizeof nlh);
        for (size_t cut = 0; cut < size; cut++, n_cuts++) {
            enum xf_wire_error error = decode_copy(data, cut, what);

            CHECK(cut >= nlh.nlmsg_len || error == XF_WIRE_E_TRUNCATED);
        }
        for (size_t i = 0; i < size; i++) {
            uint8_t original = data[i];

            for (int v = 1; v < 256; v++, n_mutations++) {
                data[i] = original ^ v;
                decode_copy(data, size, what);
            }
            data[i] = original;
        }
    }
    ds_destroy(&line);
    printf("%u samples: %u truncations, %u mutations\n", n_samples, n_cuts,
           n_mutations);
}

/* ---- Random messages. ---- */

static struct in6_addr
random_addr(bool v4)
{
    struct in6_addr addr;

    if (v4) {
        in6_addr_set_mapped_ipv4(&addr, htonl(0x0a000000
                                              | (random_uint32() >> 8)));
    } else {
        for (int i = 0; i < 16; i++) {
            addr.s6_addr[i] = random_range(256);
        }
        addr.s6_addr[0] = 0x20;
    }
    return addr;
}

static struct xf_prefix
random_prefix(bool v4)
{
    struct xf_prefix prefix = { .addr = random_addr(v4) };

    prefix.len = random_range(v4 ? 33 : 129);
    for (int bit = prefix.len + (v4 ? XF_V4_OFS : 0); bit < 128; bit++) {
        prefix.addr.s6_addr[bit / 8] &= ~(0x80 >> bit % 8);
    }
    return prefix;
}

static struct eth_addr
random_mac(void)
{
    struct eth_addr mac;

    eth_addr_random(&mac);
    return mac;
}

/* A number that is often at an end of its range. */
static uint32_t
random_number(uint32_t min, uint32_t max)
{
    switch (random_range(4)) {
    case 0: return min;
    case 1: return max;
    default: return min + random_uint32() % (max - min);
    }
}

static void
random_nexthops(struct xf_wire_msg *msg, size_t n, bool v4)
{
    msg->n_nexthops = n;
    for (size_t i = 0; i < n; i++) {
        struct xf_nexthop *nh = &msg->nexthops[i];

        memset(nh, 0, sizeof *nh);
        if (random_range(4)) {
            nh->gateway = random_addr(v4 && random_range(4));
        }
        nh->ifindex = random_number(1, INT32_MAX);
        nh->weight = random_number(1, 256);
    }
}

static void
random_route(struct xf_wire_msg *msg)
{
    struct xf_route_spec *route = &msg->route;
    bool v4 = random_range(2);

    route->prefix = random_prefix(v4);
    if (msg->type == XF_WIRE_ROUTE_DEL) {
        route->metric = random_number(0, UINT32_MAX);
        return;
    }
    route->type = random_range(2) ? XF_ROUTE_UNICAST : random_range(5);
    route->protocol = random_range(256);
    route->metric = random_number(0, UINT32_MAX - 1);
    if (route->type == XF_ROUTE_UNICAST) {
        if (!random_range(4)) {
            route->nhid = random_number(1, UINT32_MAX);
        } else {
            random_nexthops(msg, random_number(1, random_range(8)
                                               ? 4 : XF_NH_MAX), v4);
            route->nexthops = msg->nexthops;
            route->n_nexthops = msg->n_nexthops;
        }
    }
}

static void
random_nexthop(struct xf_wire_msg *msg)
{
    msg->nexthop_id = random_number(1, UINT32_MAX);
    if (msg->type == XF_WIRE_NEXTHOP_GROUP_ADD) {
        msg->n_members = random_number(1, random_range(8) ? 4 : XF_NH_MAX);
        for (size_t i = 0; i < msg->n_members; i++) {
            do {
                msg->members[i].id = random_number(1, UINT32_MAX);
            } while (msg->members[i].id == msg->nexthop_id);
            msg->members[i].weight = random_number(1, 256);
        }
    } else if (msg->type == XF_WIRE_NEXTHOP_ADD) {
        msg->blackhole = !random_range(4);
        if (!msg->blackhole) {
            random_nexthops(msg, 1, random_range(2));
            msg->nexthops[0].weight = 1;
        }
    }
}

static void
random_other(struct xf_wire_msg *msg)
{
    bool v4 = random_range(2);

    msg->ifindex = random_number(1, INT32_MAX);
    if (msg->type == XF_WIRE_LINK_ADD || msg->type == XF_WIRE_LINK_DEL) {
        if (random_range(4)) {
            msg->mac = random_mac();
        }
        if (random_range(4)) {
            snprintf(msg->ifname, sizeof msg->ifname, "eth%d",
                     random_range(1000));
        }
        if (random_range(4)) {
            msg->mtu = random_number(68, UINT16_MAX);
        }
        msg->up = msg->type == XF_WIRE_LINK_ADD && random_range(2);
        return;
    }
    msg->ip = random_addr(v4);
    if (msg->type == XF_WIRE_ADDR_ADD || msg->type == XF_WIRE_ADDR_DEL) {
        msg->prefix_len = random_number(0, v4 ? 32 : 128);
    } else if (msg->type == XF_WIRE_NEIGH_ADD) {
        msg->mac = random_mac();
        msg->permanent = random_range(2);
    }
}

static void
random_msg(struct xf_wire_msg *msg)
{
    memset(msg, 0, sizeof *msg);
    msg->type = random_range(XF_WIRE_END + 1);
    msg->seq = random_number(0, UINT32_MAX);
    msg->pid = random_number(0, UINT32_MAX);
    msg->ack = random_range(2);
    switch (msg->type) {
    case XF_WIRE_ROUTE_ADD:
    case XF_WIRE_ROUTE_DEL:
        random_route(msg);
        break;
    case XF_WIRE_NEXTHOP_ADD:
    case XF_WIRE_NEXTHOP_GROUP_ADD:
    case XF_WIRE_NEXTHOP_DEL:
        random_nexthop(msg);
        break;
    case XF_WIRE_END:
        break;
    case XF_WIRE_NEIGH_ADD:
    case XF_WIRE_NEIGH_DEL:
    case XF_WIRE_ADDR_ADD:
    case XF_WIRE_ADDR_DEL:
    case XF_WIRE_LINK_ADD:
    case XF_WIRE_LINK_DEL:
    case XF_WIRE_NEIGH_USE:
    case XF_WIRE_HELLO:
    case XF_WIRE_LOAD:
    case XF_WIRE_RESYNC:
    case XF_WIRE_COPY:
    case XF_WIRE_COUNTS:
    case XF_WIRE_IGNORED:
    default:
        random_other(msg);
        break;
    }
    msg->replace = ((msg->type == XF_WIRE_ROUTE_ADD
                     || msg->type == XF_WIRE_NEXTHOP_ADD
                     || msg->type == XF_WIRE_NEIGH_ADD)
                    && random_range(2));
}

/* Encodes 'msg', decodes that, and compares. */
static void
round_trip(const struct xf_wire_msg *msg)
{
    static uint8_t buffer[XF_WIRE_MAX_FRAME];
    char *what = xf_wire_msg_to_string(msg);
    size_t size = xf_wire_encode(msg, buffer, sizeof buffer);
    struct xf_wire_msg copy;

    CHECK(size > XF_WIRE_HEADER_SIZE);
    CHECK(xf_wire_frame_size(buffer, size) == (int) size);
    CHECK(!xf_wire_encode(msg, buffer, size - 1 - random_range(size - 1)));
    CHECK(xf_wire_encode(msg, buffer, size) == size);

    uint8_t *frame = xmemdup(buffer, size);
    const uint8_t *p = frame + XF_WIRE_HEADER_SIZE;
    size_t left = size - XF_WIRE_HEADER_SIZE;
    enum xf_wire_error error = xf_wire_decode(&p, &left, &copy);
    char *text = xf_wire_msg_to_string(&copy);

    if (error || left || strcmp(text, what)) {
        ovs_fatal(0, "sent '%s'\ngot  '%s' (%s, %"PRIuSIZE" bytes left)",
                  what, text, xf_wire_error_name(error), left);
    }
    check_msg(&copy, what);
    CHECK(copy.type == msg->type && copy.seq == msg->seq
          && copy.pid == msg->pid && copy.ack == msg->ack
          && copy.replace == msg->replace);
    CHECK(copy.route.protocol == msg->route.protocol
          || msg->type == XF_WIRE_ROUTE_DEL);
    CHECK(copy.route.metric == msg->route.metric);

    uint32_t seq;
    int number;
    CHECK(!xf_wire_decode_ack(frame, size, &seq, &number));
    free(text);
    free(frame);
    free(what);
}

static void
cmd_random(const char *seed_, const char *n_)
{
    uint32_t seed = strtoul(seed_, NULL, 10);
    unsigned int n = strtoul(n_, NULL, 10);
    struct xf_wire_msg msg;

    fprintf(stderr, "seed %"PRIu32"\n", seed);
    random_set_seed(seed ? seed : 1);
    for (unsigned int i = 0; i < n; i++) {
        random_msg(&msg);
        round_trip(&msg);
    }
    printf("%u messages came back as they were\n", n);
}

/* Acknowledgements: round trip, every truncation, every mutation. */
static void
cmd_acks(void)
{
    static const int errors[] = { 0, ENOENT, ENOSPC, EINVAL, EOPNOTSUPP };
    const char *what = "ack";
    uint8_t buffer[64];
    uint32_t seq;
    int error;

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        size_t size = xf_wire_encode_ack(100 + i, 5, RTM_NEWROUTE, errors[i],
                                         buffer, sizeof buffer);

        CHECK(size && size < sizeof buffer);
        CHECK(xf_wire_decode_ack(buffer, size, &seq, &error));
        CHECK(seq == 100 + i && error == errors[i]);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *copy = cut ? xmemdup(buffer, cut) : xmalloc(1);

            CHECK(!xf_wire_decode_ack(copy, cut, &seq, &error));
            CHECK(!xf_wire_encode_ack(1, 2, 3, 4, buffer, cut));
            free(copy);
        }
        xf_wire_encode_ack(100 + i, 5, RTM_NEWROUTE, errors[i], buffer,
                           sizeof buffer);
        for (size_t ofs = 0; ofs < size; ofs++) {
            for (int v = 1; v < 256; v++) {
                uint8_t *copy = xmemdup(buffer, size);

                copy[ofs] ^= v;
                if (xf_wire_decode_ack(copy, size, &seq, &error)) {
                    CHECK(error >= 0);
                }
                free(copy);
            }
        }
    }
    printf("acknowledgements: ok\n");
}

static void
usage(void)
{
    printf("usage: %s COMMAND\n"
           "  decode FILE     print each message\n"
           "  refuse FILE     lines 'REASON: MESSAGE': check the refusals\n"
           "  mutate FILE     truncate and mutate each message\n"
           "  random SEED N   encode and decode N random messages\n"
           "  acks            encode and decode acknowledgements\n"
           "FILE has one message per line ('-': standard input); how they\n"
           "are written is said at the top of the source.\n",
           program_name);
}

int
main(int argc, char *argv[])
{
    const char *command = argc > 1 ? argv[1] : "";

    set_program_name(argv[0]);
    if (argc == 3 && !strcmp(command, "decode")) {
        cmd_decode(argv[2]);
    } else if (argc == 3 && !strcmp(command, "refuse")) {
        cmd_refuse(argv[2]);
    } else if (argc == 3 && !strcmp(command, "mutate")) {
        cmd_mutate(argv[2]);
    } else if (argc == 4 && !strcmp(command, "random")) {
        cmd_random(argv[2], argv[3]);
    } else if (argc == 2 && !strcmp(command, "acks")) {
        cmd_acks();
    } else if (argc == 2 && !strcmp(command, "--help")) {
        usage();
    } else {
        ovs_fatal(0, "'%s': no such command, or wrong number of arguments; "
                  "--help lists them", command);
    }
    return 0;
}
