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

#ifndef XF_CORE_FIB_H
#define XF_CORE_FIB_H 1

/* Longest-prefix match for the datapath, one family.
 * ==================================================
 *
 * What
 * ----
 * The compiled form of a prefix trie (core/prefix-trie.h): for a batch of
 * destinations it finds the value of the longest prefix of each.  The trie
 * stays the only place where prefixes are held; after a change there, the
 * writer says which prefix changed, and the nodes concerned are made anew from
 * the trie.
 *
 * Why this structure
 * ------------------
 * A multibit trie of 8-bit strides.  A node maps the 256 values of its stride
 * to entries and holds each run of equal entries once: a bit vector marks
 * where runs begin, and counting its bits finds the entry.  A table of ten
 * routes is a few cache lines.  A full Internet table is a third of what
 * direct indexing takes, so that more of it stays in the caches.  Large
 * tables begin with a plain array of the first 16 bits.
 *
 * An entry of a prefix that ends above its node isn't copied down: where a
 * node says nothing, the value that holds for the whole node ('dflt') counts.
 * So a change of a short prefix touches no entries below it, only that one
 * word of the nodes there.
 *
 * Shape
 * -----
 * Values are nonzero and less than 2**63; what they mean is the caller's.
 * 0 is the answer where no prefix matches.
 *
 * Cost
 * ----
 * Lookup: at most 4 nodes (IPv4) or 16 (IPv6), two cache lines each; a batch
 * is looked up level by level, each level prefetched for all.  Update of a
 * prefix of length l: the trie below its node's stride is walked, at most 256
 * entries are written, and 'dflt' of the nodes that hang below.  Memory: 80
 * bytes per node, 8 per run, and 512 kB for the array.  Figures are in
 * Documentation/topics/fib.rst.
 *
 * Invariants
 * ----------
 * - A reader finds for each destination a value that held at some time during
 *   its lookup, never anything in between: one word or pointer is published
 *   at a time, and see struct fib_node for two updates in a row.
 * - Equal tries give equal tables whatever the order of updates was
 *   (xf_fib_check() compares with the trie).
 *
 * Threads
 * -------
 * One writer, the trie's.  Lookups in any thread in an RCU read-side section.
 * Removed nodes go to the 'retire' callback; the memory of 'alloc' must be
 * releasable in whatever thread that calls them back.
 *
 * Source: M. Degermark et al., "Small Forwarding Tables for Fast Routing
 * Lookups", SIGCOMM 1997 (bit vectors over runs); V. Srinivasan, G. Varghese,
 * "Fast Address Lookups Using Controlled Prefix Expansion", ACM TOCS 17(1),
 * 1999 (fixed strides). */

#include <stddef.h>
#include <stdint.h>

#include "core/prefix-trie.h"
#include "ovs-atomic.h"

/* Where nodes live.  'alloc' returns 'size' bytes aligned as by malloc(), or
 * aborts; 'release' takes them back, in any thread.  Large tables want huge
 * pages (Documentation/topics/fib.rst). */
struct xf_fib_mem {
    void *(*alloc)(size_t size, void *aux);
    void (*release)(void *p, size_t size, void *aux);
    void *aux;
};

/* The value of a trie node that has a datum or is 'final'; 0: as if it weren't
 * there (and hid nothing). */
typedef uint64_t xf_fib_value_fn(const struct xf_trie_node *, void *aux);

struct xf_fib;

/* ---- Writer. ---- */

/* Returns the compiled form of 'trie', which must live longer.  'mem' is
 * copied; NULL: the heap.  Retired memory goes to 'retire' with
 * 'retire_aux'. */
struct xf_fib *xf_fib_create(const struct xf_trie *trie, xf_fib_value_fn *,
                             void *value_aux, const struct xf_fib_mem *mem,
                             xf_retire_fn *, void *retire_aux);
/* Retires all of 'fib'; NULL is accepted. */
void xf_fib_destroy(struct xf_fib *);

/* The value of prefix 'key'/'len' changed, or it came into the trie, or left
 * it.  Where several prefixes changed before, each needs its own call, in any
 * order. */
void xf_fib_update(struct xf_fib *, struct xf_key key, uint8_t len);

struct xf_fib_usage {
    size_t n_nodes;
    size_t n_entries;           /* Of nodes: runs. */
    size_t n_bytes;             /* Retired memory not counted. */
};
void xf_fib_get_usage(const struct xf_fib *, struct xf_fib_usage *);

/* Aborts with a message if a structural invariant is broken or an answer isn't
 * the trie's (for tests). */
void xf_fib_check(const struct xf_fib *);

/* ---- Readers (any thread, RCU). ---- */

#define XF_FIB_BATCH 32         /* Most destinations of one call. */

/* Where lookups in a large table start: words by the first 16 bits of the
 * address.  NULL: in this one they don't.  Good for one RCU read-side section. */
const atomic_uint64_t *xf_fib_start(const struct xf_fib *);

/* Fetches what xf_fib_lookup_v4() of 'dst' will read first. */
static inline void
xf_fib_prefetch_v4(const atomic_uint64_t *start, uint32_t dst)
{
    if (start) {
        OVS_PREFETCH(&start[dst >> 16]);
    }
}

/* Stores the values for the 'n' (1 to XF_FIB_BATCH) IPv4 addresses 'dst' (host
 * byte order), each in its own table. */
void xf_fib_lookup_v4(const struct xf_fib *const fibs[], const uint32_t dst[],
                      uint64_t values[], size_t n);
/* The same for IPv6. */
void xf_fib_lookup_v6(const struct xf_fib *const fibs[],
                      const struct in6_addr *dst[], uint64_t values[],
                      size_t n);

#endif /* core/fib.h */
