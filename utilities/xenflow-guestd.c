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

/* Guest daemon: tells the host's switch what the kernel of this virtual
 * machine knows, whatever routing software runs in it.
 *
 * Shape: one loop.  Host connected -> the kernel is subscribed to and read
 * into the mirror (core/mirror.h) -> the mirror's messages go to the host, as fast
 * as it takes them -> NLMSG_DONE once all was said, upon which the host sweeps
 * what an earlier connection said.  Every few seconds a load report, which the
 * host answers: so both sides notice when the other is gone.  Without a
 * connection nothing is kept and nothing is read.
 *
 * Manual page: Documentation/ref/xenflow-guestd.8.rst. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command-line.h"
#include "core/mirror.h"
#include "core/wire-guest.h"
#include "core/wire.h"
#include "daemon.h"
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "stream-ssl.h"
#include "stream.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "xenflow-guestd-host.h"
#include "xenflow-guestd-kernel.h"
#include "xenflow-guestd-load.h"

VLOG_DEFINE_THIS_MODULE(guestd);

#define OBJECTS_MAX (4 * 1024 * 1024)
#define INTERVAL_DEFAULT_S 5
#define INTERVAL_MAX_S 3600
/* A host that answers none of so many reports is given up. */
#define SILENT_REPORTS 3
#define SILENCE_MIN_MS 10000
/* Answers are told apart by their number: reports count up from 1. */
#define SEQ_END UINT32_MAX
#define SENT_PER_RUN 2000

struct options {
    char *remote;
    char *management;           /* NULL: none. */
    char *unixctl;              /* NULL: none. */
    unsigned int interval_s;
    unsigned int hold_s;
    int buffer_bytes;
};

struct guestd {
    struct guestd_host *host;
    struct guestd_kernel *kernel;
    struct xf_mirror *mirror;
    long long int interval_ms;
    unsigned int hold_s;        /* See is_held(). */
    unsigned int seqno;         /* Of the host's connection, as last seen. */
    bool end_sent;              /* NLMSG_DONE, in this connection. */
    bool in_step;               /* It was answered. */
    long long int next_load_ms;
    uint32_t load_seq;
    uint64_t n_connections, n_loads, n_resyncs, n_nacks;
    bool limit_logged;
    bool exiting;
};

/* ---- From the host. ---- */

static void
handle_answer(struct guestd *g, uint32_t seq, int error)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

    if (error) {
        g->n_nacks++;
        VLOG_WARN_RL(&rl, "the host refused message %"PRIu32": %s", seq,
                     ovs_strerror(error));
    } else if (seq == SEQ_END && !g->in_step) {
        g->in_step = true;
        VLOG_INFO("the host has all that the kernel has");
    }
}

/* Handles the messages of one frame; what isn't understood is left out, a
 * later host may say more. */
static void
handle_frame(struct guestd *g, const uint8_t *frame, size_t size)
{
    const uint8_t *p = frame + XF_WIRE_HEADER_SIZE;
    size_t left = size - XF_WIRE_HEADER_SIZE;
    uint32_t seq;
    int error;

    if (xf_wire_decode_ack(frame, size, &seq, &error)) {
        handle_answer(g, seq, error);
        return;
    }
    while (left) {
        struct xf_wire_msg msg;

        if (xf_wire_decode(&p, &left, &msg)) {
            continue;
        }
        if (msg.type == XF_WIRE_NEIGH_USE) {
            guestd_kernel_use(g->kernel, msg.ifindex, &msg.ip);
        } else if (msg.type == XF_WIRE_RESYNC) {
            VLOG_INFO("the host asks for everything again");
            g->n_resyncs++;
            xf_mirror_restate(g->mirror);
            guestd_kernel_read(g->kernel);
        }
    }
}

/* ---- To the host. ---- */

static void
send_hello(struct guestd *g)
{
    char name[XF_NAME_MAX] = "";
    uint8_t frame[256];

    gethostname(name, sizeof name - 1);
    size_t size = xf_guest_hello_encode(name, frame, sizeof frame);
    guestd_host_send(g->host, frame, size);
}

static void
send_load(struct guestd *g)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME];
    struct xf_guest_load load;

    guestd_load_read(&load);
    if (++g->load_seq >= SEQ_END) {
        g->load_seq = 1;
    }
    size_t size = xf_guest_load_encode(&load, g->load_seq, frame,
                                       sizeof frame);
    guestd_host_send(g->host, frame, size);
    guestd_host_expect_answer(g->host);
    g->n_loads++;
    g->next_load_ms = time_msec() + g->interval_ms;
}

/* All has been said: the host may sweep what wasn't. */
static void
send_end(struct guestd *g)
{
    const struct xf_wire_msg msg = {
        .type = XF_WIRE_END,
        .seq = SEQ_END,
        .ack = true,
    };
    uint8_t frame[64];
    size_t size = xf_wire_encode(&msg, frame, sizeof frame);

    guestd_host_send(g->host, frame, size);
    g->end_sent = true;
}

/* Whether the machine has been up for less than 'hold_s'.  Its routing daemons
 * may not know all yet then, so the host isn't told that all was said: it keeps
 * what it knew of the machine's last life. */
static bool
is_held(const struct guestd *g)
{
    struct timespec up;

    return g->hold_s && !clock_gettime(CLOCK_BOOTTIME, &up)
           && up.tv_sec < g->hold_s;
}

/* Sends what the host takes.  Returns true if there is more that it would. */
static bool
send_changes(struct guestd *g)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME];

    for (int i = 0; i < SENT_PER_RUN; i++) {
        if (!guestd_host_has_room(g->host)) {
            return false;
        }
        size_t size = xf_mirror_next(g->mirror, frame);
        if (!size) {
            return false;
        }
        guestd_host_send(g->host, frame, size);
    }
    return true;
}

/* ---- The loop. ---- */

/* The connection came or went. */
static void
connection_changed(struct guestd *g)
{
    guestd_kernel_close(g->kernel);
    xf_mirror_clear(g->mirror);
    g->end_sent = g->in_step = false;
    if (!guestd_host_is_connected(g->host)) {
        return;
    }
    g->n_connections++;

    int error = guestd_kernel_open(g->kernel);
    if (error) {
        VLOG_ERR("cannot follow the kernel's tables: %s: netlink is needed",
                 ovs_strerror(error));
        guestd_host_disconnect(g->host, 0);
        return;
    }
    send_hello(g);
    send_load(g);
}

/* Logs once that there is more than can be told. */
static void
check_limit(struct guestd *g)
{
    struct xf_mirror_stats stats;

    xf_mirror_get_stats(g->mirror, &stats);
    if (stats.n_refused && !g->limit_logged) {
        VLOG_ERR("the kernel has more than %d routes and other objects: the "
                 "rest isn't reported", OBJECTS_MAX);
        g->limit_logged = true;
    }
}

static void
run(struct guestd *g)
{
    const uint8_t *frame;
    size_t size;

    guestd_host_run(g->host);
    if (g->seqno != guestd_host_seqno(g->host)) {
        g->seqno = guestd_host_seqno(g->host);
        connection_changed(g);
    }
    while ((frame = guestd_host_next(g->host, &size)) != NULL) {
        handle_frame(g, frame, size);
    }

    int error = guestd_kernel_run(g->kernel, time_msec());
    if (error) {
        VLOG_WARN("cannot read the kernel's changes: %s",
                  ovs_strerror(error));
        guestd_host_disconnect(g->host, 0);
    }
    if (guestd_host_has_room(g->host)) {
        if (time_msec() >= g->next_load_ms) {
            send_load(g);
        }
        if (send_changes(g)) {
            poll_immediate_wake();
        } else if (!g->end_sent && !is_held(g)
                   && guestd_host_has_room(g->host)
                   && guestd_kernel_is_read(g->kernel)
                   && xf_mirror_is_empty(g->mirror)) {
            send_end(g);
        }
        check_limit(g);
        guestd_host_run(g->host);
    }
}

static void
wait(struct guestd *g)
{
    guestd_host_wait(g->host);
    guestd_kernel_wait(g->kernel);
    if (guestd_host_has_room(g->host)) {    /* Else nothing is sent. */
        poll_timer_wait_until(g->next_load_ms);
    }
    if (g->seqno != guestd_host_seqno(g->host)) {
        poll_immediate_wake();
    }
}

/* ---- Commands. ---- */

static void
command_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *g_)
{
    const struct guestd *g = g_;
    struct guestd_kernel_stats kernel;
    struct xf_mirror_stats mirror;
    struct ds s = DS_EMPTY_INITIALIZER;

    guestd_kernel_get_stats(g->kernel, &kernel);
    xf_mirror_get_stats(g->mirror, &mirror);
    ds_put_format(&s, "connected: %s\n",
                  guestd_host_is_connected(g->host) ? "yes" : "no");
    ds_put_format(&s, "in step: %s\n",
                  g->in_step && xf_mirror_is_empty(g->mirror) ? "yes" : "no");
#define NUMBER(NAME, VALUE) \
    ds_put_format(&s, "%s: %"PRIu64"\n", NAME, (uint64_t) (VALUE))
    NUMBER("connections", g->n_connections);
    NUMBER("objects", mirror.n_objects);
    NUMBER("waiting", mirror.n_waiting);
    NUMBER("events", mirror.n_events);
    NUMBER("read", mirror.n_dumped);
    NUMBER("sent", mirror.n_sent);
    NUMBER("coalesced", mirror.n_coalesced);
    NUMBER("hidden", mirror.n_hidden);
    NUMBER("unsupported", mirror.n_unsupported);
    NUMBER("refused", mirror.n_refused);
    NUMBER("swept", mirror.n_swept);
    NUMBER("collected", mirror.n_collected);
    NUMBER("overflows", kernel.n_overflows);
    NUMBER("readings", kernel.n_readings);
    NUMBER("used", kernel.n_used);
    NUMBER("resyncs", g->n_resyncs);
    NUMBER("nacks", g->n_nacks);
    NUMBER("loads", g->n_loads);
#undef NUMBER
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
command_read(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *g_)
{
    struct guestd *g = g_;

    guestd_kernel_read(g->kernel);
    unixctl_command_reply(conn, NULL);
}

static void
command_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *g_)
{
    struct guestd *g = g_;

    g->exiting = true;
    unixctl_command_reply(conn, NULL);
}

/* ---- Options. ---- */

OVS_NO_RETURN static void
usage(void)
{
    printf("%s: reports this virtual machine's routes to its host's switch\n"
           "usage: %s --remote=tcp:ADDR[:PORT] [OPTIONS]\n"
           "\nOptions:\n"
           "  --remote=REMOTE       host's listener of this router: tcp: or "
           "ssl:, ADDR[:PORT]\n"
           "  --management=IFACE    interface to the host: neither it nor its "
           "routes are reported\n"
           "  --interval=SECONDS    between load reports (default: %d)\n"
           "  --hold=SECONDS        after the start of the machine, before the "
           "host\n"
           "                        forgets routes of before (default: 0)\n"
           "  --buffer=BYTES        for the kernel's events (default: 1 "
           "MB)\n"
           "  --unixctl=SOCKET      listen there for ovs-appctl (default: "
           "don't)\n",
           program_name, program_name, INTERVAL_DEFAULT_S);
    stream_usage("REMOTE", true, false, false);
    daemon_usage();
    vlog_usage();
    printf("\nOther options:\n"
           "  -h, --help            display this help\n"
           "  -V, --version         display version\n");
    exit(EXIT_SUCCESS);
}

/* Parses a number for 'option'. */
static unsigned int
parse_number(const char *option, const char *s, unsigned int min,
             unsigned int max)
{
    unsigned int value;

    if (!str_to_uint(s, 10, &value) || value < min || value > max) {
        ovs_fatal(0, "--%s=%s isn't a number from %u to %u", option, s, min,
                  max);
    }
    return value;
}

enum {
    OPT_REMOTE = UCHAR_MAX + 1,
    OPT_MANAGEMENT,
    OPT_INTERVAL,
    OPT_HOLD,
    OPT_BUFFER,
    OPT_UNIXCTL,
    DAEMON_OPTION_ENUMS,
    SSL_OPTION_ENUMS,
    VLOG_OPTION_ENUMS,
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"remote", required_argument, NULL, OPT_REMOTE},
    {"management", required_argument, NULL, OPT_MANAGEMENT},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"hold", required_argument, NULL, OPT_HOLD},
    {"buffer", required_argument, NULL, OPT_BUFFER},
    {"unixctl", required_argument, NULL, OPT_UNIXCTL},
    VLOG_LONG_OPTIONS,
    STREAM_SSL_LONG_OPTIONS,
    DAEMON_LONG_OPTIONS,
    {NULL, 0, NULL, 0},
};

static void
parse_options(int argc, char *argv[], struct options *o)
{
    char *short_options = ovs_cmdl_long_options_to_short_options(long_options);

    for (;;) {
        int c = getopt_long(argc, argv, short_options, long_options, NULL);

        if (c == -1) {
            break;
        }
        switch (c) {
        case OPT_REMOTE:
            o->remote = optarg;
            break;
        case OPT_MANAGEMENT:
            o->management = optarg;
            break;
        case OPT_INTERVAL:
            o->interval_s = parse_number("interval", optarg, 1,
                                         INTERVAL_MAX_S);
            break;
        case OPT_HOLD:
            o->hold_s = parse_number("hold", optarg, 0, INTERVAL_MAX_S);
            break;
        case OPT_BUFFER:
            o->buffer_bytes = parse_number("buffer", optarg, 1, INT_MAX);
            break;
        case OPT_UNIXCTL:
            o->unixctl = optarg;
            break;
        case 'V':
            ovs_print_version(0, 0);
            exit(EXIT_SUCCESS);
        case 'h':
            usage();
        case '?':
            exit(EXIT_FAILURE);
        VLOG_OPTION_HANDLERS
        STREAM_SSL_OPTION_HANDLERS
        DAEMON_OPTION_HANDLERS
        default:
            OVS_NOT_REACHED();
        }
    }
    free(short_options);
    if (optind < argc) {
        ovs_fatal(0, "argument '%s' isn't understood: use --help for usage",
                  argv[optind]);
    }
}

/* Refuses options that can never work. */
static void
check_options(const struct options *o)
{
    if (!o->remote) {
        ovs_fatal(0, "--remote is missing: give the host's listener of this "
                  "router, for example tcp:169.254.1.1");
    }
    int error = stream_verify_name(o->remote);
    if (error) {
        ovs_fatal(0, "--remote=%s is nothing to connect to: use tcp:ADDR"
                  "[:PORT] or ssl:ADDR[:PORT]", o->remote);
    }
    if (!strncmp(o->remote, "ssl:", 4) && !stream_ssl_is_configured()) {
        ovs_fatal(0, "--remote=%s needs a private key, a certificate and the "
                  "CA's certificate: give -p, -c and -C", o->remote);
    }
    if (o->management && strlen(o->management) >= IFNAMSIZ) {
        ovs_fatal(0, "--management=%s is no interface: the kernel's names "
                  "have at most %d characters", o->management, IFNAMSIZ - 1);
    }
}

int
main(int argc, char *argv[])
{
    struct options o = { .interval_s = INTERVAL_DEFAULT_S };
    struct unixctl_server *server = NULL;
    struct guestd g = { .exiting = false };

    ovs_cmdl_proctitle_init(argc, argv);
    set_program_name(argv[0]);
    parse_options(argc, argv, &o);
    check_options(&o);
    fatal_ignore_sigpipe();
    daemonize_start(false);
    if (o.unixctl && unixctl_server_create(o.unixctl, &server)) {
        exit(EXIT_FAILURE);     /* The reason was logged. */
    }
    unixctl_command_register("guestd/show", "", 0, 0, command_show, &g);
    unixctl_command_register("guestd/read", "", 0, 0, command_read, &g);
    unixctl_command_register("exit", "", 0, 0, command_exit, &g);

    g.interval_ms = 1000LL * o.interval_s;
    g.hold_s = o.hold_s;
    g.mirror = xf_mirror_create(o.management, OBJECTS_MAX);
    g.kernel = guestd_kernel_create(g.mirror, o.buffer_bytes);
    g.host = guestd_host_create(o.remote, MAX(
        SILENCE_MIN_MS, SILENT_REPORTS * g.interval_ms));
    daemonize_complete();

    while (!g.exiting) {
        run(&g);
        unixctl_server_run(server);
        wait(&g);
        unixctl_server_wait(server);
        if (!g.exiting) {
            poll_block();
        }
    }
    guestd_kernel_destroy(g.kernel);
    guestd_host_destroy(g.host);
    xf_mirror_destroy(g.mirror);
    unixctl_server_destroy(server);
    return 0;
}
