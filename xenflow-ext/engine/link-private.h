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

#ifndef XF_LINK_PRIVATE_H
#define XF_LINK_PRIVATE_H 1

/* What the engine's files about links share: link.c (hops, table, file),
 * link-args.c (syntax), link-probe.c (probes), link-show.c (lists), transfer.c
 * (routers that move), db-link.c (rows).  Engine's thread. */

#include "engine/link.h"
#include "openvswitch/list.h"
#include "mpsc-queue.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"

struct xf_probe_news;

/* Probing of the way that ends here by a hop. */
struct xf_probing {
    bool proven;
    bool begun;                 /* A request was sent. */
    uint64_t nonce;
    uint32_t seq;               /* Of the last request. */
    unsigned int n_unanswered;  /* Requests since the last answer. */
    long long int next_ms;
    uint64_t n_sent, n_answers; /* Requests, and answers to them. */
    uint64_t n_answered;        /* Requests of the other end. */

    /* After the flip to another way. */
    bool empties;               /* What was sent by this way is waited for. */
    bool heard_last;            /* All that the other end sent is here. */
    bool answered_last;         /* All that this end sent is there. */
    uint32_t last_seq;          /* Of the first last request; 0: none yet. */
    long long int empty_by_ms;  /* When nobody waits any more; LLONG_MAX: the
                                 * flip isn't in the datapath yet. */
};

/* A hop that is stated. */
struct xf_own_hop {
    struct xf_hop hop;          /* Its counters are referenced. */
    char *error;                /* Why it isn't in the table; NULL: it is. */
    uint64_t since;             /* Engine's generation since which all of that
                                 * is so; 0: not published yet. */
    uint64_t left;              /* The same of that another way is in use; 0:
                                 * not so. */
    struct xf_probing probing;
};

struct xf_links {
    OVSRCU_TYPE(struct xf_link_table *) table; /* Readers'. */

    /* Any thread to the engine's. */
    struct mpsc_queue news;     /* Of 'struct xf_probe_news'. */
    atomic_count n_news;
    atomic_uint64_t n_news_dropped;

    /* Engine's thread. */
    struct xf_own_hop *hops;    /* Sorted as compare_hops() does. */
    size_t n;
    uint64_t generation;        /* Engine's, of the last publication. */
    bool acked;                 /* That one is in the datapath. */
    uint64_t seen_acked;        /* Engine's, when hops were looked at. */
    uint64_t state_seq;         /* Counts changes of what Link_State says. */
    struct eth_addr mac;        /* Source of probes. */
    long long int next_probe_ms;
    long long int next_answer_ms; /* When a router answers for itself again;
                                   * LLONG_MAX: none is to. */
    size_t next_probe;          /* Hop with which the next turn begins. */
    char *file;                 /* NULL: nothing is kept. */
    bool dirty;                 /* The file isn't as it should be. */
    long long int next_write_ms;
    uint64_t n_bad_probes;      /* Not of the way they came by. */
};

/* link.c */
void xf_links_init(struct xf_links *);
void xf_links_drain(struct xf_links *);
void xf_links_destroy(struct xf_links *);
void xf_links_load(struct xf_engine *);
/* Makes the 'n' hops, which must be sound, all there are; no references are
 * taken over.  Returns true if anything changed. */
bool xf_links_set(struct xf_engine *, const struct xf_hop *, size_t n);
/* Whether there is such a hop, whatever its sides. */
bool xf_links_have(const struct xf_links *, const struct xf_hop *);
/* Whether the datapath has what was published of the hop. */
bool xf_hop_is_acked(const struct xf_engine *, const struct xf_own_hop *);
void xf_links_run(struct xf_engine *, long long int now_ms);
void xf_links_wait(struct xf_engine *);
void xf_links_end(struct xf_engine *);
char *xf_hop_check(const struct xf_hop *) OVS_WARN_UNUSED_RESULT;

/* A link as Link_State says it. */
struct xf_link_summary {
    const struct xf_hop *hop;   /* One of them: name and id. */
    uint64_t generation;        /* Newest of which all hops are in the
                                 * datapath. */
    bool in_datapath;           /* There is such a one. */
    bool proven;
    char *error;                /* NULL: none.  To be freed. */
};
/* Fills 's' with the link that begins at hop 'i'; returns where the next
 * begins. */
size_t xf_link_summarize(const struct xf_engine *, size_t i,
                         struct xf_link_summary *s);

/* link-args.c: the words of a hop, in commands and in the file. */
char *xf_hop_parse(struct xf_hop *, int n, const char *argv[])
    OVS_WARN_UNUSED_RESULT;
struct ds;
void xf_hop_put(const struct xf_hop *, struct ds *);

/* link-probe.c */
void xf_probes_run(struct xf_engine *, long long int now_ms);
void xf_probes_wait(struct xf_engine *);
void xf_probes_leave(struct xf_own_hop *, uint64_t generation);
void xf_probes_left(struct xf_engine *, long long int now_ms);
/* Whether no way that is out of use has anything in it, as far as that is
 * waited for. */
bool xf_links_are_empty(const struct xf_engine *);
bool xf_hop_side_is_end(const struct xf_engine *, const struct xf_hop *,
                        int side);
int xf_hop_end(const struct xf_engine *, const struct xf_hop *);

/* transfer.c */
struct xf_job;
void xf_transfer_init(struct xf_router *);
bool xf_hold_end_done(struct xf_engine *, struct xf_job *);
void xf_transfer_run(struct xf_engine *, long long int now_ms);
void xf_transfer_wait(const struct xf_engine *);

#endif /* engine/link-private.h */
