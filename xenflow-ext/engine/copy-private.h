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

#ifndef XF_COPY_PRIVATE_H
#define XF_COPY_PRIVATE_H 1

/* What the files of copies share.
 * ===============================
 *
 * copy.c         which routers come and go, by the rows; Table_State
 * copy-client.c  B: a router that comes
 * copy-server.c  A: tables for others
 * copy-counts.c  counters, and ages of neighbours
 * copy-show.c    copy-show */

#include "core/rule-table-follow.h"
#include "core/wire-copy.h"
#include "engine/engine-private.h"
#include "engine/speaker-tls.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "svec.h"
#include "uuid.h"

struct pstream;
struct stream;

/* ---- At B. ---- */

enum xf_copy_state {
    XF_COPY_CONNECTING,         /* See engine/copy.h. */
    XF_COPY_COPYING,
    XF_COPY_IN_STEP,
    XF_COPY_KEPT,
};
const char *xf_copy_state_name(enum xf_copy_state);

/* A router that comes here. */
struct xf_copy {
    struct hmap_node node;      /* In 'copies' of struct xf_copies. */
    struct xf_copies *copies;
    struct uuid uuid;           /* Of its row. */
    struct xf_router *router;
    bool wanted;                /* By the rows, as last seen. */
    char *source;               /* Name of the host that it comes from. */
    struct svec addresses;      /* Of that. */

    enum xf_copy_state state;
    char *error;                /* Why it isn't in step; or NULL. */
    char *refusal;              /* Why to give the connection up; or NULL. */

    /* Connecting. */
    size_t n_tries;             /* Which address is next. */
    long long int next_ms;      /* When to try. */
    long long int backoff_ms;
    struct stream *stream;      /* Until the request is sent; or NULL. */
    uint8_t request[256];       /* What is left of it: [head..tail). */
    size_t head, tail;
    long long int until_ms;     /* It must be connected by then. */
    long long int heard_ms;     /* Time of this run. */

    /* Connected: 'listener' has the connection. */
    struct xf_listener *listener; /* Passive; NULL: not made yet. */
    bool begun;                 /* The source has begun. */
    bool told_all;              /* As far as it knows. */
    enum xf_copy_source_state source_state;
    bool is_whole;              /* It was in step, and hasn't begun since. */
    bool is_acking;             /* Waits for 'generation'. */
    uint64_t generation;

    /* What Table_State is to say. */
    size_t n_routes, n_neighbors;
    bool has_row;               /* For copy.c. */
    uint64_t n_copies;          /* Times it has begun. */
};

/* ---- At A. ---- */

/* An interface as it was told. */
struct xf_told_iface {
    char name[XF_NAME_MAX];
    uint32_t ifindex;
    uint16_t mtu;
    struct eth_addr mac;
    bool up;
};

/* A round of counters. */
struct xf_counts_round {
    long long int next_ms;      /* When it begins. */
    bool is_on;
    long long int since_ms;     /* What was used since is told. */
    long long int begun_ms;
};

/* A connection of another switch. */
struct xf_serving {
    struct ovs_list node;       /* In 'servings' of struct xf_copies. */
    struct stream *stream;
    char *peer;                 /* "10.0.0.2:33000", for people. */
    char id[XF_NAME_MAX];       /* Its certificate's name; "": not TLS. */
    long long int opened_ms;
    char host[XF_NAME_MAX];     /* Whom it says it is; "": not yet. */
    struct uuid uuid;           /* Of the router's row. */
    struct xf_router *router;   /* NULL: hasn't said which, or is refused. */
    bool is_over;               /* Closed when all is sent. */

    struct xf_rt_follower *follower; /* If 'router'. */
    enum xf_engine_source source; /* The listener's that it follows. */
    uint64_t seen_changes;      /* Router's when interfaces were compared. */
    struct xf_told_iface *ifaces; /* Owned. */
    size_t n_ifaces;
    bool must_begin;            /* From the beginning. */
    bool told_end;              /* NLMSG_DONE was said in this epoch. */
    enum xf_copy_source_state told_state; /* 0: none in this epoch. */
    struct xf_counts_round counts;
    long long int sent_ms;      /* When something was sent last; of one that
                                 * is over: before that. */

    uint64_t n_told;            /* Statements, */
    uint64_t n_begun;           /* epochs. */
    bool more;                  /* Stopped by the bound of a turn. */

    uint8_t rx[1024];
    size_t n_rx;
    uint8_t *tx;                /* XF_COPY_TX_BYTES: [head..tail). */
    size_t head, tail;
    size_t frame_end;           /* Up to there in 'tx' is a frame of which a
                                 * part was sent. */
};

/* Where others are waited for. */
struct xf_copy_door {
    char *address;
    struct pstream *pstream;    /* Plain; NULL: see 'tls'. */
    struct xf_tls *tls;
    long long int next_ms;      /* When to try to open it again. */
    bool failed;                /* Was logged. */
};

struct xf_copies {
    struct xf_engine *engine;
    struct xf_db *db;
    bool tls;
    unsigned int seqno;         /* Of the database, as last looked at. */
    bool look_again;

    struct hmap copies;         /* struct xf_copy by UUID. */
    long long int counted_ms;   /* When 'n_routes' were looked at. */
    bool dirty;                 /* Table_State may be wrong. */

    struct xf_copy_door doors[XF_COPY_ADDRESSES_MAX];
    size_t n_doors;
    struct ovs_list servings;   /* Oldest first. */
    size_t n_servings;
};

/* copy-client.c */
struct xf_copy *xf_copy_create(struct xf_copies *, const struct uuid *,
                               struct xf_router *);
void xf_copy_destroy(struct xf_copy *);
/* The router is here now: the copy is kept as it is. */
void xf_copy_keep(struct xf_copy *);
void xf_copy_run(struct xf_copy *, long long int now_ms);
void xf_copy_wait(const struct xf_copy *);

/* copy-server.c */
/* Waits for others at the 'n' 'addresses' of this host. */
void xf_doors_set(struct xf_copies *, char **addresses, size_t n);
void xf_servings_run(struct xf_copies *, long long int now_ms);
void xf_servings_wait(const struct xf_copies *);
void xf_servings_router_gone(struct xf_copies *, const struct xf_router *);
/* Takes ownership of the stream. */
void xf_serving_create(struct xf_copies *, struct stream *,
                       long long int now_ms);
void xf_serving_destroy(struct xf_copies *, struct xf_serving *);
/* The rows have changed: ends connections that aren't to be served any
 * more. */
void xf_servings_check(struct xf_copies *);

/* copy-counts.c */
/* Appends counters to 'tx' as far as 'capacity' and time allow; returns how
 * many bytes. */
size_t xf_counts_tell(struct xf_serving *, uint8_t *tx, size_t capacity,
                      long long int now_ms);
void xf_counts_hear(struct xf_router *, const uint8_t *body, size_t size,
                    long long int now_ms);

#endif /* engine/copy-private.h */
