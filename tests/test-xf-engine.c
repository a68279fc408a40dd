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

#include "engine/engine-private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire.h"
#include "dummy.h"
#include "fake-switch.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "seq.h"
#include "simap.h"
#include "svec.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

/* Runs the engine over a fake switch, as ovs-vswitchd does: the main thread
 * has a unixctl server and calls xf_engine_run().  Another thread, the driver,
 * reads a script from standard input and prints a transcript.
 *
 * xenflow/... [ARG]...     a command; its reply is printed
 * & xenflow/... [ARG]...   the same, without waiting for the reply
 * pending                  how many of those have no reply (once the engine
 *                          has looked at everything so far)
 * await                    waits for the oldest of those, prints its reply
 * manual                   revalidations complete only when told
 * complete                 waits for one to be asked for, completes it
 * tickets                  how many revalidations were asked for
 * datapath fib|flow        from now on it looks packets up, or not (at first)
 * hold, release            a thread stays inside, leaves, an RCU section
 * warp MS                  time passes (it stands still otherwise)
 * hear VLAN IFMAC IP MAC   a translation thread hears of a neighbour
 * flood N VLAN IFMAC MAC   of N neighbours at once
 * stall COMMAND, unstall   the engine's thread stands still in COMMAND, a
 *                          router-add; goes on
 * spread ROUTER DST N      where N flows to DST go, by next hop
 * churn N                  adds and deletes a router N times while a
 *                          translation thread looks things up
 * forward ROUTER DST N     a translation thread forwards N packets
 * claim VLAN MAC           whose interface that is
 * config                   whether the configuration's sequence changed
 * frames                   what the engine sent since the last time
 * speak ROUTER PREFIX GW IFINDEX    a speaker states a route; waits for its
 *                          acknowledgement
 * stop                     destroys the engine
 * # ...                    is printed */

/* ---- Main thread. ---- */

static struct fake_switch fake;
static struct xf_engine *engine;
static struct unixctl_server *server;
static struct latch done;

static void
stop_cb(struct unixctl_conn *conn, int argc OVS_UNUSED,
        const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    xf_engine_destroy(engine);
    engine = NULL;
    unixctl_command_reply(conn, NULL);
}

/* ---- Driver: commands. ---- */

/* A command that was sent without waiting for its reply. */
struct background {
    struct ovs_list node;
    struct jsonrpc *rpc;
    char *command;
};

struct driver {
    struct jsonrpc *rpc;
    struct ovs_list backgrounds;
    pthread_t holder;           /* Thread inside an RCU section, */
    struct latch holder_exit;   /* which leaves it on this. */
    struct latch holder_ready;
    uint64_t config_seqno;
};

/* Prints 'text', each line with 'prefix'. */
static void
print_lines(const char *prefix, const char *text)
{
    char *copy = xstrdup(text);
    char *save = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        printf("%s%s\n", prefix, line);
    }
    free(copy);
}

/* Runs the command of 'words' and waits for the reply; prints it if 'print' */
static void
transact(struct driver *d, struct svec *words, bool print)
{
    char *result, *error;
    int retval = unixctl_client_transact(d->rpc, words->names[0],
                                         words->n - 1, words->names + 1,
                                         &result, &error);

    ovs_assert(!retval);
    if (print) {
        print_lines("", result ? result : "");
        print_lines("error: ", error ? error : "");
    }
    free(result);
    free(error);
}

static void
transact_string(struct driver *d, const char *command, bool print)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;

    svec_parse_words(&words, command);
    svec_terminate(&words);
    transact(d, &words, print);
    svec_destroy(&words);
}

/* Waits until the engine's thread has been once round its loop since now: the
 * second of two commands can't be in a turn that began before. */
static void
settle(struct driver *d)
{
    if (engine) {
        transact_string(d, "xenflow/memory-show", false);
        transact_string(d, "xenflow/memory-show", false);
    }
}

/* Sends the command after the first of 'words'. */
static void
send_background(struct driver *d, const struct svec *words)
{
    struct background *b = xzalloc(sizeof *b);
    struct json *params = json_array_create_empty();

    b->command = svec_join(words, " ", "");
    ovs_assert(!unixctl_client_create(unixctl_server_get_path(server),
                                      &b->rpc));
    for (size_t i = 2; i < words->n; i++) {
        json_array_add(params, json_string_create(words->names[i]));
    }
    ovs_assert(!jsonrpc_send_block(
        b->rpc, jsonrpc_create_request(words->names[1], params, NULL)));
    ovs_list_push_back(&d->backgrounds, &b->node);
}

static void
do_pending(struct driver *d)
{
    struct background *b;
    int n = 0;

    settle(d);
    LIST_FOR_EACH (b, node, &d->backgrounds) {
        struct jsonrpc_msg *msg;

        if (jsonrpc_recv(b->rpc, &msg) == EAGAIN) {
            n++;
        } else {
            printf("unexpected reply to %s\n", b->command);
            jsonrpc_msg_destroy(msg);
        }
    }
    printf("%d pending\n", n);
}

static void
do_await(struct driver *d)
{
    struct background *b
        = CONTAINER_OF(ovs_list_pop_front(&d->backgrounds),
                       struct background, node);
    struct jsonrpc_msg *msg;

    ovs_assert(!jsonrpc_recv_block(b->rpc, &msg));
    printf("%s:\n", b->command);
    if (msg->error) {
        print_lines("error: ", json_string(msg->error));
    } else {
        print_lines("", json_string(msg->result));
    }
    jsonrpc_msg_destroy(msg);
    jsonrpc_close(b->rpc);
    free(b->command);
    free(b);
}

/* ---- Driver: RCU. ---- */

static void *
holder_main(void *d_)
{
    struct driver *d = d_;
    struct pollfd pfd = { .fd = d->holder_exit.fds[0], .events = POLLIN };

    ovsrcu_quiesce_end();
    latch_set(&d->holder_ready);
    /* Not poll_block(), which would quiesce. */
    while (poll(&pfd, 1, -1) < 0) {
        continue;
    }
    return NULL;
}

static void
do_datapath(struct driver *d, const struct svec *w)
{
    atomic_store(&fake.fib, !strcmp(w->names[1], "fib"));
    xf_engine_ports_changed(engine);
    settle(d);
}

static void
do_hold(struct driver *d)
{
    latch_init(&d->holder_exit);
    latch_init(&d->holder_ready);
    d->holder = ovs_thread_create("holder", holder_main, d);
    latch_wait(&d->holder_ready);
    poll_block();
}

static void
do_release(struct driver *d)
{
    latch_set(&d->holder_exit);
    xpthread_join(d->holder, NULL);
    latch_destroy(&d->holder_exit);
    latch_destroy(&d->holder_ready);
}

/* ---- Driver: a translation thread. ---- */

static bool
match_any(const struct xf_router *router OVS_UNUSED,
          const void *aux OVS_UNUSED)
{
    return true;
}

static struct eth_addr
parse_mac(const char *s)
{
    struct eth_addr mac;

    ovs_assert(eth_addr_from_string(s, &mac));
    return mac;
}

static struct in6_addr
parse_ip(const char *s)
{
    struct in6_addr ip;

    free(xf_args_parse_ip(s, &ip));
    return ip;
}

/* Tells of one neighbour as the switch does.  Returns what the table said. */
static const char *
hear(uint16_t vlan, struct eth_addr ifmac, const struct in6_addr *ip,
     struct eth_addr mac)
{
    struct xf_router *router = xf_engine_claim(engine, vlan, ifmac,
                                               match_any, NULL);
    const struct xf_iface *iface
        = router ? xf_rt_iface_by_segment(router->rt, vlan, ifmac) : NULL;

    if (!iface) {
        return "nobody's";
    }
    switch (xf_rt_neigh_hear(router->rt, iface, ip, mac, time_msec())) {
    case XF_NEIGH_KNOWN:
        return "known";
    case XF_NEIGH_NEW:
        xf_engine_neigh_news(engine, router->id, iface, ip, mac, false);
        return "new";
    case XF_NEIGH_MOVED:
        xf_engine_neigh_news(engine, router->id, iface, ip, mac, false);
        return "moved";
    case XF_NEIGH_OWN:
        xf_engine_neigh_news(engine, router->id, iface, ip, mac, true);
        return "own";
    case XF_NEIGH_IGNORE:
    default:
        return "ignore";
    }
}

static void
do_hear(struct driver *d, struct svec *w)
{
    struct in6_addr ip = parse_ip(w->names[3]);

    printf("%s\n", hear(atoi(w->names[1]), parse_mac(w->names[2]), &ip,
                        parse_mac(w->names[4])));
    settle(d);
}

static void
do_flood(struct svec *w)
{
    struct eth_addr ifmac = parse_mac(w->names[3]);

    for (int i = 0; i < atoi(w->names[1]); i++) {
        struct in6_addr ip = in6_addr_mapped_ipv4(htonl(0x0a000002 + i));

        hear(atoi(w->names[2]), ifmac, &ip, parse_mac(w->names[4]));
    }
}

static void
do_forward(struct svec *w)
{
    struct xf_router *router = xf_engine_router(engine, w->names[1]);
    struct in6_addr dst = parse_ip(w->names[2]);
    struct xf_rt_result result;
    int n = atoi(w->names[3]);

    xf_rt_lookup(router->rt, &dst, 0, &result);
    if (result.verdict == XF_FORWARD) {
        xf_stat_add(result.route_stat, n, n * 100, time_msec());
        xf_stat_add(result.neigh_stat, n, n * 100, time_msec());
        printf("forward to "ETH_ADDR_FMT"\n", ETH_ADDR_ARGS(result.dmac));
    } else {
        printf("%s\n", result.verdict == XF_DROP ? "drop"
               : xf_punt_reason_name(result.reason));
    }
}

static void
do_spread(struct svec *w)
{
    struct xf_router *router = xf_engine_router(engine, w->names[1]);
    struct in6_addr src = in6_addr_mapped_ipv4(htonl(0x0a090909));
    struct in6_addr dst = parse_ip(w->names[2]);
    struct simap counts = SIMAP_INITIALIZER(&counts);

    for (int i = 0; i < atoi(w->names[3]); i++) {
        uint32_t hash = xf_router_flow_hash(router, &src, &dst, IPPROTO_UDP,
                                            htons(i), htons(53));
        struct xf_rt_result result;

        xf_rt_lookup(router->rt, &dst, hash, &result);
        char *nexthop = xf_addr_to_string(&result.nexthop);
        simap_increase(&counts, nexthop, 1);
        free(nexthop);
    }

    const struct simap_node **nodes = simap_sort(&counts);
    for (size_t i = 0; i < simap_count(&counts); i++) {
        printf("%s: %u\n", nodes[i]->name, nodes[i]->data);
    }
    free(nodes);
    simap_destroy(&counts);
}

/* A translation thread that looks things up until 'done_' is set. */
static void *
churn_main(void *done_)
{
    struct eth_addr mac = ETH_ADDR_C(52,54,00,00,00,01);
    struct in6_addr ip = in6_addr_mapped_ipv4(htonl(0x0a010101));
    atomic_bool *stop = done_;
    bool stopped = false;

    while (!stopped) {
        struct xf_router *router = xf_engine_router(engine, "churn");
        struct xf_rt_result result;

        if (router) {
            xf_rt_lookup(router->rt, &ip, 0, &result);
            ovs_assert(router == xf_engine_router_by_id(engine, router->id)
                       || !xf_engine_router_by_id(engine, router->id));
        }
        router = xf_engine_claim(engine, 4000, mac, match_any, NULL);
        if (router) {
            const struct xf_iface *iface
                = xf_rt_iface_by_segment(router->rt, 4000, mac);

            if (iface) {
                xf_engine_neigh_news(engine, router->id, iface, &ip, mac,
                                     false);
            }
        }
        ovsrcu_quiesce();
        atomic_read(stop, &stopped);
    }
    return NULL;
}

static void
do_churn(struct driver *d, struct svec *w)
{
    atomic_bool stop = ATOMIC_VAR_INIT(false);
    pthread_t thread = ovs_thread_create("churn", churn_main, &stop);

    for (int i = 0; i < atoi(w->names[1]); i++) {
        transact_string(d, "xenflow/router-add churn", true);
        transact_string(d, "xenflow/port-add churn eth0 vlan=4000 "
                        "mac=52:54:00:00:00:01 ifindex=2 "
                        "address=10.0.0.1/24", true);
        transact_string(d, "xenflow/rule-add churn 10.1.0.0/16 via 10.0.0.2",
                        true);
        transact_string(d, "xenflow/router-del churn", true);
    }
    atomic_store(&stop, true);
    xpthread_join(thread, NULL);
}

static void
do_claim(struct svec *w)
{
    struct xf_router *router = xf_engine_claim(engine, atoi(w->names[1]),
                                               parse_mac(w->names[2]),
                                               match_any, NULL);

    printf("%s\n", router ? xf_router_name(router) : "nobody's");
}

/* ---- Driver: a speaker. ---- */

static void
do_speak(struct driver *d, struct svec *w)
{
    static struct xf_wire_msg msg;
    char *error = xf_args_parse_prefix(w->names[2], &msg.route.prefix);
    uint8_t buffer[XF_WIRE_MAX_FRAME];
    struct sockaddr_in sin = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    uint32_t seq;
    int err;

    ovs_assert(!error);
    settle(d);
    sin.sin_port = htons(xf_listener_port(
        xf_engine_router(engine, w->names[1])->listener));
    ovs_assert(!connect(fd, (struct sockaddr *) &sin, sizeof sin));
    msg.type = XF_WIRE_ROUTE_ADD;
    msg.seq = 7;
    msg.ack = true;
    msg.route.protocol = 188;
    msg.route.metric = 20;
    msg.nexthops[0].gateway = parse_ip(w->names[3]);
    msg.nexthops[0].ifindex = atoi(w->names[4]);
    msg.nexthops[0].weight = 1;
    msg.n_nexthops = 1;
    msg.route.n_nexthops = 1;
    msg.route.nexthops = msg.nexthops;
    size_t size = xf_wire_encode(&msg, buffer, sizeof buffer);
    ovs_assert(size);
    ovs_assert(write(fd, buffer, size) == size);
    ovsrcu_quiesce_start();
    ssize_t n = read(fd, buffer, sizeof buffer);
    ovsrcu_quiesce_end();
    ovs_assert(n > 0 && xf_wire_decode_ack(buffer, n, &seq, &err));
    printf("acknowledged %"PRIu32" with error %d\n", seq, err);
    close(fd);
}

/* ---- Driver: the script. ---- */

static void
do_config(struct driver *d)
{
    uint64_t seqno = seq_read(xf_engine_config_seq(engine));

    printf("%s\n", seqno != d->config_seqno ? "changed" : "same");
    d->config_seqno = seqno;
}

static void
do_stop(struct driver *d)
{
    transact_string(d, "test/stop", true);
    fake_switch_print_frames(&fake);
}

static void
do_warp(struct driver *d, struct svec *w)
{
    char *command = xasprintf("time/warp %s", w->names[1]);

    transact_string(d, command, false);
    free(command);
    settle(d);
}

/* Runs one line.  Returns false if it isn't understood.  (A lock that "stall"
 * takes is released by the line "unstall".) */
static bool
do_line(struct driver *d, struct svec *w)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    const char *verb = w->names[0];

    if (!strncmp(verb, "xenflow/", 8)) {
        transact(d, w, true);
    } else if (!strcmp(verb, "&")) {
        send_background(d, w);
        settle(d);
    } else if (!strcmp(verb, "pending")) {
        do_pending(d);
    } else if (!strcmp(verb, "await")) {
        do_await(d);
    } else if (!strcmp(verb, "manual")) {
        fake_switch_set_manual(&fake, true);
    } else if (!strcmp(verb, "complete")) {
        fake_switch_complete(&fake);
        settle(d);
    } else if (!strcmp(verb, "tickets")) {
        settle(d);
        printf("%"PRIu64" revalidations\n", fake_switch_tickets(&fake));
    } else if (!strcmp(verb, "datapath")) {
        do_datapath(d, w);
    } else if (!strcmp(verb, "hold")) {
        do_hold(d);
    } else if (!strcmp(verb, "release")) {
        do_release(d);
    } else if (!strcmp(verb, "warp")) {
        do_warp(d, w);
    } else if (!strcmp(verb, "hear")) {
        do_hear(d, w);
    } else if (!strcmp(verb, "flood")) {
        do_flood(w);
    } else if (!strcmp(verb, "stall")) {
        uint64_t seqno = fake_switch_stall(&fake);

        send_background(d, w);
        fake_switch_await_stalled(&fake, seqno);
    } else if (!strcmp(verb, "unstall")) {
        fake_switch_unstall(&fake);
    } else if (!strcmp(verb, "spread")) {
        do_spread(w);
    } else if (!strcmp(verb, "churn")) {
        do_churn(d, w);
    } else if (!strcmp(verb, "forward")) {
        do_forward(w);
    } else if (!strcmp(verb, "claim")) {
        do_claim(w);
    } else if (!strcmp(verb, "config")) {
        do_config(d);
    } else if (!strcmp(verb, "frames")) {
        settle(d);
        fake_switch_print_frames(&fake);
    } else if (!strcmp(verb, "speak")) {
        do_speak(d, w);
    } else if (!strcmp(verb, "stop")) {
        do_stop(d);
    } else {
        return false;
    }
    return true;
}

/* Reads a line; not inside an RCU section meanwhile. */
static bool
get_line(struct ds *line)
{
    ovsrcu_quiesce_start();
    bool ok = !ds_get_line(line, stdin);
    ovsrcu_quiesce_end();
    return ok;
}

static void *
driver_main(void *aux OVS_UNUSED)
{
    struct driver d = { .config_seqno = 0 };
    struct ds line = DS_EMPTY_INITIALIZER;

    ovs_list_init(&d.backgrounds);
    ovs_assert(!unixctl_client_create(unixctl_server_get_path(server),
                                      &d.rpc));
    transact_string(&d, "time/stop", false);
    while (get_line(&line)) {
        struct svec words = SVEC_EMPTY_INITIALIZER;

        svec_parse_words(&words, ds_cstr(&line));
        svec_terminate(&words);
        if (words.n && words.names[0][0] == '#') {
            printf("%s\n", ds_cstr(&line));
        } else if (words.n) {
            printf("> %s\n", ds_cstr(&line));
            if (!do_line(&d, &words)) {
                ovs_fatal(0, "'%s' isn't understood", ds_cstr(&line));
            }
        }
        fflush(stdout);
        svec_destroy(&words);
    }
    jsonrpc_close(d.rpc);
    ds_destroy(&line);
    latch_set(&done);
    return NULL;
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    char *path = xasprintf("%s/test-xf-engine.%d.ctl",
                           getenv("PWD") ? getenv("PWD") : ".", getpid());

    set_program_name(argv[0]);
    alarm(300);                 /* Dies if what a script awaits never comes. */
    time_msec();                /* Initializes the clocks. */
    timeval_dummy_register();
    vlog_set_levels(NULL, VLF_CONSOLE, VLL_OFF);
    latch_init(&done);
    ovs_assert(!unixctl_server_create(path, &server));
    unixctl_command_register("test/stop", "", 0, 0, stop_cb, NULL);
    fake_switch_init(&fake);
    engine = xf_engine_create(&fake.up);
    pthread_t driver = ovs_thread_create("driver", driver_main, NULL);
    while (!latch_is_set(&done)) {
        unixctl_server_run(server);
        if (engine) {
            xf_engine_run(engine);
            xf_engine_wait(engine);
        }
        unixctl_server_wait(server);
        latch_wait(&done);
        poll_block();
    }
    xpthread_join(driver, NULL);
    xf_engine_destroy(engine);
    unixctl_server_destroy(server);
    ovsrcu_exit();
    fake_switch_uninit(&fake);
    free(path);
    return 0;
}
