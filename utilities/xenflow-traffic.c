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

/* Sending, and the command line.  See xenflow-traffic.h. */

#define _GNU_SOURCE 1
#include "xenflow-traffic.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define MAX_DESTINATIONS 1000000
#define MAX_SOURCES 256
#define PACE_NS 50000           /* Sleep at least so long: no busy loop. */
#define MAX_ERRORS 10000

volatile sig_atomic_t stopped;

static void
stop(int signal_number)
{
    (void) signal_number;
    stopped = 1;
}

void
fail(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "xenflow-traffic: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

int64_t
now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- Sending. ---- */

static int
open_sender(const struct settings *s)
{
    struct sockaddr_in6 local = { .sin6_family = AF_INET6,
                                  .sin6_addr = s->from };
    int size = SOCKET_BUFFER;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        fail("no socket: %s", strerror(errno));
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if (bind(fd, (struct sockaddr *) &local, sizeof local)) {
        fail("--from: the address isn't one of this host (%s)",
             strerror(errno));
    }
    return fd;
}

/* Sends 'n' packets, numbers from 'first' on.  Returns how many the kernel
 * took; 0 with 'errno' set if none. */
static int
send_batch(const struct settings *s, int fd, uint64_t first, int n)
{
    static char bodies[BATCH][MAX_PACKET];
    struct mmsghdr messages[BATCH];
    struct sockaddr_in6 to[BATCH];
    struct iovec iov[BATCH];

    memset(messages, 0, sizeof messages);
    for (int i = 0; i < n; i++) {
        struct probe *probe = (struct probe *) bodies[i];
        const struct in6_addr *a = &s->to[(first + i) % s->n_to];

        *probe = (struct probe) {
            .magic = htons(MAGIC), .stream = htons(s->stream),
            .number = htonl(first + i),
            .sent_ns = htobe64(now_ns(CLOCK_MONOTONIC)),
        };
        to[i] = (struct sockaddr_in6) {
            .sin6_family = AF_INET6, .sin6_port = htons(s->port),
            .sin6_addr = *a,
        };
        iov[i].iov_base = bodies[i];
        iov[i].iov_len = s->size_bytes - (IN6_IS_ADDR_V4MAPPED(a)
                                          ? IP_HEADERS : IP6_HEADERS);
        messages[i].msg_hdr.msg_name = &to[i];
        messages[i].msg_hdr.msg_namelen = sizeof to[i];
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    n = sendmmsg(fd, messages, n, 0);
    return n < 0 ? 0 : n;
}

/* Waits until packet 'number' is due; returns how many are due then. */
static uint64_t
pace(const struct settings *s, int64_t start_ns, uint64_t number)
{
    for (;;) {
        int64_t elapsed = now_ns(CLOCK_MONOTONIC) - start_ns;
        uint64_t due = elapsed * (s->rate_pps / NS_PER_S) + 1;
        int64_t wait_ns;
        struct timespec ts;

        if (due > number || stopped) {
            return due > number ? due - number : 0;
        }
        wait_ns = number * (NS_PER_S / s->rate_pps) - elapsed;
        wait_ns = wait_ns < PACE_NS ? PACE_NS : wait_ns;
        wait_ns = wait_ns > NS_PER_S / 10 ? NS_PER_S / 10 : wait_ns;
        ts = (struct timespec) { .tv_nsec = wait_ns };
        nanosleep(&ts, NULL);
    }
}

static int
command_send(const struct settings *s)
{
    int fds[MAX_SOURCES];
    uint64_t number = 0, n_errors = 0;
    int64_t start_ns, end_ns;
    double seconds;

    if (!s->n_to) {
        fail("send: give destinations, as addresses or with --to-file");
    } else if (!s->count && !s->seconds) {
        fail("send: give an end, --count or --seconds");
    }
    for (size_t i = 0; i < s->n_to; i++) {
        if (s->size_bytes < IP6_HEADERS + (int) sizeof(struct probe)
            && !IN6_IS_ADDR_V4MAPPED(&s->to[i])) {
            fail("--size: an IPv6 packet of ours has %d bytes or more",
                 IP6_HEADERS + (int) sizeof(struct probe));
        }
    }
    for (int i = 0; i < s->n_sources; i++) {
        fds[i] = open_sender(s);
    }
    start_ns = now_ns(CLOCK_MONOTONIC);
    end_ns = s->seconds ? start_ns + s->seconds * NS_PER_S : INT64_MAX;
    for (uint64_t round = 0; !stopped; round++) {
        uint64_t n = pace(s, start_ns, number);
        int done;

        if (now_ns(CLOCK_MONOTONIC) >= end_ns
            || (s->count && number >= s->count)) {
            break;
        }
        n = n > BATCH ? BATCH : n;
        n = s->count && n > s->count - number ? s->count - number : n;
        done = send_batch(s, fds[round % s->n_sources], number, n);
        if (!done && errno != EINTR && !n_errors++) {
            fprintf(stderr, "xenflow-traffic: packet %"PRIu64" can't be "
                    "sent: %s\n", number, strerror(errno));
        }
        /* A packet that can't be sent is tried again, so that the numbers
         * sent have no holes; without end that would be a busy loop. */
        if (!done && n_errors > MAX_ERRORS) {
            fail("gave up after %d errors", MAX_ERRORS);
        }
        number += done;
    }
    seconds = (now_ns(CLOCK_MONOTONIC) - start_ns) / (double) NS_PER_S;
    printf("{\"sent\": %"PRIu64", \"errors\": %"PRIu64", \"seconds\": %.3f, "
           "\"rate_pps\": %.0f}\n", number, n_errors, seconds,
           seconds > 0 ? number / seconds : 0);
    return 0;
}

/* ---- Command line. ---- */

static void
add_destination(struct settings *s, const char *text)
{
    char mapped[INET6_ADDRSTRLEN + 8];
    struct in6_addr a;

    snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') ? "" :
             "::ffff:", text);
    if (inet_pton(AF_INET6, mapped, &a) != 1) {
        fail("'%s' isn't an IP address", text);
    } else if (s->n_to == MAX_DESTINATIONS) {
        fail("more than %d destinations", MAX_DESTINATIONS);
    }
    if (!(s->n_to & (s->n_to - 1))) {
        s->to = realloc(s->to, (s->n_to ? 2 * s->n_to : 1) * sizeof *s->to);
        if (!s->to) {
            fail("out of memory");
        }
    }
    s->to[s->n_to++] = a;
}

static void
read_destinations(struct settings *s, const char *path)
{
    FILE *f = !strcmp(path, "-") ? stdin : fopen(path, "r");
    char word[64];

    if (!f) {
        fail("--to-file: '%s' can't be read: %s", path, strerror(errno));
    }
    while (fscanf(f, "%63s", word) == 1) {
        add_destination(s, word);
    }
    if (f != stdin) {
        fclose(f);
    }
}

/* Value of option 'name', a number from 'low' to 'high'. */
static double
option_number(const char *name, const char *text, double low, double high)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= low && value <= high)) {
        fail("--%s: '%s' isn't a number from %.12g to %.12g", name, text,
             low, high);
    }
    return value;
}

static void
usage(void)
{
    printf("xenflow-traffic: numbered traffic, and who saw it\n"
"usage: xenflow-traffic send [OPTIONS] ADDRESS...     send to each in turn\n"
"       xenflow-traffic receive [OPTIONS]             count what arrives\n"
"       xenflow-traffic watch [OPTIONS] INTERFACE...  count what passes\n"
"\n"
"  --rate=PPS       packets per second (1000)\n"
"  --count=N        send: number of packets; receive: end after N, and what\n"
"                   is missing from N is lost\n"
"  --seconds=S      end after so long\n"
"  --size=BYTES     of the IP packet, %d to %d (128)\n"
"  --port=PORT      UDP port (7777)\n"
"  --stream=ID      send: mark the packets so; others: count only these\n"
"  --sources=N      send from N source ports in turn, 1 to %d (1)\n"
"  --from=ADDRESS   send: source address\n"
"  --to-file=FILE   send: more destinations, one per line; - is stdin\n"
"  --idle=MS        receive: end so long after the last packet\n"
"  --drain=MS       receive: after SIGTERM, wait for so long a silence\n"
"  --list=FILE      watch: a line per packet: interface, in/out, stream,\n"
"                   number, destination, MAC, times sent and seen (ns)\n"
"\n"
"receive and watch print \"ready\", then at the end (also by SIGTERM) their\n"
"result; results are one line of JSON.\n", MIN_PACKET, MAX_PACKET,
           MAX_SOURCES);
    exit(0);
}

static void
set_option(struct settings *s, const char *name, const char *value)
{
    if (!strcmp(name, "rate")) {
        s->rate_pps = option_number(name, value, 0.1, 1e7);
    } else if (!strcmp(name, "count")) {
        s->count = option_number(name, value, 1, UINT32_MAX);
    } else if (!strcmp(name, "seconds")) {
        s->seconds = option_number(name, value, 0.001, 1e6);
    } else if (!strcmp(name, "size")) {
        s->size_bytes = option_number(name, value, MIN_PACKET, MAX_PACKET);
    } else if (!strcmp(name, "port")) {
        s->port = option_number(name, value, 1, 65535);
    } else if (!strcmp(name, "stream")) {
        s->stream = option_number(name, value, 0, UINT16_MAX);
    } else if (!strcmp(name, "sources")) {
        s->n_sources = option_number(name, value, 1, MAX_SOURCES);
    } else if (!strcmp(name, "idle")) {
        s->idle_ms = option_number(name, value, 1, 1e9);
    } else if (!strcmp(name, "drain")) {
        s->idle_ms = option_number(name, value, 1, 1e9);
        s->drain = true;
    } else if (!strcmp(name, "to-file")) {
        read_destinations(s, value);
    } else if (!strcmp(name, "from")) {
        struct settings scratch = { .n_to = 0 };

        add_destination(&scratch, value);
        s->from = scratch.to[0];
        free(scratch.to);
    } else if (!strcmp(name, "list")) {
        s->list = fopen(value, "w");
        if (!s->list) {
            fail("--list: '%s' can't be written: %s", value,
                 strerror(errno));
        }
    } else {
        usage();
    }
}

int
main(int argc, char *argv[])
{
    static const struct option options[] = {
        { "rate", 1, NULL, 0 }, { "count", 1, NULL, 0 },
        { "seconds", 1, NULL, 0 }, { "size", 1, NULL, 0 },
        { "port", 1, NULL, 0 }, { "stream", 1, NULL, 0 },
        { "sources", 1, NULL, 0 }, { "from", 1, NULL, 0 },
        { "to-file", 1, NULL, 0 }, { "idle", 1, NULL, 0 },
        { "drain", 1, NULL, 0 },
        { "list", 1, NULL, 0 }, { "help", 0, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct settings s = { .rate_pps = 1000, .size_bytes = 128, .port = 7777,
                          .n_sources = 1 };
    struct sigaction sa = { .sa_handler = stop };
    const char *command;
    int c, i;

    while ((c = getopt_long(argc, argv, "h", options, &i)) != -1) {
        if (c == '?') {
            fail("see xenflow-traffic --help");
        }
        set_option(&s, c ? "help" : options[i].name, optarg);
    }
    command = optind < argc ? argv[optind++] : "";
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    prctl(PR_SET_TIMERSLACK, 1000);
    if (!strcmp(command, "send")) {
        while (optind < argc) {
            add_destination(&s, argv[optind++]);
        }
        return command_send(&s);
    } else if (!strcmp(command, "receive")) {
        return command_receive(&s);
    } else if (!strcmp(command, "watch")) {
        return command_watch(&s, argv + optind, argc - optind);
    }
    fail("'%s' isn't a command; see xenflow-traffic --help", command);
}
