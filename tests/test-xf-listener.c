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


/* Test of engine/speaker with a real rule table, real sockets on the loopback
 * and a clock of its own: reads a transcript from standard input, repeats it
 * on standard output (commands after "> "), and says there what happens.
 *
 *   listen ADDRESS [DEVICE]   starts the listener, on a port of the kernel's
 *   again [DEVICE]            tries a second one on the same address and port
 *   iface NAME IFINDEX MAC    adds an interface, down, to the table
 *   watch PREFIX              complains if a change leaves it without a route
 *   connect A                 A: name of a client, one letter
 *   close A
 *   finish A                  half-closes: A sends no more
 *   send A MESSAGE [; MESSAGE]...  one frame (messages: see xf-text.h)
 *   ack A MESSAGE             one frame that wants an acknowledgement
 *   hex A HEX                 bytes
 *   load A N                  additions of N prefixes
 *   flood A N                 likewise, with acknowledgements that A doesn't
 *                             read, while the listener runs and all is
 *                             acknowledged; says if the sender was stopped
 *   recv A                    prints the answers that have come
 *   run [MS]                  moves the clock, runs until all is read
 *   step [MS]                 moves the clock, runs once
 *   acked                     all changes so far are in the datapath
 *   serve FILE                writes the port into FILE; runs by the real
 *                             clock, acknowledging all, until a first
 *                             connection has come and ended
 *   routes, ifaces, neighs, addrs
 *   write FILE                writes the routes as test-xf-speaker --expect
 *   show NAME...              members of xf_listener_to_json()
 *   atmost NAME N             says if such a number is beyond N
 *   idle                      says if xf_listener_is_idle() */

#include <config.h>
#undef NDEBUG
#include "engine/speaker.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "socket-util.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"
#include "xf-text.h"

#define SOURCE 3
#define PATIENCE_MS 5000

struct client {
    int fd;
    uint32_t seq;
    uint64_t n_sent;            /* Bytes. */
    uint8_t rx[65536];
    size_t rx_size;
};

static struct client clients[26];
static struct client *current;  /* The last one that connected. */
static uint64_t n_connects;
static uint64_t bytes_before;   /* Read from earlier connections. */

static struct xf_rt *rt;
static struct xf_listener *listener;
static struct xf_listener_config config;
static long long int now_ms = 1000;
static uint64_t generation;
static struct xf_prefix watched;
static bool is_watching;

/* ---- The listener's surroundings. ---- */

static void
retire(void (*destroy)(void *obj), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

static bool
find_watched(const struct xf_route_info *info, void *found_)
{
    bool *found = found_;

    *found |= (info->spec.prefix.len == watched.len
               && ipv6_addr_equals(&info->spec.prefix.addr, &watched.addr));
    return !*found;
}

static uint64_t
changed(void *aux OVS_UNUSED)
{
    bool found = false;

    if (is_watching) {
        xf_rt_for_each_route(rt, find_watched, &found);
        if (!found) {
            printf("gap: a change left the watched prefix without a route\n");
        }
    }
    return ++generation;
}

static void
iface_changed(void *aux OVS_UNUSED)
{
    printf("interface changed\n");
}

static const struct xf_listener_ops ops = {
    .changed = changed,
    .iface_changed = iface_changed,
};

/* Value of a member of the listener's state. */
static struct json *
get_state(const char *name)
{
    struct json *state = xf_listener_to_json(listener, now_ms);
    struct json *member = shash_find_data(json_object(state), name);

    member = member ? json_deep_clone(member) : json_null_create();
    json_destroy(state);
    return member;
}

static uint64_t
get_number(const char *name)
{
    struct json *json = get_state(name);
    uint64_t value = json->type == JSON_INTEGER ? json_integer(json) : 0;

    json_destroy(json);
    return value;
}

static bool
is_connected(void)
{
    struct json *json = get_state("connected");
    bool value = json_boolean(json);

    json_destroy(json);
    return value;
}

/* ---- Clients. ---- */

static struct client *
get_client(const char *name)
{
    if (!name || name[0] < 'A' || name[0] > 'Z' || name[1]) {
        ovs_fatal(0, "'%s' is no client", name ? name : "");
    }
    return &clients[name[0] - 'A'];
}

static void
send_bytes(struct client *c, const void *data, size_t size)
{
    if (c->fd < 0 || send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t) size) {
        printf("cannot send\n");
    } else {
        c->n_sent += size;
    }
}

/* Waits until what 'c' sent is in the listener's socket. */
static void
wait_delivery(struct client *c)
{
    for (int i = 0; c->fd >= 0 && i < PATIENCE_MS; i++) {
        int n;

        if (ioctl(c->fd, SIOCOUTQ, &n) || !n) {
            return;
        }
        poll(NULL, 0, 1);
    }
}

static void
do_connect(struct client *c)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(xf_listener_port(listener)),
    };
    const int size = 4096;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (connect(c->fd, (struct sockaddr *) &sin, sizeof sin)) {
        ovs_fatal(errno, "connect");
    }
    setsockopt_tcp_nodelay(c->fd);
    c->n_sent = 0;
    c->rx_size = 0;
    current = c;
    n_connects++;
}

static void
do_close(struct client *c)
{
    wait_delivery(c);
    close(c->fd);
    c->fd = -1;
}

static void
parse_or_die(char *text, struct xf_wire_msg *msg)
{
    char *error = xf_text_parse(text, msg);

    if (error) {
        ovs_fatal(0, "%s", error);
    }
}

/* Sends the messages of 'text', separated by semicolons, as one frame. */
static void
do_send(struct client *c, char *text, bool ack)
{
    uint8_t frame[XF_WIRE_MAX_FRAME];
    size_t size = XF_WIRE_HEADER_SIZE;
    char *save = NULL;

    for (char *s = strtok_r(text, ";", &save); s;
         s = strtok_r(NULL, ";", &save)) {
        uint8_t one[XF_WIRE_MAX_FRAME];
        struct xf_wire_msg msg;

        parse_or_die(s, &msg);
        msg.ack = ack;
        msg.seq = ++c->seq;
        size_t n = xf_wire_encode(&msg, one, sizeof one);
        if (!n) {
            ovs_fatal(0, "cannot be encoded");
        }
        memcpy(frame, one, XF_WIRE_HEADER_SIZE);
        memcpy(frame + size, one + XF_WIRE_HEADER_SIZE,
               n - XF_WIRE_HEADER_SIZE);
        size += n - XF_WIRE_HEADER_SIZE;
    }
    frame[2] = size >> 8;
    frame[3] = size & 0xff;
    send_bytes(c, frame, size);
}

static void
do_hex(struct client *c, const char *text)
{
    uint8_t bytes[4096];
    size_t n = 0;

    for (; hexit_value(text[0]) >= 0 && n < sizeof bytes; text += 2) {
        bytes[n++] = hexit_value(text[0]) << 4 | hexit_value(text[1]);
    }
    send_bytes(c, bytes, n);
}

/* Encodes the addition of the 'i'th prefix. */
static size_t
encode_nth(unsigned int i, bool ack, void *buffer, size_t capacity)
{
    struct xf_wire_msg msg = {
        .type = XF_WIRE_ROUTE_ADD,
        .seq = i + 1,
        .ack = ack,
        .route.type = XF_ROUTE_BLACKHOLE,
        .route.prefix.len = 32,
    };

    in6_addr_set_mapped_ipv4(&msg.route.prefix.addr,
                             htonl(0x0a000000 + i % 1000));
    return xf_wire_encode(&msg, buffer, capacity);
}

static void
do_load(struct client *c, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        uint8_t frame[256];

        send_bytes(c, frame, encode_nth(i, false, frame, sizeof frame));
    }
}

static void
do_flood(struct client *c, unsigned int n)
{
    size_t size = 0, ofs = 0;
    uint8_t frame[256];
    int n_idle = 0;

    for (unsigned int i = 0; i < n; ) {
        if (ofs == size) {
            size = encode_nth(i, true, frame, sizeof frame);
            ofs = 0;
        }
        ssize_t sent = send(c->fd, frame + ofs, size - ofs,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            ofs += sent;
            i += ofs == size;
            n_idle = 0;
        } else if (++n_idle > 600) {
            printf("stopped\n");
            return;
        } else {
            xf_listener_run(listener, now_ms);
            xf_listener_acked(listener, generation);
            poll(NULL, 0, n_idle > 100);
        }
    }
    printf("not stopped\n");
}

/* Prints the answers that have come. */
static void
do_recv(struct client *c)
{
    struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
    bool closed = false;

    /* What was sent is here already, but for a busy machine. */
    poll(&pfd, 1, 20);
    for (;;) {
        ssize_t n = recv(c->fd, c->rx + c->rx_size, sizeof c->rx - c->rx_size,
                         MSG_DONTWAIT);
        if (n <= 0) {
            closed = !n || errno != EAGAIN;
            break;
        }
        c->rx_size += n;
    }

    size_t ofs = 0;
    for (;;) {
        int size = xf_wire_frame_size(c->rx + ofs, c->rx_size - ofs);
        uint32_t seq;
        int error;

        if (size <= 0 || (size_t) size > c->rx_size - ofs) {
            break;
        }
        if (!xf_wire_decode_ack(c->rx + ofs, size, &seq, &error)) {
            ovs_fatal(0, "not an acknowledgement");
        }
        printf("%u: %s\n", seq, error ? ovs_strerror(error) : "done");
        ofs += size;
    }
    c->rx_size -= ofs;
    memmove(c->rx, c->rx + ofs, c->rx_size);
    if (closed) {
        printf("closed\n");
    }
}

/* ---- Running. ---- */

/* True if the listener has noticed all that happened to 'current'. */
static bool
has_caught_up(void)
{
    if (get_number("connections") != n_connects) {
        return false;
    }
    if (!current || !is_connected()) {
        return true;
    }
    return (current->fd >= 0
            && get_number("bytes") == bytes_before + current->n_sent);
}

static void
do_run(long long int ms)
{
    now_ms += ms;
    if (current) {
        wait_delivery(current);
    }
    for (int i = 0; i < PATIENCE_MS; i++) {
        xf_listener_run(listener, now_ms);
        if (has_caught_up()) {
            xf_listener_run(listener, now_ms);
            return;
        }
        poll(NULL, 0, i > 10);
    }
    ovs_fatal(0, "the listener doesn't catch up");
}

/* Prints 'error' without the port, which differs from run to run. */
static void
print_error(char *error)
{
    char *port = xasprintf("port %"PRIu16, xf_listener_port(listener));
    char *p = strstr(error, port);

    if (p) {
        printf("%.*sport N%s\n", (int) (p - error), error, p + strlen(port));
    } else {
        printf("%s\n", error);
    }
    free(port);
    free(error);
}

static void
do_again(const char *device)
{
    struct xf_listener_config second = config;
    char *error;

    second.port = xf_listener_port(listener);
    second.device = device;
    second.source = SOURCE + 1;
    struct xf_listener *l = xf_listener_create(&second, rt, &ops, NULL,
                                               &error);
    if (l) {
        printf("listening\n");
        xf_listener_destroy(l);
    } else {
        print_error(error);
    }
}

static void
do_unlisten(void)
{
    xf_listener_destroy(listener);
    listener = NULL;
    xf_rt_destroy(rt);
    rt = NULL;
    free(CONST_CAST(char *, config.address));
    free(CONST_CAST(char *, config.device));
}

static void
do_listen(const char *address, const char *device)
{
    static const struct xf_rt_limits limits = { 60000, 16, 16, 4, 16 };
    char *error;

    if (rt) {
        do_unlisten();
    }
    rt = xf_rt_create(&limits, retire, NULL);
    config = (struct xf_listener_config) {
        .address = xstrdup(address),
        .device = nullable_xstrdup(device),
        .source = SOURCE,
        .source_name = "speaker",
        .stale_ms = 60000,
        .settle_ms = 5000,
    };
    listener = xf_listener_create(&config, rt, &ops, NULL, &error);
    if (!listener) {
        printf("%s\n", error);
        free(error);
    }
}

/* ---- What is in the table. ---- */

static bool
print_route(const struct xf_route_info *info, void *aux OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    xf_text_format_prefix(&info->spec.prefix, &s);
    ds_put_format(&s, " %s metric %u", xf_route_type_name(info->spec.type),
                  info->spec.metric);
    for (size_t i = 0; i < info->spec.n_nexthops; i++) {
        ds_put_cstr(&s, " via ");
        ipv6_format_mapped(&info->spec.nexthops[i].gateway, &s);
    }
    printf("%s%s\n", ds_cstr(&s), info->stale ? " stale" : "");
    ds_destroy(&s);
    return true;
}

static bool
print_iface(const struct xf_iface *iface, void *aux OVS_UNUSED)
{
    printf("%s ifindex %u mtu %u %s\n", iface->name, iface->ifindex,
           iface->mtu, iface->up ? "up" : "down");
    return true;
}

static bool
print_neigh(const struct xf_neigh_info *info, void *aux OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ipv6_format_mapped(&info->ip, &s);
    printf("%s %s "ETH_ADDR_FMT" %s\n", info->iface->name, ds_cstr(&s),
           ETH_ADDR_ARGS(info->mac), xf_neighbor_state_name(info->state));
    ds_destroy(&s);
    return true;
}

static bool
print_addr(const struct xf_addr_info *info, void *aux OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ipv6_format_mapped(&info->addr, &s);
    printf("%s %s/%u\n", info->iface, ds_cstr(&s), info->prefix_len);
    ds_destroy(&s);
    return true;
}

static bool
collect_route(const struct xf_route_info *info, void *lines_)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct svec *lines = lines_;

    xf_text_format_prefix(&info->spec.prefix, &s);
    if (info->spec.type != XF_ROUTE_UNICAST) {
        ds_put_format(&s, " %s", xf_route_type_name(info->spec.type));
    }
    for (size_t i = 0; i < info->spec.n_nexthops; i++) {
        const struct xf_nexthop *nh = &info->spec.nexthops[i];

        ds_put_cstr(&s, " via ");
        ipv6_format_mapped(&nh->gateway, &s);
        ds_put_format(&s, ",%"PRIu32, nh->ifindex);
        if (nh->weight != 1) {
            ds_put_format(&s, "*%"PRIu16, nh->weight);
        }
    }
    svec_add_nocopy(lines, ds_steal_cstr(&s));
    return true;
}

static FILE *
open_output(const char *name)
{
    FILE *stream = fopen(name, "w");

    if (!stream) {
        ovs_fatal(errno, "%s", name);
    }
    return stream;
}

static void
do_write(const char *name)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    FILE *stream = open_output(name);
    const char *line;
    size_t i;

    xf_rt_for_each_route(rt, collect_route, &lines);
    svec_sort(&lines);
    SVEC_FOR_EACH (i, line, &lines) {
        fprintf(stream, "%s\n", line);
    }
    svec_destroy(&lines);
    fclose(stream);
}

static void
do_serve(const char *name)
{
    FILE *stream = open_output(name);

    fprintf(stream, "%"PRIu16"\n", xf_listener_port(listener));
    fclose(stream);
    do {
        xf_listener_wait(listener);
        poll_block();
        now_ms = time_msec();
        xf_listener_run(listener, now_ms);
        xf_listener_acked(listener, generation);
    } while (is_connected() || !get_number("connections"));
}

static void
do_iface(char *args)
{
    struct xf_iface iface = { .mtu = 1500 };
    char *error = NULL, *save = NULL;

    ovs_strlcpy(iface.name, strtok_r(args, " ", &save), sizeof iface.name);
    iface.ifindex = atoi(strtok_r(NULL, " ", &save));
    if (!eth_addr_from_string(strtok_r(NULL, " ", &save), &iface.mac)) {
        ovs_fatal(0, "iface: bad MAC");
    }
    iface.vlan = iface.mac.ea[5];
    if (xf_rt_iface_add(rt, &iface, &error)) {
        ovs_fatal(0, "%s", error);
    }
}

static void
do_show(char *names)
{
    char *save = NULL;

    for (char *name = strtok_r(names, " ", &save); name;
         name = strtok_r(NULL, " ", &save)) {
        struct json *json = get_state(name);
        char *s = json_to_string(json, JSSF_SORT);

        printf("%s=%s\n", name, s);
        free(s);
        json_destroy(json);
    }
}

static void
do_atmost(char *args)
{
    const char *name = strsep(&args, " ");
    uint64_t value = get_number(name);

    if (value <= strtoull(args, NULL, 10)) {
        printf("%s: yes\n", name);
    } else {
        printf("%s: no, %"PRIu64"\n", name, value);
    }
}

/* ---- The transcript. ---- */

static bool
table_command(const char *command, char *args)
{
    if (!strcmp(command, "routes")) {
        xf_rt_for_each_route(rt, print_route, NULL);
    } else if (!strcmp(command, "ifaces")) {
        xf_rt_for_each_iface(rt, print_iface, NULL);
    } else if (!strcmp(command, "neighs")) {
        xf_rt_for_each_neigh(rt, print_neigh, NULL);
    } else if (!strcmp(command, "addrs")) {
        xf_rt_for_each_addr(rt, print_addr, NULL);
    } else if (!strcmp(command, "iface")) {
        do_iface(args);
    } else if (!strcmp(command, "show")) {
        do_show(args);
    } else if (!strcmp(command, "write")) {
        do_write(args);
    } else if (!strcmp(command, "serve")) {
        do_serve(args);
    } else if (!strcmp(command, "atmost")) {
        do_atmost(args);
    } else if (!strcmp(command, "idle")) {
        printf("%s\n", xf_listener_is_idle(listener) ? "idle" : "busy");
    } else if (!strcmp(command, "watch")) {
        is_watching = xf_text_parse_prefix(args, &watched);
    } else {
        return false;
    }
    return true;
}

static bool
client_command(const char *command, char *args)
{
    struct client *c = get_client(strsep(&args, " "));

    if (!strcmp(command, "connect")) {
        if (current && listener) {
            bytes_before = get_number("bytes");
        }
        do_connect(c);
    } else if (!strcmp(command, "close")) {
        do_close(c);
    } else if (!strcmp(command, "finish")) {
        shutdown(c->fd, SHUT_WR);
    } else if (!strcmp(command, "send") || !strcmp(command, "ack")) {
        do_send(c, args, command[0] == 'a');
    } else if (!strcmp(command, "hex")) {
        do_hex(c, args);
    } else if (!strcmp(command, "load")) {
        do_load(c, atoi(args));
    } else if (!strcmp(command, "flood")) {
        do_flood(c, atoi(args));
    } else if (!strcmp(command, "recv")) {
        do_recv(c);
    } else {
        return false;
    }
    return true;
}

static void
run_line(char *line)
{
    char *args = line;
    const char *command = strsep(&args, " ");

    args = args ? args : line + strlen(line);
    if (!strcmp(command, "listen")) {
        const char *address = strsep(&args, " ");

        do_listen(address, args);
    } else if (!strcmp(command, "again")) {
        do_again(args);
    } else if (!strcmp(command, "run")) {
        do_run(atoll(args));
    } else if (!strcmp(command, "step")) {
        now_ms += atoll(args);
        xf_listener_run(listener, now_ms);
    } else if (!strcmp(command, "acked")) {
        xf_listener_acked(listener, generation);
    } else if (!table_command(command, args)
               && !client_command(command, args)) {
        ovs_fatal(0, "'%s' is no command", command);
    }
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    struct ds line = DS_EMPTY_INITIALIZER;

    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_CONSOLE, VLL_OFF);
    for (int i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i].fd = -1;
    }
    while (!ds_get_line(&line, stdin)) {
        char *s = ds_cstr(&line);

        if (*s == '#') {
            printf("%s\n", s);
        } else if (*s) {
            printf("> %s\n", s);
            run_line(s);
            fflush(stdout);
        }
        if (rt) {
            xf_rt_check(rt);
        }
    }
    is_watching = false;
    if (rt) {
        do_unlisten();
    }
    ds_destroy(&line);
    return 0;
}
