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

#ifndef XF_CORE_MIRROR_H
#define XF_CORE_MIRROR_H 1

/* Mirror: what a guest's kernel has, and what the host was told of it.
 * ====================================================================
 *
 * What
 * ----
 * Takes the kernel's rtnetlink messages (dumps and events), decides what of
 * them the host is to know, and gives the messages to send.  All that decides
 * in the guest daemon is here; sockets and clocks are in
 * utilities/xenflow-guestd*.c.
 *
 * Why this structure
 * ------------------
 * The kernel is the store: of what the host was told only a hash is kept, per
 * object.  A message waits with its object, so a route that flaps 1,000 times
 * while the host doesn't read goes out once, in its last state, and one that
 * came back to what the host knows doesn't go out at all.  A lost event (the
 * socket's buffer was full, or the kernel tells nothing, see below) is mended
 * by reading the kernel again: what is as before isn't sent, what is missing
 * is withdrawn, so there is no gap.
 *
 * What the kernel doesn't tell
 * ----------------------------
 * - IPv4 routes that go with their device, address or next-hop object, and
 *   next hops that die with a carrier;
 * - which of several IPv4 routes with one prefix and metric is used;
 * - what is left of an IPv6 multipath route when one hop is deleted.
 * After events of these kinds xf_mirror_take_reread() asks for a new reading.
 *
 * What isn't reported
 * -------------------
 * The management interface and all on it; link-local and loopback routes;
 * tables other than main and local; what the wire protocol can't say (then
 * what the host had in its place is withdrawn).  Neighbours in state FAILED or
 * INCOMPLETE are withdrawn; those that the kernel only collected as garbage
 * aren't: traffic may use them, and the host keeps them alive.
 *
 * Order
 * -----
 * Links, addresses, next hops, groups, neighbours and routes, then deletions
 * in the opposite order: the host never knows a route before its next hop, nor
 * loses a next hop before its route.  (Deletions of links and addresses come
 * first: an index or an address may have moved.)
 *
 * Cost
 * ----
 * 96 bytes per object, and its message while it waits; O(1) per message.  At
 * most 'max' objects; beyond, additions are refused and counted.
 *
 * Threads: an object belongs to its caller. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xf_mirror;

struct xf_mirror_stats {
    uint64_t n_objects;         /* Known now. */
    uint64_t n_waiting;         /* To be sent. */
    uint64_t n_events;          /* Messages of the kernel, not of dumps. */
    uint64_t n_dumped;          /* Those of dumps. */
    uint64_t n_coalesced;       /* Changes that replaced one not yet sent. */
    uint64_t n_sent;
    uint64_t n_hidden;          /* Not to be reported. */
    uint64_t n_unsupported;     /* Refused by the wire protocol. */
    uint64_t n_refused;         /* Beyond 'max'. */
    uint64_t n_swept;           /* Found missing by a reading. */
    uint64_t n_collected;       /* Neighbours that went as garbage. */
};

/* 'management' is the name of the interface that isn't reported, or NULL. */
void xf_mirror_destroy(struct xf_mirror *);
struct xf_mirror *xf_mirror_create(const char *management, size_t max);

/* Forgets all: the host knows nothing (a new connection). */
void xf_mirror_clear(struct xf_mirror *);
/* All that is known is to be told again by the next reading. */
void xf_mirror_restate(struct xf_mirror *);

/* Takes an event: one netlink message with its header. */
void xf_mirror_event(struct xf_mirror *, const void *nlmsg, size_t size);

/* A reading: begin, the messages of the dumps (events may come between; an
 * object's event is newer than what a dump says of it), end.  If 'complete' is
 * false something may be missing: nothing is withdrawn. */
void xf_mirror_read_begin(struct xf_mirror *);
void xf_mirror_read(struct xf_mirror *, const void *nlmsg, size_t size);
void xf_mirror_read_end(struct xf_mirror *, bool complete);

/* True, once, if the kernel should be read again. */
bool xf_mirror_take_reread(struct xf_mirror *);

/* Stores the next message to send, one whole frame, in 'buffer', which holds
 * XF_WIRE_MAX_FRAME bytes.  Returns its size, 0 if there is none. */
size_t xf_mirror_next(struct xf_mirror *, void *buffer);
bool xf_mirror_is_empty(const struct xf_mirror *);

void xf_mirror_get_stats(const struct xf_mirror *, struct xf_mirror_stats *);

/* The index of the management interface, 0 if it isn't known. */
uint32_t xf_mirror_management(const struct xf_mirror *);

#endif /* core/mirror.h */
