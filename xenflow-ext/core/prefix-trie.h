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

#ifndef XF_CORE_PREFIX_TRIE_H
#define XF_CORE_PREFIX_TRIE_H 1

/* Path-compressed binary trie of address prefixes.
 * ================================================
 *
 * What
 * ----
 * Maps prefixes of one family to a datum each and finds the longest prefix of
 * an address, together with the number of leading address bits that decided.
 *
 * Why this structure
 * ------------------
 * A walk compares bits strictly from the first to the last, so the place where
 * it ends *is* the number of bits that decided.  A node holds its whole
 * prefix, so nothing is ever copied or rewritten when the neighbourhood
 * changes: an update publishes exactly one pointer, which makes readers
 * lock-free.
 *
 * Shape
 * -----
 * A node has a datum, or two children ("glue"), or both.  Keys are in host
 * order, left-aligned in 128 bits; nodes of a 32-bit trie store the upper half
 * only.
 *
 * Cost
 * ----
 * Lookup and update: one node per bit of the address at most.  40 bytes per
 * node (IPv4) or 48 (IPv6); n prefixes need less than 2n nodes.
 *
 * Invariants
 * ----------
 * - A child's prefix is longer than its parent's, begins with it, and its next
 *   bit is the child's index.
 * - A node without datum that isn't final has two children.
 * - Nothing under a 'final' node is ever returned by a lookup.
 *
 * Threads
 * -------
 * One writer; xf_trie_lookup() from any thread in an RCU read-side section.
 * Removed nodes go to the 'retire' callback.
 *
 * Source: D. R. Morrison, "PATRICIA", J. ACM 15(4), 1968; we store prefixes at
 * inner nodes and compare during the descent instead of after it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rule-table.h"
#include "ovs-rcu.h"
#include "util.h"

/* An address in host order: bit 0 is the highest bit of 'hi'.  IPv4 fills the
 * upper half of 'hi' only. */
struct xf_key {
    uint64_t hi;
    uint64_t lo;
};

struct xf_key xf_key_from_addr(const struct in6_addr *);
struct in6_addr xf_key_to_addr(struct xf_key, bool is_v4);
struct xf_key xf_key_mask(struct xf_key, uint8_t len);

/* Deepest possible chain of nodes: one per length 0..128. */
#define XF_TRIE_DEPTH 129

/* A place where readers find a node. */
struct xf_trie_node;
typedef OVSRCU_TYPE(struct xf_trie_node *) xf_trie_slot;

struct xf_trie_node {
    xf_trie_slot child[2];      /* By bit number 'len'. */
    OVSRCU_TYPE(void *) data;   /* The caller's; NULL: glue. */
    uint64_t hi;                /* Key, bits 0..63; zeros beyond 'len'. */
    uint8_t len;                /* Prefix length in bits. */
    bool final;                 /* Hides everything below. */
    uint64_t lo[];              /* Key, bits 64..127, in 128-bit tries. */
};

/* The prefix of 'node', left-aligned.  The lower half is read only where it
 * was allocated. */
static inline struct xf_key
xf_trie_node_key(const struct xf_trie_node *node)
{
    return (struct xf_key) { node->hi, node->len > 64 ? node->lo[0] : 0 };
}

struct xf_trie {
    xf_trie_slot root;
    uint8_t n_bits;             /* 32 or 128. */
    size_t n_nodes;
    xf_retire_fn *retire;
    void *retire_aux;
};

/* ---- Writer. ---- */
void xf_trie_init(struct xf_trie *, uint8_t n_bits, xf_retire_fn *,
                  void *retire_aux);
void xf_trie_uninit(struct xf_trie *);
struct xf_trie_node *xf_trie_insert(struct xf_trie *, struct xf_key,
                                    uint8_t len);
struct xf_trie_node *xf_trie_find(const struct xf_trie *, struct xf_key,
                                  uint8_t len);
struct xf_trie_node *xf_trie_subtree(const struct xf_trie *, struct xf_key,
                                     uint8_t len,
                                     struct xf_trie_node *above[],
                                     size_t *n_above);
void xf_trie_prune(struct xf_trie *, const struct xf_trie_node *);
void xf_trie_for_each(const struct xf_trie *,
                      bool (*cb)(struct xf_trie_node *, void *aux),
                      void *aux);
size_t xf_trie_node_size(const struct xf_trie *);
void xf_trie_check(const struct xf_trie *);

/* ---- Readers (any thread, RCU). ---- */

struct xf_trie_match {
    const struct xf_trie_node *node; /* NULL if no prefix matched. */
    void *data;                 /* The node's datum when it was seen. */
    uint8_t n_bits;             /* Leading bits that decided. */
};
struct xf_trie_match xf_trie_lookup(const struct xf_trie *, struct xf_key);

#endif /* core/prefix-trie.h */
