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

#include <config.h>

#include "core/prefix-trie.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* What the writer sees in 'slot'. */
static struct xf_trie_node *
slot_get(const xf_trie_slot *slot)
{
    return ovsrcu_get_protected(struct xf_trie_node *, slot);
}

static struct xf_trie_node *
child_get(const struct xf_trie_node *node, int i)
{
    return slot_get(&node->child[i]);
}

/* What a reader sees in 'slot'. */
static inline const struct xf_trie_node *
slot_read(const xf_trie_slot *slot)
{
    return ovsrcu_get(struct xf_trie_node *, slot);
}

/* Returns bit 'i' (0 is the first) of 'key'. */
static inline int
key_bit(struct xf_key key, uint8_t i)
{
    return (i < 64 ? key.hi >> (63 - i) : key.lo >> (127 - i)) & 1;
}

/* Returns how many leading bits 'a' and 'b' have in common, 0..128. */
static inline uint8_t
key_common(struct xf_key a, struct xf_key b)
{
    if (a.hi != b.hi) {
        return raw_clz64(a.hi ^ b.hi);
    }
    return a.lo != b.lo ? 64 + raw_clz64(a.lo ^ b.lo) : 128;
}

/* Returns how many leading bits of 'key' the prefix of 'node' covers, at most
 * its length. */
static inline uint8_t
node_common(const struct xf_trie_node *node, struct xf_key key)
{
    return MIN(node->len, key_common(xf_trie_node_key(node), key));
}

/* ---- Readers. ---- */

/* Finds the longest prefix in 'trie' that 'key' begins with. */
struct xf_trie_match
xf_trie_lookup(const struct xf_trie *trie, struct xf_key key)
{
    struct xf_trie_match match = { NULL, NULL, 0 };
    const struct xf_trie_node *node = slot_read(&trie->root);

    while (node) {
        uint8_t common = node_common(node, key);
        if (common < node->len) {
            match.n_bits = common + 1;
            break;
        }

        void *data = ovsrcu_get(void *, &node->data);
        if (data || node->final) {
            match.node = node;
            match.data = data;
        }
        match.n_bits = node->len;
        if (node->final || node->len == trie->n_bits) {
            break;
        }

        int bit = key_bit(key, node->len);
        const struct xf_trie_node *next = slot_read(&node->child[bit]);
        if (!next && slot_read(&node->child[!bit])) {
            match.n_bits++;     /* With the other bit it had gone on. */
        }
        node = next;
    }
    return match;
}

/* ---- Writer. ---- */

/* Initializes 'trie' for addresses of 'n_bits' (32 or 128) bits. */
void
xf_trie_init(struct xf_trie *trie, uint8_t n_bits, xf_retire_fn *retire,
             void *retire_aux)
{
    ovsrcu_init(&trie->root, NULL);
    trie->n_bits = n_bits;
    trie->n_nodes = 0;
    trie->retire = retire;
    trie->retire_aux = retire_aux;
}

static void
node_retire(struct xf_trie *trie, struct xf_trie_node *node)
{
    trie->n_nodes--;
    trie->retire(free, node, trie->retire_aux);
}

/* Retires all nodes.  What they held is the caller's. */
void
xf_trie_uninit(struct xf_trie *trie)
{
    struct xf_trie_node *stack[XF_TRIE_DEPTH + 1];
    size_t n = 0;
    struct xf_trie_node *root = slot_get(&trie->root);

    if (root) {
        stack[n++] = root;
    }
    ovsrcu_set(&trie->root, NULL);
    while (n) {
        struct xf_trie_node *node = stack[--n];
        for (int i = 0; i < 2; i++) {
            if (child_get(node, i)) {
                stack[n++] = child_get(node, i);
            }
        }
        node_retire(trie, node);
    }
}

/* Returns the memory that one node of 'trie' takes, in bytes. */
size_t
xf_trie_node_size(const struct xf_trie *trie)
{
    return (sizeof(struct xf_trie_node)
            + (trie->n_bits > 64 ? sizeof(uint64_t) : 0));
}

static struct xf_trie_node *
node_create(struct xf_trie *trie, struct xf_key key, uint8_t len)
{
    struct xf_trie_node *node = xmalloc(xf_trie_node_size(trie));

    key = xf_key_mask(key, len);
    for (int i = 0; i < 2; i++) {
        ovsrcu_init(&node->child[i], NULL);
    }
    ovsrcu_init(&node->data, NULL);
    node->hi = key.hi;
    if (trie->n_bits > 64) {
        node->lo[0] = key.lo;
    }
    node->len = len;
    node->final = false;
    trie->n_nodes++;
    return node;
}

/* Returns the node of exactly the prefix 'key'/'len' or NULL. */
struct xf_trie_node *
xf_trie_find(const struct xf_trie *trie, struct xf_key key, uint8_t len)
{
    struct xf_trie_node *node = slot_get(&trie->root);

    while (node && node->len < len && node_common(node, key) == node->len) {
        node = child_get(node, key_bit(key, node->len));
    }
    return (node && node->len == len && node_common(node, key) == len
            ? node : NULL);
}

/* Returns the topmost node whose prefix begins with 'key'/'len' (its own
 * included), or NULL.  Stores in 'above', which has room for XF_TRIE_DEPTH,
 * the nodes of shorter prefixes that 'key'/'len' begins with, shortest first,
 * and their number in '*n_above'. */
struct xf_trie_node *
xf_trie_subtree(const struct xf_trie *trie, struct xf_key key, uint8_t len,
                struct xf_trie_node *above[], size_t *n_above)
{
    struct xf_trie_node *node = slot_get(&trie->root);

    *n_above = 0;
    while (node && node->len < len && node_common(node, key) == node->len) {
        above[(*n_above)++] = node;
        node = child_get(node, key_bit(key, node->len));
    }
    return node && MIN(len, node_common(node, key)) == len ? node : NULL;
}

/* Returns the node of exactly the prefix 'key'/'len', which is created
 * (without datum) if it isn't there; the caller then gives it one, or prunes
 * it. */
struct xf_trie_node *
xf_trie_insert(struct xf_trie *trie, struct xf_key key, uint8_t len)
{
    xf_trie_slot *slot = &trie->root;
    struct xf_trie_node *node;
    uint8_t common = 0;

    for (;;) {
        node = slot_get(slot);
        if (!node) {
            break;
        }
        common = MIN(len, node_common(node, key));
        if (common < node->len) {
            break;
        }
        if (node->len == len) {
            return node;
        }
        slot = &node->child[key_bit(key, node->len)];
    }

    struct xf_trie_node *new = node_create(trie, key, len);
    struct xf_trie_node *top = new;
    if (node) {
        /* 'node' goes below the new one, or below a glue node beside it. */
        if (common < len) {
            top = node_create(trie, key, common);
            ovsrcu_set_hidden(&top->child[key_bit(key, common)], new);
        }
        int bit = key_bit(xf_trie_node_key(node), common);
        ovsrcu_set_hidden(&top->child[bit], node);
    }
    ovsrcu_set(slot, top);
    return new;
}

static bool
node_is_needed(const struct xf_trie_node *node)
{
    return (ovsrcu_get_protected(void *, &node->data) || node->final
            || (child_get(node, 0) && child_get(node, 1)));
}

/* Takes 'node' out if it holds nothing and isn't needed to tell two children
 * apart; likewise its parent, which may have become needless by that. */
void
xf_trie_prune(struct xf_trie *trie, const struct xf_trie_node *target)
{
    xf_trie_slot *slot = &trie->root;
    xf_trie_slot *parent_slot = NULL;
    struct xf_key key = xf_trie_node_key(target);
    struct xf_trie_node *parent = NULL;
    struct xf_trie_node *node;

    if (node_is_needed(target)) {
        return;
    }
    while ((node = slot_get(slot))
           != target) {
        ovs_assert(node && node->len < target->len);
        parent = node;
        parent_slot = slot;
        slot = &node->child[key_bit(key, node->len)];
    }

    struct xf_trie_node *only = child_get(node, 0) ? child_get(node, 0)
                                      : child_get(node, 1);
    if (!only && parent && !parent->final
        && !ovsrcu_get_protected(void *, &parent->data)) {
        /* The parent was glue: its other child takes its place. */
        ovsrcu_set(parent_slot,
                   child_get(parent, !key_bit(key, parent->len)));
        node_retire(trie, parent);
    } else {
        ovsrcu_set(slot, only);
    }
    node_retire(trie, node);
}

/* Calls 'cb' for each node that has a datum, in order of address, then length,
 * until it returns false.  'cb' must not change the trie. */
void
xf_trie_for_each(const struct xf_trie *trie,
                 bool (*cb)(struct xf_trie_node *, void *aux), void *aux)
{
    struct xf_trie_node *stack[XF_TRIE_DEPTH + 1];
    size_t n = 0;
    struct xf_trie_node *root = slot_get(&trie->root);

    if (root) {
        stack[n++] = root;
    }
    while (n) {
        struct xf_trie_node *node = stack[--n];
        for (int i = 1; i >= 0; i--) {
            if (child_get(node, i)) {
                stack[n++] = child_get(node, i);
            }
        }
        if (ovsrcu_get_protected(void *, &node->data) && !cb(node, aux)) {
            return;
        }
    }
}

/* Aborts if an invariant stated in the header is broken. */
void
xf_trie_check(const struct xf_trie *trie)
{
    const struct xf_trie_node *stack[XF_TRIE_DEPTH + 1];
    size_t n_nodes = 0;
    size_t n = 0;
    struct xf_trie_node *root = slot_get(&trie->root);

    if (root) {
        stack[n++] = root;
    }
    while (n) {
        const struct xf_trie_node *node = stack[--n];
        struct xf_key key = xf_trie_node_key(node);
        struct xf_key masked = xf_key_mask(key, node->len);

        n_nodes++;
        ovs_assert(node->len <= trie->n_bits);
        ovs_assert(key.hi == masked.hi && key.lo == masked.lo);
        ovs_assert(node_is_needed(node));
        for (int i = 0; i < 2; i++) {
            const struct xf_trie_node *child = child_get(node, i);
            if (child) {
                ovs_assert(child->len > node->len);
                struct xf_key child_key = xf_trie_node_key(child);

                ovs_assert(node_common(node, child_key) == node->len);
                ovs_assert(key_bit(child_key, node->len) == i);
                stack[n++] = child;
            }
        }
    }
    ovs_assert(n_nodes == trie->n_nodes);
}

/* ---- Keys. ---- */

/* Returns 'addr' (IPv4 as v4-mapped) as a key of its family. */
struct xf_key
xf_key_from_addr(const struct in6_addr *addr)
{
    uint64_t word[4];

    for (int i = 0; i < 4; i++) {
        uint32_t be_word;

        memcpy(&be_word, &addr->s6_addr[i * 4], sizeof be_word);
        word[i] = ntohl(be_word);
    }
    if (xf_addr_is_v4(addr)) {
        return (struct xf_key) { word[3] << 32, 0 };
    }
    return (struct xf_key) { word[0] << 32 | word[1],
                             word[2] << 32 | word[3] };
}

/* Returns 'key' as an address, v4-mapped if 'is_v4'. */
struct in6_addr
xf_key_to_addr(struct xf_key key, bool is_v4)
{
    uint32_t word[4] = { key.hi >> 32, key.hi, key.lo >> 32, key.lo };
    struct in6_addr addr;

    if (is_v4) {
        word[3] = word[0];
        word[2] = 0xffff;
        word[0] = word[1] = 0;
    }
    for (int i = 0; i < 4; i++) {
        uint32_t be_word = htonl(word[i]);

        memcpy(&addr.s6_addr[i * 4], &be_word, sizeof be_word);
    }
    return addr;
}

/* Returns 'key' with zeros beyond 'len' bits. */
struct xf_key
xf_key_mask(struct xf_key key, uint8_t len)
{
    if (len < 64) {
        key.hi = len ? key.hi & (UINT64_MAX << (64 - len)) : 0;
        key.lo = 0;
    } else if (len < 128) {
        key.lo = len > 64 ? key.lo & (UINT64_MAX << (128 - len)) : 0;
    }
    return key;
}
