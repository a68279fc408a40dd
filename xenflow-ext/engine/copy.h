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

#ifndef XF_COPY_H
#define XF_COPY_H 1

/* The table of a router that moves, from switch to switch.
 * ========================================================
 *
 * What
 * ----
 * While a router R moves from host A to host B (its row's 'host' and
 * 'destination'), B's switch has what A's switch has learned from R's machine:
 * routes, next-hop objects, neighbours, addresses, states of links, counters.
 * It connects to A's (TCP port XF_COPY_PORT of Host:addresses), is told all
 * there is (core/rule-table-follow.h), then each change (core/wire-copy.h).
 * What operators stated comes from the database.
 *
 * Who is believed
 * ---------------
 * A tells R's table only to the host that is R's 'destination'.  If the
 * database is reached by TLS, so is the other switch, and its name is that of
 * its certificate; B looks at A's name, too.  If the database is reached
 * without, so is the other switch, and the name that it says is believed.
 *
 * What a copy is
 * --------------
 * The word of R's speaker, as if that had stopped talking: it stands in the
 * source of R's listener (engine/speaker.h), and R's own speaker goes on from
 * there when it has come to B.  Nothing of it goes because a connection ended.
 * When B connects again, all is stated again and what isn't is swept, so no
 * gap opens.
 *
 * A switch that has started anew knows nothing until R's daemon speaks.  It
 * says so; then B adds what it is told, takes nothing away, and isn't in step,
 * unless it has nothing that could be taken away either and no daemon ever
 * spoke to A: then both know the same, nothing.  A daemon that is connected
 * and silent for as long as its routes would stay without it has nothing to
 * say.
 *
 *   connecting -> copying -> in-step -> kept
 *        ^           |          |
 *        +-----------+----------+  connection lost
 *
 * 'in-step': all that A knew when B connected is in B's datapath, and what
 * changes follows.  'kept': R is at B (its row's 'host'), or its own speaker
 * is there and has spoken.
 *
 * Until then A is the authority: B looks after no neighbour of R, and A
 * doesn't forget routes because R's speaker has left it.
 *
 * Cost
 * ----
 * At A: nothing per route; keys of what has gone, while B doesn't read.  What
 * changes several times meanwhile is told once.  At B: as a speaker.  Both
 * take XF_COPY_TURN_US at most of a turn of the engine's thread, per
 * connection.
 *
 * Bounds
 * ------
 * XF_COPY_SERVINGS_MAX connections to A, of which a further one ends the
 * oldest that hasn't said what it wants; XF_COPY_TX_BYTES buffered for each.
 *
 * Threads: the engine's own. */

#include <stdbool.h>

struct ovsdb_idl_txn;
struct xf_copies;
struct xf_db;
struct xf_engine;
struct xf_router;

#define XF_COPY_SERVINGS_MAX 256
#define XF_COPY_ADDRESSES_MAX 8 /* Of one host. */
#define XF_COPY_TX_BYTES 131072
#define XF_COPY_TURN_US 5000
#define XF_COPY_BEAT_MS 2000    /* A says something at least so often; */
#define XF_COPY_SILENCE_MS 15000 /* after so long without, B connects anew. */
#define XF_COPY_RETRY_MIN_MS 500 /* Between attempts to connect, first */
#define XF_COPY_RETRY_MAX_MS 8000 /* and at most. */
#define XF_COPY_AGAIN_MS 2000   /* Between attempts to have all stated again. */
#define XF_COPY_HELLO_MS 5000   /* For a handshake and the first message. */
#define XF_COPY_COUNTS_MS 1000  /* Between rounds of counters. */

struct xf_copies *xf_copies_create(struct xf_engine *, struct xf_db *);
/* Copies stay.  Accepts NULL, as all of these do. */
void xf_copies_destroy(struct xf_copies *);
void xf_copies_run(struct xf_copies *, long long int now_ms);
void xf_copies_wait(struct xf_copies *);

/* The router is about to be deleted. */
void xf_copies_router_gone(struct xf_copies *, struct xf_router *);
/* It has one more interface. */
void xf_copies_iface_added(struct xf_copies *, struct xf_router *);
/* One was created. */
void xf_copies_look_again(struct xf_copies *);

/* For db-write.c: whether our rows of Table_State aren't true, and what makes
 * them so. */
bool xf_copies_have_news(struct xf_copies *);
void xf_copies_write(struct xf_copies *, struct ovsdb_idl_txn *);
/* That was committed, or not. */
void xf_copies_written(struct xf_copies *, bool success);

#endif /* engine/copy.h */
