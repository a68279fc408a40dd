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

#ifndef XF_CORE_WIRE_COPY_H
#define XF_CORE_WIRE_COPY_H 1

/* Wire protocol, the messages of our own between two switches.
 *
 * What
 * ----
 * The destination of a migration (B) connects to the source (A):
 *
 *   B: COPY request      version, router, own name
 *   A: COPY begin        version, own name, ECMP seed; what B has is stale now
 *   A: links, then next hops, routes, neighbours, addresses: all there are
 *   A: NLMSG_DONE        that was all: B sweeps and answers when its datapath
 *                        has it
 *   A: what changes, as it changes; another begin if it was too much
 *
 * and in between, from A, COPY state (how complete A's own table is; every few
 * seconds, so that B notices a dead A) and COUNTS (counters, and how old what
 * is known of neighbours is).  While A's own table isn't complete there is no
 * NLMSG_DONE.  B may say XF_NLMSG_RESYNC: begin anew.  COPY refusal, with a
 * sentence, is A's last word.
 *
 * Attributes are as in core/wire-guest.h; unknown ones are skipped.
 *
 * Limits
 * ------
 * A name has up to 63 printable characters, a sentence up to XF_COPY_TEXT_MAX
 * bytes, COUNTS up to XF_COPY_COUNTS_MAX records.
 *
 * Threads: pure functions. */

#include <linux/netlink.h>

#include "core/wire.h"

#define XF_NLMSG_COPY 0x5804
#define XF_NLMSG_COUNTS 0x5805

#define XF_COPY_VERSION 1
#define XF_COPY_TEXT_MAX 512
#define XF_COPY_COUNTS_MAX 512

/* Attributes of XF_NLMSG_COPY. */
enum {
    XF_COPY_A_VERSION = 1,      /* u32, 1 or more; the lower one counts. */
    XF_COPY_A_KIND,             /* u32, enum xf_copy_kind. */
    XF_COPY_A_ROUTER,           /* 16 bytes: UUID of the router. */
    XF_COPY_A_HOST,             /* String. */
    XF_COPY_A_SEED,             /* u32: ECMP seed. */
    XF_COPY_A_STATE,            /* u32, enum xf_copy_source_state. */
    XF_COPY_A_TEXT,             /* String. */
    XF_N_COPY_A
};

enum xf_copy_kind {
    XF_COPY_REQUEST = 1,        /* ROUTER, HOST */
    XF_COPY_BEGIN,              /* HOST, SEED, STATE */
    XF_COPY_STATE,              /* STATE */
    XF_COPY_REFUSAL,            /* TEXT */
    XF_COPY_N_KINDS
};

/* How much the source's switch knows of what the router's daemon thinks. */
enum xf_copy_source_state {
    XF_COPY_WHOLE = 1,          /* All, or there is no daemon. */
    XF_COPY_SILENT,             /* No daemon has said anything since the switch
                                 * started. */
    XF_COPY_PARTIAL,            /* One has, and isn't done. */
    XF_COPY_N_STATES
};

struct xf_copy_msg {
    uint32_t version;
    enum xf_copy_kind kind;
    uint32_t router[4];         /* As in struct uuid. */
    char host[XF_NAME_MAX];     /* "": not given. */
    uint32_t seed;
    enum xf_copy_source_state state; /* 0: not given. */
    char text[XF_COPY_TEXT_MAX];
};

/* Decodes the body of a message of type XF_WIRE_COPY, that is 'msg->body' of
 * struct xf_wire_msg.  On a refusal '*copy' may hold anything. */
enum xf_wire_error xf_copy_decode(const uint8_t *body, size_t size,
                                  struct xf_copy_msg *copy);
/* Encodes 'copy' as one frame.  Returns its size, 0 if it doesn't fit. */
size_t xf_copy_encode(const struct xf_copy_msg *copy, void *buffer,
                      size_t capacity);

/* A record of XF_NLMSG_COUNTS, in host byte order as the rest. */
struct xf_copy_count {
    struct in6_addr ip;         /* Of the prefix, or of the neighbour. */
    uint32_t number;            /* Metric, or ifindex. */
    uint8_t is_neigh;           /* 0 or 1. */
    uint8_t len;                /* Of the prefix. */
    uint16_t zero;
    uint64_t n_packets, n_bytes;
    uint32_t used_ms;           /* Since the last packet; UINT32_MAX: none. */
    uint32_t age_ms;            /* Neighbour: since it was confirmed. */
};

/* Stores the next record of a message of type XF_WIRE_COUNTS, whose body was
 * accepted, and advances; false at its end. */
bool xf_copy_next_count(const uint8_t **body, size_t *size,
                        struct xf_copy_count *);
/* Encodes 'n' records. */
size_t xf_copy_counts_encode(const struct xf_copy_count *, size_t n,
                             void *buffer, size_t capacity);

#endif /* core/wire-copy.h */
