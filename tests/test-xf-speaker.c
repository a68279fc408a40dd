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


/* A speaker for the command line: connects to a router's listener, sends
 * messages from a file or random ones, and reads the acknowledgements.  See
 * usage().  It blocks where it likes: it is no part of the switch. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/wire.h"
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "socket-util.h"
#include "util.h"
#include "xf-churn.h"
#include "xf-text.h"

/* Bytes that are sent at a time. */
#define BATCH_SIZE 32768
#define WINDOW_MAX 65536

/* A message whose acknowledgement is awaited, at seq % WINDOW_MAX. */
struct pending {
    uint32_t seq;
    bool is_del;
    struct xf_prefix prefix;
};

static struct {
    /* Settings. */
    const char *target, *messages, *hex, *expect_file;
    unsigned int ack_every, window, retry_s, timeout_s, rate;
    bool hold, ask, expect_close, is_random, is_load, log_adds;
    uint32_t seed;
    size_t n_steps, n_prefixes;
    struct xf_churn_gateway gateways[64];
    size_t n_gateways;
    FILE *log;

    /* State. */
    int fd;
    uint8_t out[BATCH_SIZE + 2 * XF_WIRE_MAX_FRAME];
    size_t n_out;
    uint8_t in[BATCH_SIZE];
    size_t n_in;
    bool closed;
    struct pending pending[WINDOW_MAX];
    uint32_t seq;               /* Of the last one that wants an answer. */
    unsigned int n_pending;
    uint64_t n_sent, n_acked, n_refused;
    long long int start_ns;
} s = {
    .window = 1000,
    .retry_s = 10,
    .timeout_s = 30,
    .n_prefixes = 10000,
};

static long long int
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void
log_prefix(const char *sign, const struct xf_prefix *prefix)
{
    struct ds text = DS_EMPTY_INITIALIZER;

    xf_text_format_prefix(prefix, &text);
    fprintf(s.log, "%lld %s%s\n", now_ns(), sign, ds_cstr(&text));
    ds_destroy(&text);
}

/* ---- The connection. ---- */

static void
connect_to(const char *target)
{
    struct sockaddr_storage ss;
    long long int deadline = now_ns() + s.retry_s * 1000000000LL;

    if (!inet_parse_active(target, 2620, &ss, false, NULL)) {
        ovs_fatal(0, "%s: not ADDRESS:PORT", target);
    }
    for (;;) {
        s.fd = socket(ss.ss_family, SOCK_STREAM, 0);
        if (s.fd < 0) {
            ovs_fatal(errno, "socket");
        }
        if (!connect(s.fd, (struct sockaddr *) &ss, ss_length(&ss))) {
            break;
        }
        if (now_ns() >= deadline) {
            ovs_fatal(errno, "cannot connect to %s", target);
        }
        close(s.fd);
        poll(NULL, 0, 100);
    }
    xset_nonblocking(s.fd);
    setsockopt_tcp_nodelay(s.fd);
}

/* Takes note of an acknowledgement. */
static void
take_ack(uint32_t seq, int error)
{
    struct pending *p = &s.pending[seq % WINDOW_MAX];

    if (p->seq != seq || !seq) {
        ovs_fatal(0, "acknowledgement %"PRIu32" of nothing that was sent",
                  seq);
    }
    p->seq = 0;
    s.n_pending--;
    if (error) {
        s.n_refused++;
        fprintf(stderr, "message %"PRIu32" was refused: %s\n", seq,
                ovs_strerror(error));
        return;
    }
    s.n_acked++;
    if (p->is_del && s.log) {
        log_prefix("", &p->prefix);
    }
}

static void
receive(void)
{
    ssize_t n = recv(s.fd, s.in + s.n_in, sizeof s.in - s.n_in, 0);
    size_t ofs = 0;

    if (n <= 0) {
        s.closed |= !n || (errno != EAGAIN && errno != EINTR);
        return;
    }
    s.n_in += n;
    for (;;) {
        int size = xf_wire_frame_size(s.in + ofs, s.n_in - ofs);
        uint32_t seq;
        int error;

        if (!size || (size > 0 && (size_t) size > s.n_in - ofs)) {
            break;
        }
        if (size < 0 || !xf_wire_decode_ack(s.in + ofs, size, &seq, &error)) {
            ovs_fatal(0, "the listener sent no acknowledgement");
        }
        take_ack(seq, error);
        ofs += size;
    }
    s.n_in -= ofs;
    memmove(s.in, s.in + ofs, s.n_in);
}

/* Writes and reads what it can; waits 'timeout_ms' at most until it can. */
static void
pump(int timeout_ms)
{
    struct pollfd pfd = {
        .fd = s.fd,
        .events = POLLIN | (s.n_out ? POLLOUT : 0),
    };

    if (s.closed || poll(&pfd, 1, timeout_ms) <= 0) {
        return;
    }
    if (pfd.revents & POLLOUT) {
        ssize_t n = send(s.fd, s.out, s.n_out, MSG_NOSIGNAL);

        if (n > 0) {
            s.n_out -= n;
            memmove(s.out, s.out + n, s.n_out);
        } else if (errno != EAGAIN && errno != EINTR) {
            s.closed = true;
        }
    }
    if (pfd.revents & (POLLIN | POLLERR | POLLHUP)) {
        receive();
    }
}

/* Pumps until 'n_out' bytes and 'n_pending' answers are left at most.  Returns
 * false if that wasn't reached in time. */
static bool
pump_until(size_t n_out, unsigned int n_pending)
{
    long long int deadline = now_ns() + s.timeout_s * 1000000000LL;

    while (s.n_out > n_out || s.n_pending > n_pending) {
        if (s.closed || now_ns() > deadline) {
            return false;
        }
        pump(100);
    }
    return true;
}

static void
need(size_t n_out, unsigned int n_pending)
{
    if (!pump_until(n_out, n_pending)) {
        if (s.closed && s.expect_close) {
            return;
        }
        ovs_fatal(0, s.closed ? "the listener closed the connection after "
                  "%"PRIu64" messages"
                  : "the listener is stuck after %"PRIu64" messages",
                  s.n_sent);
    }
}

/* Waits until it is time for the next message. */
static void
pace(void)
{
    if (s.rate) {
        long long int due = s.start_ns + s.n_sent * 1000000000LL / s.rate;

        if (due > now_ns()) {
            need(0, s.window - 1);
        }
        for (long long int left; !s.closed && (left = due - now_ns()) > 0; ) {
            pump(left / 1000000 + 1);
        }
    }
}

/* ---- Messages. ---- */

/* Appends 'msg' to what is to be sent. */
static void
put_msg(struct xf_wire_msg *msg)
{
    size_t size = xf_wire_encode(msg, s.out + s.n_out,
                                 sizeof s.out - s.n_out);
    if (!size) {
        ovs_fatal(0, "message %"PRIu64" can't be encoded: its values are out "
                  "of range", s.n_sent);
    }
    s.n_out += size;
    s.n_sent++;
}

/* Appends the deletion of the route that 'msg' adds, and 'msg', in one
 * frame. */
static void
put_pair(struct xf_wire_msg *msg)
{
    struct xf_wire_msg del = {
        .type = XF_WIRE_ROUTE_DEL,
        .route.prefix = msg->route.prefix,
        .route.metric = msg->route.metric,
    };
    size_t first = s.n_out;

    put_msg(&del);
    size_t second = s.n_out;
    put_msg(msg);

    s.n_out -= XF_WIRE_HEADER_SIZE;
    memmove(s.out + second, s.out + second + XF_WIRE_HEADER_SIZE,
            s.n_out - second);
    s.out[first + 2] = (s.n_out - first) >> 8;
    s.out[first + 3] = (s.n_out - first) & 0xff;
}

/* 'prefix' is about to be added: its deletions that aren't acknowledged yet
 * say nothing any more about where its packets go. */
static void
forget_deletions(const struct xf_prefix *prefix)
{
    for (uint32_t seq = s.seq; seq && s.seq - seq < s.window; seq--) {
        struct pending *p = &s.pending[seq % WINDOW_MAX];

        if (p->seq == seq && p->prefix.len == prefix->len
            && ipv6_addr_equals(&p->prefix.addr, &prefix->addr)) {
            p->is_del = false;
        }
    }
}

/* Sends 'msg', asking for an answer if it is its turn; if 'del_first', after
 * the deletion of the same prefix. */
static void
send_msg(struct xf_wire_msg *msg, bool del_first)
{
    pace();
    msg->ack = s.ack_every && !(s.n_sent % s.ack_every);
    if (msg->ack) {
        need(SIZE_MAX, s.window - 1);
        msg->seq = ++s.seq;
        s.pending[s.seq % WINDOW_MAX] = (struct pending) {
            .seq = s.seq,
            .is_del = msg->type == XF_WIRE_ROUTE_DEL,
            .prefix = msg->route.prefix,
        };
        s.n_pending++;
    }
    if (s.log && msg->type == XF_WIRE_ROUTE_ADD) {
        forget_deletions(&msg->route.prefix);
        if (s.log_adds) {
            log_prefix("+", &msg->route.prefix);
        }
    }
    if (del_first) {
        put_pair(msg);
    } else {
        put_msg(msg);
    }
    need(BATCH_SIZE, UINT_MAX);
}

static void
send_file(const char *name)
{
    FILE *stream = !strcmp(name, "-") ? stdin : fopen(name, "r");
    struct ds line = DS_EMPTY_INITIALIZER;
    int number = 0;

    if (!stream) {
        ovs_fatal(errno, "%s", name);
    }
    while (!s.closed && !ds_get_preprocessed_line(&line, stream, &number)) {
        struct xf_wire_msg msg;
        char *error = xf_text_parse(ds_cstr(&line), &msg);

        if (error) {
            ovs_fatal(0, "%s:%d: %s", name, number, error);
        }
        send_msg(&msg, false);
    }
    ds_destroy(&line);
    if (stream != stdin) {
        fclose(stream);
    }
}

/* Sends the messages of standard input one at a time, each when the one before
 * is answered; prints for each how many microseconds its answer took. */
static void
ask(void)
{
    struct ds line = DS_EMPTY_INITIALIZER;

    s.rate = 0;
    s.ack_every = 1;
    while (!s.closed && !ds_get_preprocessed_line(&line, stdin, NULL)) {
        struct xf_wire_msg msg;
        char *error = xf_text_parse(ds_cstr(&line), &msg);

        if (error) {
            ovs_fatal(0, "standard input: %s", error);
        }
        long long int start_ns = now_ns();
        send_msg(&msg, false);
        need(0, 0);
        printf("%lld\n", (now_ns() - start_ns) / 1000);
        fflush(stdout);
    }
    ds_destroy(&line);
}

static void
send_hex(const char *name)
{
    FILE *stream = !strcmp(name, "-") ? stdin : fopen(name, "r");
    struct ds line = DS_EMPTY_INITIALIZER;

    if (!stream) {
        ovs_fatal(errno, "%s", name);
    }
    while (!s.closed && !ds_get_preprocessed_line(&line, stream, NULL)) {
        for (const char *p = ds_cstr(&line); *p; ) {
            int hi = hexit_value(p[0]);
            int lo = hi < 0 ? -1 : hexit_value(p[1]);

            if (p[0] == ' ') {
                p++;
            } else if (lo < 0) {
                ovs_fatal(0, "%s: '%s' isn't hexadecimal", name, p);
            } else {
                s.out[s.n_out++] = hi << 4 | lo;
                p += 2;
                need(BATCH_SIZE, UINT_MAX);
            }
        }
    }
    ds_destroy(&line);
}

static void
send_random(void)
{
    static const char *defaults[][2] = { { "10.0.1.2", "2" },
                                         { "10.0.2.2", "3" } };
    if (!s.n_gateways) {
        for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
            xf_text_parse_addr(defaults[i][0], &s.gateways[i].addr);
            s.gateways[i].ifindex = atoi(defaults[i][1]);
        }
        s.n_gateways = ARRAY_SIZE(defaults);
    }
    fprintf(stderr, "seed %"PRIu32"\n", s.seed);

    size_t n_prefixes = s.is_load ? s.n_steps : s.n_prefixes;
    struct xf_churn *churn = xf_churn_create(s.seed, n_prefixes, s.gateways,
                                             s.n_gateways);
    s.start_ns = now_ns();
    for (size_t i = 0; i < s.n_steps && !s.closed; i++) {
        struct xf_churn_step step;

        if (s.is_load) {
            xf_churn_add(churn, i, &step);
        } else {
            xf_churn_next(churn, &step);
        }
        send_msg(&step.msg, step.del_first);
    }
    if (s.expect_file) {
        FILE *stream = fopen(s.expect_file, "w");

        if (!stream) {
            ovs_fatal(errno, "%s", s.expect_file);
        }
        xf_churn_write(churn, stream);
        fclose(stream);
    }
    xf_churn_destroy(churn);
}

/* ---- Options. ---- */

static void
usage(void)
{
    printf("\
%s: sends routes to a router's listener\n\
usage: %s [OPTIONS] ADDRESS[:PORT] [FILE]\n\
\n\
Sends the messages of FILE ('-': standard input), one per line:\n\
  add PREFIX [[via GW] dev IFINDEX [weight W]]... [nhid ID]\n\
      [blackhole|unreachable|prohibit|local] [metric M] [proto P] [replace]\n\
  del PREFIX [metric M]\n\
  nexthop ID blackhole | [via GW] dev IFINDEX | group ID[*WEIGHT]...\n\
  nexthop-del ID\n\
  neigh IP dev IFINDEX lladdr MAC [permanent]   neigh-del IP dev IFINDEX\n\
  addr IP/LEN dev IFINDEX                       addr-del IP/LEN dev IFINDEX\n\
  link dev IFINDEX [name N] [mac M] [mtu N] up|down   link-del dev IFINDEX\n\
  done                  all is stated: the rest of the table is stale\n\
\n\
What to send, besides FILE, before it:\n\
  --hex=FILE            bytes, in hexadecimal\n\
  --load=SEED,N         N additions of different random prefixes\n\
  --random=SEED,N       N random additions, replacements, deletions\n\
  --prefixes=P          of P prefixes (default: %"PRIuSIZE")\n\
  --gateway=GW,IFINDEX  with this next hop; give it several times\n\
                        (default: 10.0.1.2,2 and 10.0.2.2,3)\n\
  --expect=FILE         write the table expected at the end, sorted: PREFIX\n\
                        {via GW,IFINDEX[*WEIGHT]}... or PREFIX blackhole\n\
How:\n\
  --ack[=N]             ask for an answer to each (each Nth) message\n\
  --window=N            at most N answers outstanding (default: %u)\n\
  --rate=N              N messages per second\n\
  --log=FILE            for each deletion acknowledged: NANOSECONDS PREFIX,\n\
                        of the monotonic clock when the answer came (not if\n\
                        the prefix had been added again by then)\n\
  --log-adds            also NANOSECONDS +PREFIX before an addition is sent\n\
  --retry=SECONDS       try to connect for so long (default: %u)\n\
  --timeout=SECONDS     wait for the listener for so long (default: %u)\n\
  --hold                keep the connection until standard input ends\n\
  --ask                 then send the messages of standard input, each when the\n\
                        one before is answered; print the microseconds it took\n\
  --expect-close        succeed when the listener closes, fail otherwise\n\
\n\
The last line says: sent=N acked=N refused=N seconds=S rate=N\n",
           program_name, program_name, s.n_prefixes, s.window, s.retry_s,
           s.timeout_s);
    exit(0);
}

static unsigned int
parse_uint(const char *option, const char *value, unsigned int min,
           unsigned int max)
{
    unsigned int n;

    if (!str_to_uint(value, 10, &n) || n < min || n > max) {
        ovs_fatal(0, "--%s=%s: not a number from %u to %u", option, value,
                  min, max);
    }
    return n;
}

static void
parse_seed(const char *value)
{
    char *comma;

    s.seed = strtoul(value, &comma, 10);
    if (*comma != ',') {
        ovs_fatal(0, "'%s': not SEED,N", value);
    }
    s.n_steps = parse_uint("random", comma + 1, 1, 100000000);
}

static void
parse_gateway(const char *value)
{
    char *copy = xstrdup(value);
    char *comma = strchr(copy, ',');

    if (s.n_gateways >= ARRAY_SIZE(s.gateways)) {
        ovs_fatal(0, "--gateway: at most %"PRIuSIZE,
                  ARRAY_SIZE(s.gateways));
    }
    if (comma) {
        *comma = '\0';
    }
    if (!comma
        || !xf_text_parse_addr(copy, &s.gateways[s.n_gateways].addr)) {
        ovs_fatal(0, "--gateway=%s: not GATEWAY,IFINDEX", value);
    }
    s.gateways[s.n_gateways++].ifindex = parse_uint("gateway", comma + 1, 1,
                                                    INT32_MAX);
    free(copy);
}

static void
parse_option(int c)
{
    switch (c) {
    case 'a': s.ack_every = optarg ? parse_uint("ack", optarg, 1, 1000000000)
                                   : 1; break;
    case 'c': s.expect_close = true; break;
    case 'e': s.expect_file = optarg; break;
    case 'g': parse_gateway(optarg); break;
    case 'h': usage(); break;
    case 'H': s.hold = true; break;
    case 'l': s.is_load = true; parse_seed(optarg); break;
    case 'L':
        s.log = fopen(optarg, "w");
        if (!s.log) {
            ovs_fatal(errno, "%s", optarg);
        }
        break;
    case 'A': s.log_adds = true; break;
    case 'k': s.ask = true; break;
    case 'p': s.n_prefixes = parse_uint("prefixes", optarg, 1, 4000000); break;
    case 'r': s.is_random = true; parse_seed(optarg); break;
    case 'R': s.rate = parse_uint("rate", optarg, 1, 1000000000); break;
    case 't': s.timeout_s = parse_uint("timeout", optarg, 1, 86400); break;
    case 'w': s.window = parse_uint("window", optarg, 1, WINDOW_MAX); break;
    case 'x': s.hex = optarg; break;
    case 'y': s.retry_s = parse_uint("retry", optarg, 0, 86400); break;
    default: exit(1);
    }
}

static void
parse_options(int argc, char *argv[])
{
    static const struct option options[] = {
        { "ack", optional_argument, NULL, 'a' },
        { "ask", no_argument, NULL, 'k' },
        { "expect", required_argument, NULL, 'e' },
        { "expect-close", no_argument, NULL, 'c' },
        { "gateway", required_argument, NULL, 'g' },
        { "help", no_argument, NULL, 'h' },
        { "hex", required_argument, NULL, 'x' },
        { "hold", no_argument, NULL, 'H' },
        { "load", required_argument, NULL, 'l' },
        { "log", required_argument, NULL, 'L' },
        { "log-adds", no_argument, NULL, 'A' },
        { "prefixes", required_argument, NULL, 'p' },
        { "random", required_argument, NULL, 'r' },
        { "rate", required_argument, NULL, 'R' },
        { "retry", required_argument, NULL, 'y' },
        { "timeout", required_argument, NULL, 't' },
        { "window", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        parse_option(c);
    }
    argc -= optind;
    argv += optind;
    if (argc < 1 || argc > 2) {
        ovs_fatal(0, "needs ADDRESS:PORT and at most one FILE; --help says "
                  "more");
    }
    s.target = argv[0];
    s.messages = argc > 1 ? argv[1] : NULL;
}

static void
summarize(void)
{
    double seconds = (now_ns() - s.start_ns) / 1e9;

    printf("sent=%"PRIu64" acked=%"PRIu64" refused=%"PRIu64" seconds=%.3f "
           "rate=%.0f\n", s.n_sent, s.n_acked, s.n_refused, seconds,
           seconds > 0 ? s.n_sent / seconds : 0);
    fflush(stdout);
}

/* Reads answers until standard input ends or the listener closes. */
static void
hold(void)
{
    while (!s.closed) {
        struct pollfd pfds[] = {
            { .fd = s.fd, .events = POLLIN },
            { .fd = STDIN_FILENO, .events = POLLIN },
        };
        char c;

        poll(pfds, ARRAY_SIZE(pfds), -1);
        if (pfds[0].revents) {
            receive();
        }
        if (pfds[1].revents && read(STDIN_FILENO, &c, 1) <= 0) {
            return;
        }
    }
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    parse_options(argc, argv);
    connect_to(s.target);
    s.start_ns = now_ns();
    if (s.hex) {
        send_hex(s.hex);
    }
    if (s.is_random || s.is_load) {
        send_random();
    }
    if (s.messages) {
        send_file(s.messages);
    }
    need(0, 0);
    summarize();
    if (s.log) {
        fflush(s.log);
    }

    if (s.expect_close) {
        long long int deadline = now_ns() + s.timeout_s * 1000000000LL;

        while (!s.closed && now_ns() < deadline) {
            pump(100);
        }
        if (!s.closed) {
            ovs_fatal(0, "the listener didn't close the connection");
        }
        printf("closed\n");
    } else if (s.ask) {
        ask();
    } else if (s.hold) {
        hold();
    }
    if (s.log) {
        fclose(s.log);
    }
    return s.n_refused ? 2 : 0;
}
