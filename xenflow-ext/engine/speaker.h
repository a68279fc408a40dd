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

#ifndef XF_SPEAKER_H
#define XF_SPEAKER_H 1

/* Listener of one virtual router: takes the wire protocol from the router's
 * speakers (FRR's FPM, guest daemon, another host) into its rule table.
 *
 * FPM has no authentication: a plain listener is bound to the router's own
 * management tap, so a guest speaks only for its own router whatever it sends.
 * A TLS listener knows its peer by its certificate (engine/speaker-tls.h).
 *
 * Resynchronisation
 * -----------------
 * Each listener is one source of the table.  When its speaker disconnects, the
 * routes stay for 'stale_ms' and are swept then unless a speaker is back.
 * When a speaker connects, a new epoch begins; what is not stated again is
 * swept when the speaker says NLMSG_DONE, or after it has been silent for
 * 'settle_ms' following its first route.  As long as a connected speaker has
 * stated no route, nothing is swept: a daemon may connect before it has
 * anything to say.  (What zebra does is in Documentation/internals/fpm.rst.)
 * A second speaker that connects replaces the first.
 *
 * Ids of next-hop objects belong to a connection: a daemon that starts again
 * numbers them anew, and its stale routes keep the next hops that they had.
 *
 * FRR replaces a route by RTM_DELROUTE and RTM_NEWROUTE: a deletion is held
 * until the next message (or HOLD_MS), and becomes a replacement if that is an
 * addition of the same prefix, so that no gap opens.
 *
 * Copies
 * ------
 * A passive listener has no socket: its speaker is another switch, to which its
 * owner has connected (engine/copy.h).  It states for the same source as the
 * router's real listener, whose speaker will go on from there.  Only
 * NLMSG_DONE ends its epochs, and nothing goes because it is away.
 *
 * Threads: the engine's own. */

#include "core/rule-table.h"
#include "core/wire-copy.h"
#include "core/wire.h"

struct json;
struct stream;
struct xf_ready;
struct xf_listener;

struct xf_listener_config {
    const char *address;        /* Local address to listen on. */
    uint16_t port;              /* FPM's is 2620; 0: kernel chooses. */
    const char *tls_peer;       /* NULL: plain TCP.  Else TLS, and the peer's
                                 * certificate must have this name; needs
                                 * 'device' to be NULL or "". */
    const char *device;         /* SO_BINDTODEVICE; NULL or "": any. */
    uint32_t source;            /* Id of the source in the table (added and
                                 * removed by the listener). */
    const char *source_name;
    uint32_t neigh_source;      /* Of dynamic neighbours, whose life isn't the
                                 * speaker's; 0: 'source'. */
    struct xf_ready *ready;     /* What xf_listeners_run() runs it by; NULL:
                                 * the owner runs it. */
    long long int stale_ms;     /* See above. */
    long long int settle_ms;
    bool passive;               /* See above; 'address' is for people. */
    bool adopt;                 /* 'source' may be in the table already. */
};

struct xf_listener_ops {
    /* The table changed; returns the generation whose acknowledgement will
     * cover the change. */
    uint64_t (*changed)(void *aux);
    /* An interface of the table was changed by RTM_NEWLINK. */
    void (*iface_changed)(void *aux);
    /* Passive listener: a message of core/wire-copy.h. */
    void (*copy)(void *aux, const struct xf_wire_msg *);
};

/* Returns a listener, or NULL with a sentence in '*errorp' (address in use, no
 * such device, ...). */
struct xf_listener *xf_listener_create(const struct xf_listener_config *,
                                       struct xf_rt *,
                                       const struct xf_listener_ops *,
                                       void *aux, char **errorp);
/* Ends 'l' and takes its routes away; NULL is accepted, as below. */
void xf_listener_destroy(struct xf_listener *l);
/* Ends it alone: its routes stay in the table, which is to be destroyed next. */
void xf_listener_abandon(struct xf_listener *);

/* Passive listener: 'stream' is its speaker from now on, called 'peer'; takes
 * ownership of both. */
void xf_listener_connect(struct xf_listener *, struct stream *stream,
                         char *peer, long long int now_ms);
/* Ends the connection, if there is one. */
void xf_listener_disconnect(struct xf_listener *);
/* Begins a new epoch of the same speaker. */
void xf_listener_begin(struct xf_listener *);

bool xf_listener_is_connected(const struct xf_listener *);
/* True if no epoch is open: what the speaker doesn't state is swept. */
bool xf_listener_is_settled(const struct xf_listener *);
/* How many statements of this epoch aren't in the table. */
uint64_t xf_listener_n_failed(const struct xf_listener *);
/* Why the last one isn't, or NULL. */
const char *xf_listener_last_error(const struct xf_listener *);
/* Asks the passive listener's speaker to begin anew. */
void xf_listener_resync(struct xf_listener *);
/* True if the connected speaker has stated a route, or ended an epoch. */
bool xf_listener_has_spoken(const struct xf_listener *);
/* When the connected speaker was last heard. */
long long int xf_listener_heard_ms(const struct xf_listener *);
/* How much of what the router's daemon thinks is in the table. */
enum xf_copy_source_state xf_listener_source_state(const struct xf_listener *,
                                                   long long int now_ms);
/* While 'held' nothing goes because no speaker is there. */
void xf_listener_hold(struct xf_listener *, bool held, long long int now_ms);

/* Changes the times of 'struct xf_listener_config' at run time. */
void xf_listener_set_timers(struct xf_listener *, long long int stale_ms,
                            long long int settle_ms);

/* Reads and applies what has arrived, a bounded amount at a time, sweeps what
 * is due.  Never blocks. */
void xf_listener_run(struct xf_listener *, long long int now_ms);
void xf_listener_wait(struct xf_listener *);

/* All changes up to 'generation' are in the datapath: sends the
 * acknowledgements that were asked for. */
void xf_listener_acked(struct xf_listener *, uint64_t generation);

/* The same for all listeners of 'ready' that have something to do. */
void xf_listeners_run(struct xf_ready *, long long int now_ms);
void xf_listeners_wait(const struct xf_ready *);
void xf_listeners_acked(struct xf_ready *, uint64_t generation);

/* The generation of the last change applied (0: none): "xenflow/router-sync"
 * waits for it. */
uint64_t xf_listener_generation(const struct xf_listener *);

/* True if nothing is left to read or to apply: no connection waits to be
 * accepted, the sockets are empty, no deletion is held. */
bool xf_listener_is_idle(const struct xf_listener *);

/* The port that is listened on (that of the configuration, or the kernel's
 * choice). */
uint16_t xf_listener_port(const struct xf_listener *);

/* Packets are sent to neighbour 'ip' on the guest's interface 'ifindex', which
 * wasn't heard of lately: tells a guest daemon to probe it.  Returns false if
 * there is none, or no room to tell. */
bool xf_listener_use_neighbor(struct xf_listener *, uint32_t ifindex,
                              const struct in6_addr *ip);

/* An interface was added to the table: a guest daemon whose statements were
 * lost because they were about unknown interfaces shall state all again. */
void xf_listener_iface_added(struct xf_listener *);

/* What the connected guest daemon says of itself, for guest-show. */
struct json *xf_listener_guest_to_json(const struct xf_listener *,
                                       long long int now_ms);

/* State for speaker-list: peer, since when, bytes, messages by type, refusals
 * by reason, routes, what is stale ("stale_routes": statements of every kind
 * that wait to be swept). */
struct json *xf_listener_to_json(const struct xf_listener *,
                                 long long int now_ms);

#endif /* engine/speaker.h */
