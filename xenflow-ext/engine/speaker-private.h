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


#ifndef XF_SPEAKER_PRIVATE_H
#define XF_SPEAKER_PRIVATE_H 1

/* What the files of the listener share.
 * =====================================
 *
 * speaker.c        the listener: socket, epochs, timers
 * speaker-conn.c   one connection: bytes in, messages out, acknowledgements
 * speaker-apply.c  one message: what it does to the rule table
 * speaker-nexthop.c  ids of next-hop objects
 * speaker-guest.c  a guest daemon: its load, what it is told
 * speaker-tls.c    TLS listeners
 * speaker-copy.c   what copies of tables ask (engine/copy.h)
 * speaker-show.c   state as JSON
 * speaker-ready.c  which of many listeners have a connection to accept
 *
 * Cost
 * ----
 * A listener without a connection: about 1 kB.  A connection: RX_MIN bytes and
 * the acknowledgements under way (24 bytes each, at most ACKS_MAX).
 *
 * Threads: the engine's own. */

#include "core/wire-guest.h"
#include "engine/speaker-ready.h"
#include "engine/speaker-tls.h"
#include "engine/speaker.h"
#include "openvswitch/hmap.h"
#include "openvswitch/vlog.h"
#include "sset.h"

/* Bytes and time that one xf_listener_run() may spend. */
#define XF_SPEAKER_RUN_BYTES 65536
#define XF_SPEAKER_RUN_MS 5
/* Statements swept in one xf_listener_run(). */
#define XF_SPEAKER_SWEEP_MAX 1000
/* How long a deletion waits for the addition that may follow. */
#define XF_SPEAKER_HOLD_MS 10
/* Acknowledgements waiting for the datapath; beyond, reading stops. */
#define XF_SPEAKER_ACKS_MAX 16384
/* A speaker that reads none of its acknowledgements for so long is closed. */
#define XF_SPEAKER_STALL_MS 10000
/* Bytes of one encoded acknowledgement. */
#define XF_SPEAKER_ACK_SIZE 40
/* Answers that must have room before a message is looked at: its own, that of
 * a deletion held before it, and its own if it is held. */
#define XF_SPEAKER_ACKS_RESERVE 3

/* An answer that is owed. */
struct xf_speaker_ack {
    uint64_t generation;        /* Due when this one is acknowledged. */
    uint32_t seq, pid;
    uint16_t nlmsg_type;
    bool wanted;                /* False: the speaker didn't ask. */
};

/* What is known of the guest daemon at the other end, if it is one. */
struct xf_speaker_guest {
    bool known;                 /* It said XF_NLMSG_HELLO. */
    bool want_resync;           /* It is to state all again. */
    char name[XF_NAME_MAX];
    uint64_t n_lost;            /* Statements of interfaces unknown here. */
    struct xf_guest_load *load; /* Last report, or NULL; owned. */
    struct xf_guest_load *before; /* The one before, likewise. */
    long long int load_ms;      /* When 'load' came. */
};

/* A connection. */
struct xf_speaker_conn {
    int fd;                     /* -1: see 'stream'. */
    struct stream *stream;      /* TLS; NULL: see 'fd'. */
    char *peer;                 /* "10.0.0.2:33000", for people. */
    long long int since_ms;     /* When it was accepted. */
    long long int last_rx_ms;   /* When bytes last came. */

    /* Bytes read: rx[rx_head..rx_tail).  If 'frame_left' is nonzero, so many
     * of them belong to a frame that is being worked on. */
    uint8_t *rx;
    size_t rx_capacity, rx_head, rx_tail;
    size_t frame_left;
    bool eof;                   /* The peer sends no more. */
    bool deaf;                  /* The peer reads no more: no answers. */
    bool more;                  /* Stopped by the bound of a run. */

    /* Bytes to write: tx[tx_head..tx_tail). */
    uint8_t tx[100 * XF_SPEAKER_ACK_SIZE];
    size_t tx_head, tx_tail;
    long long int stalled_ms;   /* Since when none could be written; 0: no. */

    /* Ring of answers in order of generation. */
    struct xf_speaker_ack *acks;
    size_t acks_allocated, acks_head, n_acks;
    struct xf_speaker_ack end;  /* Of NLMSG_DONE: due after the sweep. */

    struct xf_speaker_guest guest;
    struct sset linked;         /* Interfaces whose ifindex it stated. */
    struct hmap nhids;          /* Its next-hop ids, struct xf_speaker_nhid; */
    long long int swept_ms;     /* looked through then for room. */
};

/* A deletion that waits for what follows. */
struct xf_speaker_held {
    bool valid;
    struct xf_prefix prefix;
    uint32_t metric;
    long long int until_ms;
    struct xf_speaker_ack ack;
};

struct xf_speaker_stats {
    uint64_t n_bytes, n_frames, n_connects;
    uint64_t n_msgs[XF_WIRE_IGNORED + 1];
    uint64_t n_refused[XF_N_WIRE_ERRORS];
    uint64_t n_rejected;        /* By the rule table. */
    uint64_t n_unknown_iface;   /* NEIGH, ADDR, LINK of no interface of ours */
    uint64_t n_folded;          /* Deletion and addition became one. */
    uint64_t n_swept;           /* Stale statements removed. */
    uint64_t n_acked, n_nacked; /* Answers queued. */
    uint64_t n_refused_peers;   /* By TLS. */
    uint64_t n_used;            /* Neighbours in use, told to the guest. */
    uint64_t n_resyncs;         /* Asked of the guest. */
    uint64_t turn_us;           /* From reading messages until the table with
                                 * the last of them was published. */
    uint64_t longest_turn_us;
};

struct xf_listener {
    /* Configuration. */
    char *address;
    char *device;               /* "": any. */
    char *name;                 /* "10.0.0.1:2620%tap1", for people. */
    uint16_t port;
    uint32_t source;
    uint32_t neigh_source;
    long long int stale_ms;
    long long int settle_ms;
    struct xf_rt *rt;
    const struct xf_listener_ops *ops;
    void *aux;

    int fd;                     /* -1: to be opened again, or TLS. */
    struct xf_ready *ready;     /* Or NULL. */
    struct xf_ready_item item;  /* Of 'ready'. */
    bool is_told;               /* By 'ready' of 'fd'. */
    struct xf_tls *tls;         /* NULL: plain. */
    bool refusal_logged;        /* Of a peer; until one gets through. */
    unsigned int device_index;  /* Of the device that 'fd' is bound to. */
    int parted;                 /* Socket to a peer whose device went, and that
                                 * doesn't know; -1: none. */
    long long int check_ms;     /* When to look at the device again. */
    bool check_failed;          /* The failure was logged. */

    struct xf_speaker_conn *conn; /* Or NULL. */
    struct xf_speaker_held held;
    long long int now_ms;       /* Of the last run. */

    /* Epoch. */
    bool passive;
    bool is_held;               /* See xf_listener_hold(). */
    bool settled_once;          /* Some epoch of a speaker has ended. */
    long long int created_ms;   /* Since when there could be a speaker; 0: not
                                 * run yet. */
    bool unsettled;             /* Marked, not swept yet. */
    bool got_route;             /* In this epoch. */
    uint64_t n_failed;          /* Statements refused, likewise. */
    bool sweeping;
    long long int stale_at_ms;  /* No speaker: sweep then; LLONG_MAX: never. */

    uint32_t last_nhid;         /* Last next-hop id used in the table. */
    uint64_t generation;        /* Of the last change; 0: none. */
    uint64_t acked;             /* Highest one acknowledged. */
    struct xf_speaker_stats stats;
    char *last_error;           /* Last refusal, or NULL. */
};

/* ---- speaker.c ---- */

/* Sweeps what is stale from the next run on. */
void xf_speaker_sweep(struct xf_listener *);
/* Counts and logs a refusal; takes ownership of 'error'. */
void xf_speaker_complain(struct xf_listener *, char *error);

/* ---- speaker-conn.c ---- */

/* Takes ownership of 'fd', which must not block, or of 'stream' if that is
 * nonnull, and of 'peer'. */
struct xf_speaker_conn *xf_speaker_conn_create(int fd, struct stream *stream,
                                               char *peer,
                                               long long int now_ms);
void xf_speaker_conn_destroy(struct xf_speaker_conn *);
/* Returns a socket that outlives 'conn', whose device has gone, without its
 * peer being told of its end; -1 if there can't be one. */
int xf_speaker_conn_part(const struct xf_speaker_conn *conn);
/* Ends that socket by the 'device' that came instead; takes ownership. */
void xf_speaker_farewell(int fd, const char *device);
/* Reads, applies and answers.  Returns NULL, or a sentence that says why the
 * connection is over ("" if the peer closed it); the caller frees it and
 * destroys the connection. */
char *xf_speaker_conn_run(struct xf_listener *);
void xf_speaker_conn_wait(const struct xf_listener *);
bool xf_speaker_conn_is_idle(const struct xf_speaker_conn *);
/* Writes answers that are due, as far as the socket takes them. */
void xf_speaker_conn_flush(struct xf_listener *);
/* Sends a whole frame that nobody asked for, if answers leave room for it;
 * returns false if not. */
bool xf_speaker_conn_tell(struct xf_speaker_conn *, const void *frame,
                          size_t size);
/* Answers 'ack': 'error' is a positive errno, told at once, or 0, told when
 * all changes so far are acknowledged. */
void xf_speaker_answer(struct xf_listener *, const struct xf_speaker_ack *ack,
                       int error);

/* ---- speaker-apply.c ---- */

void xf_speaker_apply(struct xf_listener *, const struct xf_wire_msg *);
/* Carries out the held deletion, if there is one. */
void xf_speaker_apply_held(struct xf_listener *);

/* ---- speaker-nexthop.c ---- */

/* The table's id for what the connected speaker calls 'id'; 0 if there are too
 * many. */
uint32_t xf_speaker_nhid_get(struct xf_listener *, uint32_t id);
/* Likewise, but 0 if there is none. */
uint32_t xf_speaker_nhid_find(const struct xf_listener *, uint32_t id);
/* 'id' was withdrawn: it means nothing after, unless routes or groups of the
 * table name it still. */
void xf_speaker_nhid_withdrawn(struct xf_listener *, uint32_t id);
/* Before 'n' new ids are asked for: forgets what means nothing if they don't
 * fit. */
void xf_speaker_nhids_make_room(struct xf_listener *, size_t n);
void xf_speaker_nhids_destroy(struct xf_speaker_conn *);


/* ---- speaker-guest.c ---- */

void xf_speaker_hello(struct xf_listener *, const struct xf_wire_msg *);
void xf_speaker_load(struct xf_listener *, const struct xf_wire_msg *);
/* Sends what is due to the connected guest. */
void xf_speaker_guest_run(struct xf_listener *);
void xf_speaker_guest_uninit(struct xf_speaker_guest *);

#endif /* engine/speaker-private.h */
