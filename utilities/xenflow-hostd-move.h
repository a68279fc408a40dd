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

#ifndef XENFLOW_HOSTD_MOVE_H
#define XENFLOW_HOSTD_MOVE_H 1

/* Machines that move: rows of Migration -> both sides of a move.
 *
 *   xenflow-hostd-move.c              rows, listener, Migration_State
 *   xenflow-hostd-move-source.c       the machine is here
 *   xenflow-hostd-move-destination.c  it comes here
 *   xenflow-hostd-channel.c           the connection between both
 *
 * What may run where is the domain's business (see "Moving" in
 * xenflow/domain.h); this follows the coordinator's stages, carries words and
 * memory between both hosts, and tells the switch.
 *
 * Words, JSON objects with member "say"; A is the source, B the destination:
 *
 *   A hello     migration, router, from, have: "machine", "given", "nothing"
 *   A machine   config, kvm, memory: what B has to prepare; boot: the last
 *               restart that was carried out
 *   B ready     shares: true if it has the file that is the memory
 *   A           memory, and its end
 *   B received  it has all of it
 *   A yours     A has promised never to go on; suspended_ms: how long it has
 *               stood still so far, or -1
 *   B runs
 *   A gone      A has nothing of it any more; suspended_ms: how long it stood
 *               still in all, or -1
 *   B refused   why: B has nothing of it, and never will have of this attempt
 *
 * A's first word is always hello.  With "given" and "nothing" it doesn't have
 * the right to go on: B takes what it has received, or says "refused", and then
 * the machine is A's again.  So a connection, or either process, can be lost
 * at any point: A asks again until B has answered.
 *
 * Bounds: one connection per router that moves, and HELLOS_MAX that haven't
 * said hello, for 3 seconds each; one more closes the oldest.  Every wait has its
 * end: a connection without a word for 10 seconds is over, domains have times of
 * their own.
 *
 * One thread. */

#include "xenflow-hostd.h"

#include "openvswitch/hmap.h"
#include "xenflow/frame.h"

struct channel;
struct stream;

/* One router that moves from or to this host. */
struct move {
    struct hmap_node node;      /* In struct join_moves, by 'router'. */
    struct uuid router, migration;
    char *name;                 /* Of the router. */
    char *peer;                 /* Of the other host. */
    bool is_source;
    bool present;               /* Its rows are there. */

    struct channel *channel;    /* To the other host, or NULL. */
    long long int retry_ms;     /* When to connect, of a source.  0: may be
                                 * done at once, and wakes nobody. */
    size_t address;             /* Of the peer's, to be tried next. */

    /* The switch. */
    struct join_ask ask;        /* Under way. */
    const char *asked;          /* Command of 'ask'. */
    bool ask_failed;            /* The last one did. */
    bool keeps;                 /* It was told to transfer (of a source) or
                                 * hold (of a destination), ... */
    pid_t keeper;               /* ...that switch. */
    long long int look_ms;      /* When to see whether that is still there; 0
                                 * as of 'retry_ms'. */
    bool transfers;             /* Of a source: from now on. */

    /* Of a source. */
    bool said_hello;            /* On this connection... */
    const char *have;           /* ...with this. */
    bool is_ready, shares;      /* As the destination says. */
    bool begun;                 /* A send was, for this migration. */
    bool reads;                 /* Memory is wanted of the domain. */
    bool was_sent;              /* The end of memory was told. */
    bool said_yours;
    bool peer_runs;             /* The destination has it for good. */
    bool back_asked;            /* The switch was told of an undo. */
    bool is_received;           /* As the destination says. */
    bool is_resolved;           /* The destination will never have it. */
    bool said_gone;             /* That nothing of it is here any more. */
    long long int halted_ms;    /* When it was stopped; 0: it wasn't. */

    /* Of a destination. */
    struct json *machine;       /* Word "machine", not carried out yet. */
    struct xf_frame *pending;   /* Memory that isn't written yet, or NULL. */
    size_t pending_ofs;
    bool ends;                  /* All of it has come. */
    bool said_ready, said_received, said_runs, said_refused;
    bool is_taken;              /* The source has given it away... */
    long long int stood_ms;     /* ...after it stood still for so long; -1: it
                                 * isn't known... */
    long long int given_ms;     /* ...at this time. */
    bool has_addresses;         /* The management link was prepared. */

    /* Migration_State. */
    const char *stage;          /* NULL: nothing to say. */
    int progress, written_progress;
    char *error;
    long long int suspended_ms; /* -1: not known. */
    unsigned long long int n_bytes;     /* Of memory, on this connection. */
    bool unwritten;
    long long int written_ms;   /* Progress was, last. */
};

/* ---- xenflow-hostd-move.c ---- */

/* The Migration of 'm', or NULL. */
const struct xfrec_migration *move_row(const struct join *,
                                       const struct move *);
struct xf_domain *move_domain(const struct join *, const struct move *);
enum xf_move_phase move_phase(const struct join *, const struct move *);

/* This host has reached 'stage'. */
void move_say_stage(struct move *, const char *stage);
/* Whether there is a row of Migration_State of it, from this host. */
bool move_is_said(const struct join *, const struct move *);
/* It can't go on; takes ownership of the sentence. */
void move_say_error(struct move *, char *error);

/* A test stops moves before this step. */
bool move_is_held(const struct join *, const char *step);

/* Sends {"say": word}. */
void move_send(struct move *, const char *word);
/* The connection is over; 'why' is for the log. */
void move_disconnect(struct move *, const char *why);

/* ---- xenflow-hostd-ask.c ---- */

/* Whether the switch forwards for the machine, so has to be told. */
bool move_is_separated(const struct join *, const struct move *);
/* Begins a command of the switch with the router's name... */
void move_ask(struct join *, struct move *, const char *command,
              long long int now_ms);
/* ...and says whether it's over; 'ask_failed' says how. */
bool move_ask_run(struct join *, struct move *, long long int now_ms);
/* Has the switch do what 'command' begins, and one that was started anew, or
 * has refused, likewise.  To be called as long as it's to be so.  Returns true
 * while it does. */
bool move_ask_keep(struct join *, struct move *, const char *command,
                   long long int now_ms);

/* ---- xenflow-hostd-move-source.c ---- */

/* Takes what has come by the connection, in whatever stage. */
void source_listen(struct join *, struct move *, long long int now_ms);
/* Does what the stage asks for. */
void source_step(struct join *, struct move *, long long int now_ms);
void source_wait(const struct join *, const struct move *);

/* ---- xenflow-hostd-move-destination.c ---- */

/* The source's hello came by this connection; takes ownership. */
void destination_hello(struct join *, struct move *, struct channel *,
                       const struct json *hello, long long int now_ms);
/* As of a source. */
void destination_listen(struct join *, struct move *, long long int now_ms);
void destination_step(struct join *, struct move *, long long int now_ms);
void destination_wait(const struct join *, const struct move *);

/* ---- xenflow-hostd-channel.c ---- */

/* Connects to 'name' (as of streams); 'peer' is the name that the other
 * side's certificate must have, with TLS.  Returns 0 or an errno. */
int channel_open(const char *name, const char *peer, long long int now_ms,
                 struct channel **);
/* Takes ownership of a stream that was accepted. */
struct channel *channel_accept(struct stream *, long long int now_ms);
void channel_close(struct channel *);

/* Whom the other side's certificate names; NULL: no TLS. */
const char *channel_peer(const struct channel *);
/* The other side is known: larger words are taken. */
void channel_trust(struct channel *);

void channel_send_word(struct channel *, const struct json *);
void channel_send_memory(struct channel *, const void *, size_t size);
/* There is no more. */
void channel_send_end(struct channel *);
/* Whether there is room for more memory. */
bool channel_has_room(const struct channel *);

/* Carries it on.  Returns NULL, or why it's over. */
char *channel_run(struct channel *, long long int now_ms)
    OVS_WARN_UNUSED_RESULT;
/* Takes the next frame: true if there is one (to be uninited), else maybe
 * '*errorp', why it's over. */
bool channel_recv(struct channel *, long long int now_ms, struct xf_frame *,
                  char **errorp);
/* Member of a word, or "". */
const char *move_word(const struct json *, const char *member);
void channel_wait(const struct channel *, bool receives);

#endif /* xenflow-hostd-move.h */
