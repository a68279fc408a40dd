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

/* Receiving and watching.  See xenflow-traffic.h. */

#define _GNU_SOURCE 1
#include "xenflow-traffic.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_STREAMS 1024
#define WINDOW 65536            /* Numbers; a power of 2. */
#define MAX_INTERFACES 64
#define MAX_LAST_ROUNDS 1000     /* Of reading what came before the end. */
#define WAIT_MS 20
#define NAP_NS 500000
#define CLOCK_READ_NS 10000     /* Reading three clocks takes less. */
#define LATENCY_BUCKETS 40      /* Octaves of ns... */
#define LATENCY_STEPS 16        /* ...in that many parts each. */

/* ---- Receiving. ---- */

struct stream {
    uint32_t id;
    uint64_t seen[WINDOW / 64]; /* Bitmap of the numbers below 'next'. */
    uint64_t next;              /* Highest number plus 1. */
    uint64_t n_received;        /* Each number once. */
    uint64_t n_duplicated;
    uint64_t n_reordered;
    int64_t last_ns;
    int64_t longest_gap_ns;
};

struct tally {
    struct stream *streams[MAX_STREAMS];
    size_t n_streams;
    uint64_t n_received, n_foreign;
    uint64_t n_rig_drops;
    int64_t first_ns, last_ns;
    int64_t latency_sum_ns, latency_min_ns, latency_max_ns;
    uint64_t latency[LATENCY_BUCKETS * LATENCY_STEPS];
};

static struct stream *
find_stream(struct tally *t, uint32_t id)
{
    for (size_t i = 0; i < t->n_streams; i++) {
        if (t->streams[i]->id == id) {
            return t->streams[i];
        }
    }
    if (t->n_streams == MAX_STREAMS) {
        return NULL;
    }
    struct stream *s = calloc(1, sizeof *s);
    if (!s) {
        fail("out of memory");
    }
    s->id = id;
    t->streams[t->n_streams++] = s;
    return s;
}

static size_t
latency_bucket(int64_t ns)
{
    int octave;

    if (ns < LATENCY_STEPS) {
        return ns < 0 ? 0 : ns;
    }
    octave = 63 - __builtin_clzll(ns);
    if (octave - 3 >= LATENCY_BUCKETS) {
        return LATENCY_BUCKETS * LATENCY_STEPS - 1;
    }
    return ((octave - 3) * LATENCY_STEPS
            + ((ns >> (octave - 4)) & (LATENCY_STEPS - 1)));
}

static int64_t
latency_percentile(const struct tally *t, double part)
{
    uint64_t n = 0;

    for (size_t i = 0; i < LATENCY_BUCKETS * LATENCY_STEPS; i++) {
        n += t->latency[i];
        if (n && n >= part * t->n_received) {
            int octave = i / LATENCY_STEPS + 3;
            int64_t step = i % LATENCY_STEPS;

            return (i < LATENCY_STEPS ? (int64_t) i
                    : (LATENCY_STEPS + step) << (octave - 4));
        }
    }
    return 0;
}

/* Marks 'number' as seen; returns true if it was already. */
static bool
mark_seen(struct stream *s, uint64_t number)
{
    uint64_t *word, bit = UINT64_C(1) << (number % 64);
    bool was;

    if (number >= s->next) {
        if (number - s->next >= WINDOW) {
            memset(s->seen, 0, sizeof s->seen);
        } else {
            for (uint64_t i = s->next; i <= number; i++) {
                s->seen[i % WINDOW / 64] &= ~(UINT64_C(1) << (i % 64));
            }
        }
        s->next = number + 1;
    } else {
        if (s->next - number > WINDOW) {
            s->n_reordered++;
            return false;
        }
        s->n_reordered += !(s->seen[number % WINDOW / 64] & bit);
    }
    word = &s->seen[number % WINDOW / 64];
    was = *word & bit;
    *word |= bit;
    return was;
}

static void
count_probe(struct tally *t, const struct probe *probe, int64_t rx_ns)
{
    struct stream *s = find_stream(t, ntohs(probe->stream));
    int64_t latency_ns = rx_ns - (int64_t) be64toh(probe->sent_ns);

    if (!s) {
        t->n_foreign++;
        return;
    }
    if (s->last_ns && rx_ns - s->last_ns > s->longest_gap_ns) {
        s->longest_gap_ns = rx_ns - s->last_ns;
    }
    s->last_ns = t->last_ns = rx_ns;
    t->first_ns = t->first_ns ? t->first_ns : rx_ns;
    if (mark_seen(s, ntohl(probe->number))) {
        s->n_duplicated++;
        return;
    }
    s->n_received++;
    if (!t->n_received++ || latency_ns < t->latency_min_ns) {
        t->latency_min_ns = latency_ns;
    }
    if (latency_ns > t->latency_max_ns) {
        t->latency_max_ns = latency_ns;
    }
    t->latency_sum_ns += latency_ns;
    t->latency[latency_bucket(latency_ns)]++;
}

static uint64_t
stream_lost(const struct stream *s)
{
    return s->next > s->n_received ? s->next - s->n_received : 0;
}

static void
print_tally(const struct settings *s, const struct tally *t)
{
    uint64_t n_lost = 0, n_duplicated = 0, n_reordered = 0;
    int64_t gap_ns = 0;
    double seconds = (t->last_ns - t->first_ns) / (double) NS_PER_S;

    for (size_t i = 0; i < t->n_streams; i++) {
        const struct stream *x = t->streams[i];

        n_lost += stream_lost(x);
        n_duplicated += x->n_duplicated;
        n_reordered += x->n_reordered;
        gap_ns = x->longest_gap_ns > gap_ns ? x->longest_gap_ns : gap_ns;
    }
    if (s->count) {
        n_lost = s->count > t->n_received ? s->count - t->n_received : 0;
    }
    printf("{\"received\": %"PRIu64", \"lost\": %"PRIu64", "
           "\"duplicated\": %"PRIu64", \"reordered\": %"PRIu64", "
           "\"longest_gap_ms\": %.3f, \"rig_drops\": %"PRIu64", "
           "\"foreign\": %"PRIu64", \"seconds\": %.3f, \"rate_pps\": %.0f, ",
           t->n_received, n_lost, n_duplicated, n_reordered, gap_ns / 1e6,
           t->n_rig_drops, t->n_foreign, seconds,
           seconds > 0 ? t->n_received / seconds : 0);
    printf("\"latency_us\": {\"min\": %.1f, \"mean\": %.1f, \"p50\": %.1f, "
           "\"p99\": %.1f, \"max\": %.1f}, \"streams\": [",
           t->latency_min_ns / 1e3,
           t->n_received ? t->latency_sum_ns / 1e3 / t->n_received : 0,
           latency_percentile(t, 0.5) / 1e3,
           latency_percentile(t, 0.99) / 1e3, t->latency_max_ns / 1e3);
    for (size_t i = 0; i < t->n_streams; i++) {
        const struct stream *x = t->streams[i];

        printf("%s{\"stream\": %"PRIu32", \"received\": %"PRIu64", "
               "\"lost\": %"PRIu64", \"duplicated\": %"PRIu64", "
               "\"reordered\": %"PRIu64", \"longest_gap_ms\": %.3f}",
               i ? ", " : "", x->id, x->n_received, stream_lost(x),
               x->n_duplicated, x->n_reordered, x->longest_gap_ns / 1e6);
    }
    printf("]}\n");
}

/* Buffers of one recvmmsg(). */
struct intake {
    struct mmsghdr messages[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_ll from[BATCH];
    char bodies[BATCH][256];    /* Headers and probe; the rest is cut off. */
    char controls[BATCH][128];
    int64_t offset_ns;          /* CLOCK_MONOTONIC minus CLOCK_REALTIME. */
};

/* Kernel's receive time and drop counter of message 'i'.  The kernel stamps
 * with CLOCK_REALTIME, which may be set meanwhile. */
static int64_t
message_time(struct intake *in, int i, uint32_t *drops)
{
    struct msghdr *m = &in->messages[i].msg_hdr;
    int64_t ns = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec ts;

            memcpy(&ts, CMSG_DATA(c), sizeof ts);
            ns = ts.tv_sec * NS_PER_S + ts.tv_nsec;
        } else if (c->cmsg_level == SOL_SOCKET
                   && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(drops, CMSG_DATA(c), sizeof *drops);
        }
    }
    return ns ? ns + in->offset_ns : now_ns(CLOCK_MONOTONIC);
}

/* CLOCK_MONOTONIC minus CLOCK_REALTIME, both read without being interrupted
 * in between. */
static int64_t
clock_offset(void)
{
    int64_t before, real, after;

    do {
        before = now_ns(CLOCK_MONOTONIC);
        real = now_ns(CLOCK_REALTIME);
        after = now_ns(CLOCK_MONOTONIC);
    } while (after - before > CLOCK_READ_NS);
    return before - real;
}

static int
take_in(int fd, struct intake *in)
{
    memset(in->messages, 0, sizeof in->messages);
    in->offset_ns = clock_offset();
    for (int i = 0; i < BATCH; i++) {
        struct msghdr *m = &in->messages[i].msg_hdr;

        in->iov[i] = (struct iovec) { in->bodies[i], sizeof in->bodies[i] };
        m->msg_iov = &in->iov[i];
        m->msg_iovlen = 1;
        m->msg_name = &in->from[i];
        m->msg_namelen = sizeof in->from[i];
        m->msg_control = in->controls[i];
        m->msg_controllen = sizeof in->controls[i];
    }
    return recvmmsg(fd, in->messages, BATCH, MSG_DONTWAIT, NULL);
}

static void
set_receive_options(int fd)
{
    int size = SOCKET_BUFFER, on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)
        && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size)) {
        fail("no receive buffer of %d bytes: %s", size, strerror(errno));
    }
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

static void
say_ready(void)
{
    printf("ready\n");
    fflush(stdout);
}

/* Waits for packets on 'n' sockets, at most WAIT_MS.  'busy': some came just
 * now.  Then it naps instead of having the kernel wake it for each packet,
 * which would cost the sender's side more than the packet does. */
static int
wait_packets(struct pollfd *pfds, int n, bool busy)
{
    static const struct timespec nap = { .tv_nsec = NAP_NS };

    if (busy) {
        nanosleep(&nap, NULL);
    }
    return poll(pfds, n, busy ? 0 : WAIT_MS);
}

/* True when the end is reached: by time, by number, or by silence. */
static bool
is_over(const struct settings *s, int64_t start_ns, int64_t last_ns,
        uint64_t n_received)
{
    int64_t now = now_ns(CLOCK_MONOTONIC);

    bool idle = !last_ns || now - last_ns > s->idle_ms * INT64_C(1000000);

    return ((stopped && (!s->drain || idle))
            || (s->seconds && now - start_ns > s->seconds * NS_PER_S)
            || (s->count && n_received >= s->count)
            || (s->idle_ms && !s->drain && last_ns && idle));
}

static void
count_batch(const struct settings *s, struct tally *t, struct intake *in,
            int n, uint32_t *drops)
{
    for (int i = 0; i < n; i++) {
        struct probe probe;
        int64_t rx_ns = message_time(in, i, drops);

        memcpy(&probe, in->bodies[i], sizeof probe);
        if (in->messages[i].msg_len < sizeof probe
            || probe.magic != htons(MAGIC)
            || (s->stream && ntohs(probe.stream) != s->stream)) {
            t->n_foreign++;
        } else {
            count_probe(t, &probe, rx_ns);
        }
    }
}

int
command_receive(const struct settings *s)
{
    struct sockaddr_in6 local = { .sin6_family = AF_INET6,
                                  .sin6_port = htons(s->port) };
    static struct intake in;
    static struct tally t;
    int64_t start_ns = now_ns(CLOCK_MONOTONIC), last_ns = 0;
    uint32_t drops = 0;
    bool busy = false;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *) &local, sizeof local)) {
        fail("UDP port %u can't be had: %s", s->port, strerror(errno));
    }
    set_receive_options(fd);
    say_ready();
    while (!is_over(s, start_ns, last_ns, t.n_received)) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        int n;

        busy = wait_packets(&pfd, 1, busy) > 0;
        while ((n = take_in(fd, &in)) > 0) {
            count_batch(s, &t, &in, n, &drops);
            last_ns = now_ns(CLOCK_MONOTONIC);
            if (n < BATCH || (stopped && !s->drain)) {
                break;
            }
        }
    }
    t.n_rig_drops = drops;
    print_tally(s, &t);
    return 0;
}

/* ---- Watching. ---- */

struct watched {
    const char *name;
    int fd;
    uint64_t n_in, n_out;
    uint64_t n_rig_drops;
};

/* Lets only UDP packets to 'port' through: the others cost nothing. */
static void
attach_filter(int fd, uint16_t port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 7),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 11),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 9, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
        BPF_STMT(BPF_JMP | BPF_JA, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 56),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 256),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                   sizeof program)) {
        fail("no packet filter: %s", strerror(errno));
    }
}

static int
open_watched(const char *name, uint16_t port)
{
    struct sockaddr_ll ll = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = if_nametoindex(name) };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (!ll.sll_ifindex) {
        fail("no interface '%s' in this namespace", name);
    } else if (fd < 0) {
        fail("watching needs root: %s", strerror(errno));
    }
    attach_filter(fd, port);
    set_receive_options(fd);
    if (bind(fd, (struct sockaddr *) &ll, sizeof ll)) {
        fail("interface '%s' can't be watched: %s", name, strerror(errno));
    }
    return fd;
}

/* Finds the probe in frame 'p' and formats its destination. */
static bool
parse_frame(const uint8_t *p, size_t size, struct probe *probe,
            char to[INET6_ADDRSTRLEN])
{
    bool v6 = p[12] == 0x86;
    size_t ofs = v6 ? 14 + IP6_HEADERS : 14 + (p[14] & 15) * 4 + 8;

    if (size < ofs + sizeof *probe) {
        return false;
    }
    inet_ntop(v6 ? AF_INET6 : AF_INET, p + (v6 ? 38 : 30), to,
              INET6_ADDRSTRLEN);
    memcpy(probe, p + ofs, sizeof *probe);
    return probe->magic == htons(MAGIC);
}

/* Returns the number of frames taken, 0 if there are none. */
static int
watch_batch(const struct settings *s, struct watched *w, struct intake *in)
{
    int n = take_in(w->fd, in);

    for (int i = 0; i < n; i++) {
        const uint8_t *p = (const uint8_t *) in->bodies[i];
        char to[INET6_ADDRSTRLEN];
        struct probe probe;
        uint32_t unused;
        bool out = in->from[i].sll_pkttype == PACKET_OUTGOING;

        if (!parse_frame(p, in->messages[i].msg_len, &probe, to)
            || (s->stream && ntohs(probe.stream) != s->stream)) {
            continue;
        }
        w->n_out += out;
        w->n_in += !out;
        if (s->list) {
            fprintf(s->list, "%s %s %"PRIu32" %"PRIu64" %s "
                    "%02x:%02x:%02x:%02x:%02x:%02x %"PRIu64" %"PRId64"\n",
                    w->name, out ? "out" : "in", ntohs(probe.stream),
                    (uint64_t) ntohl(probe.number), to,
                    p[0], p[1], p[2], p[3], p[4], p[5],
                    (uint64_t) be64toh(probe.sent_ns),
                    message_time(in, i, &unused));
        }
    }
    return n < 0 ? 0 : n;
}

int
command_watch(const struct settings *s, char *names[], int n)
{
    struct watched w[MAX_INTERFACES];
    struct pollfd pfds[MAX_INTERFACES];
    static struct intake in;
    int64_t start_ns = now_ns(CLOCK_MONOTONIC);
    int n_last_rounds = 0;
    bool busy = false;

    if (n < 1 || n > MAX_INTERFACES) {
        fail("watch: give 1 to %d interfaces", MAX_INTERFACES);
    }
    for (int i = 0; i < n; i++) {
        w[i] = (struct watched) { .name = names[i],
                                  .fd = open_watched(names[i], s->port) };
        pfds[i] = (struct pollfd) { .fd = w[i].fd, .events = POLLIN };
    }
    say_ready();
    for (;;) {
        /* What came before the end is counted before ending. */
        bool over = is_over(s, start_ns, 0, 0);

        busy = wait_packets(pfds, n, busy || over) > 0;
        if (!busy && over) {
            break;
        }
        for (int i = 0; i < n; i++) {
            if (busy && pfds[i].revents & POLLIN) {
                while (watch_batch(s, &w[i], &in) == BATCH) {
                    continue;
                }
            } else if (pfds[i].revents) {
                pfds[i].fd = -1;        /* The interface is gone. */
            }
        }
        if (over && n_last_rounds++ > MAX_LAST_ROUNDS) {
            break;
        }
    }
    printf("{\"interfaces\": {");
    for (int i = 0; i < n; i++) {
        struct tpacket_stats stats = { 0, 0 };
        socklen_t size = sizeof stats;

        getsockopt(w[i].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
        printf("%s\"%s\": {\"in\": %"PRIu64", \"out\": %"PRIu64", "
               "\"rig_drops\": %u}", i ? ", " : "", w[i].name, w[i].n_in,
               w[i].n_out, stats.tp_drops);
    }
    printf("}}\n");
    return 0;
}
