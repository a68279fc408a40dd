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

#ifndef XENFLOW_TRAFFIC_H
#define XENFLOW_TRAFFIC_H 1

/* Numbered traffic, and who saw it.
 * =================================
 *
 * What
 * ----
 * "send" sends numbered UDP packets at a rate, "receive" says which of them
 * arrived: lost, duplicated, reordered, longest gap, latency.  "watch" counts
 * them on interfaces, without receiving them.  Sender and others may be in
 * different network namespaces of one machine, so they share its clock.
 *
 * Why a program of our own
 * ------------------------
 * Nothing packaged does all of it: iperf3 doesn't number datagrams so that
 * gaps and duplicates can be told apart, mausezahn and nping don't receive,
 * and none tells its own losses from the network's.
 *
 * Shape
 * -----
 * Each packet carries 'struct probe', network byte order.  Numbers count from
 * 0 in each stream.  Duplicates are recognized among the last WINDOW numbers
 * of a stream; what comes later than that counts as received and reordered.
 * At most MAX_STREAMS streams; memory doesn't grow with the packets, but for
 * the list that "--list" asks for, which goes to a file as it comes.
 *
 * Losses of the rig
 * -----------------
 * What the kernel dropped because this program was slow is counted apart, as
 * "rig_drops": such a run says nothing about the network.
 *
 * Time is the kernel's receive time stamp, so a busy machine that runs the
 * receiver late doesn't show as a gap. */

#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define MAGIC 0x5846            /* "XF". */
#define BATCH 64                /* Packets per system call. */
#define MAX_PACKET 9000
#define IP_HEADERS 28           /* IPv4 + UDP. */
#define IP6_HEADERS 48
#define MIN_PACKET (IP_HEADERS + (int) sizeof(struct probe))
#define SOCKET_BUFFER (64 * 1024 * 1024)
#define NS_PER_S INT64_C(1000000000)

/* Fits the smallest Ethernet frame, with IPv4. */
struct probe {
    uint16_t magic;
    uint16_t stream;
    uint32_t number;
    uint64_t sent_ns;           /* CLOCK_MONOTONIC. */
} __attribute__((packed));

struct settings {
    double rate_pps;
    uint64_t count;             /* 0: no end by number.  Under 2^32. */
    double seconds;             /* 0: no end by time. */
    int size_bytes;             /* Of the IP packet. */
    uint16_t port;
    uint32_t stream;
    int n_sources;              /* Source ports of the sender. */
    struct in6_addr from;       /* Source address, all zeros: any. */
    int idle_ms;                /* Receiver ends so long after the last, */
    bool drain;                 /* but not before it is told to. */
    FILE *list;
    struct in6_addr *to;        /* Destinations. */
    size_t n_to;
};

extern volatile sig_atomic_t stopped;   /* By a signal. */

/* Prints a sentence and ends the program. */
void fail(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

int64_t now_ns(clockid_t);

/* Receives until the end that 's' says and prints the result.  Returns the
 * program's exit code. */
int command_receive(const struct settings *);

/* Likewise for the 'n' interfaces 'names'. */
int command_watch(const struct settings *, char *names[], int n);

#endif /* xenflow-traffic.h */
