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

#include "core/fib-private.h"

/* Compares the longest-prefix match with the trie, slot by slot, for tests.
 * What a slot must say is looked up in the trie each time by itself, so that
 * nothing is shared with the painting of fib.c. */

/* Where a check is, and what it has counted. */
struct check {
    const struct xf_fib *fib;
    struct xf_fib_usage usage;
};

/* What the trie says for a slot. */
struct slot_truth {
    uint64_t own;               /* Longest prefix that ends in the node; 0. */
    bool longer;                /* Longer ones begin with the slot. */
};

/* Returns what the trie says of prefixes longer than 'base' for the slot
 * 'key'/'len'. */
static struct slot_truth
slot_truth(const struct xf_fib *fib, struct xf_key key, uint8_t base,
           uint8_t len)
{
    struct slot_truth truth = { 0, false };
    struct xf_trie_node *nodes[XF_TRIE_DEPTH + 1];
    size_t n;
    struct xf_trie_node *top = xf_trie_subtree(fib->trie, key, len, nodes, &n);

    if (top && top->len == len) {
        nodes[n++] = top;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t value = fib_trie_value(fib, nodes[i]);

        if (value) {
            truth.own = nodes[i]->len > base ? value : 0;
            if (nodes[i]->final) {
                return truth;
            }
        }
    }
    truth.longer = top && fib_trie_has_longer(fib, top, len);
    return truth;
}

/* Returns 'key' with 'slot' in the place that the node at 'level' tells. */
static struct xf_key
key_with_slot(struct xf_key key, size_t level, uint8_t slot)
{
    if (level < 8) {
        key.hi |= (uint64_t) slot << (56 - 8 * level);
    } else {
        key.lo |= (uint64_t) slot << (120 - 8 * level);
    }
    return key;
}

/* Looks up the first address of 'key' as readers do. */
static uint64_t
answer(const struct xf_fib *fib, struct xf_key key)
{
    uint64_t value;

    if (fib->trie->n_bits == 32) {
        uint32_t dst = key.hi >> 32;

        xf_fib_lookup_v4(&fib, &dst, &value, 1);
    } else {
        struct in6_addr addr = xf_key_to_addr(key, false);
        const struct in6_addr *dst = &addr;

        xf_fib_lookup_v6(&fib, &dst, &value, 1);
    }
    return value;
}

/* Checks the runs of 'node' alone. */
static void
check_runs(const struct fib_node *node)
{
    size_t n_entries = 0;
    size_t n_children = 0;

    ovs_assert(node->words[0] & 1);
    for (size_t i = 0; i < FIB_N_WORDS; i++) {
        ovs_assert(node->words[i] >> 32 == n_entries);
        n_entries += __builtin_popcountll(node->words[i] & UINT32_MAX);
    }
    ovs_assert(node->n_entries == n_entries);
    ovs_assert(n_entries > 1 || fib_read(&node->entries[0]));
    for (size_t i = 0; i < n_entries; i++) {
        uint64_t entry = fib_read(&node->entries[i]);

        ovs_assert(!i || entry != fib_read(&node->entries[i - 1]));
        n_children += fib_is_child(entry);
    }
    ovs_assert(node->n_children == n_children);
}

/* Checks 'node' at 'level', which all of 'key' leads to, and all below. */
static void
check_node(struct check *check, const struct fib_node *node,
           struct xf_key key, size_t level)
{
    uint64_t dflt = fib_read(&node->dflt);
    uint8_t base = level * FIB_STRIDE;

    ovs_assert(base < check->fib->trie->n_bits);
    check_runs(node);
    check->usage.n_nodes++;
    check->usage.n_entries += node->n_entries;
    check->usage.n_bytes += fib_node_size(node->n_entries);
    for (size_t i = 0; i < FIB_SLOTS; i++) {
        struct xf_key slot_key = key_with_slot(key, level, i);
        struct slot_truth truth = slot_truth(check->fib, slot_key, base,
                                             base + FIB_STRIDE);
        uint64_t value = truth.own ? truth.own : dflt;
        uint64_t entry = fib_entry(node, i);

        ovs_assert(fib_is_child(entry) == truth.longer);
        if (truth.longer) {
            const struct fib_node *child = fib_child(entry);

            ovs_assert(child->inherits == !truth.own);
            ovs_assert(fib_read(&child->dflt) == value);
            check_node(check, child, slot_key, level + 1);
        } else {
            ovs_assert(entry == truth.own);
            ovs_assert(answer(check->fib, slot_key) == value);
        }
    }
}

/* Checks that the array is there if it should, and says what nodes do. */
static void
check_array(struct check *check)
{
    const struct xf_fib *fib = check->fib;
    const struct fib_array *array = ovsrcu_get_protected(struct fib_array *,
                                                         &fib->array);

    ovs_assert(array ? fib->trie->n_nodes >= FIB_ARRAY_OFF
               : fib->trie->n_nodes < FIB_ARRAY_ON);
    if (!array) {
        return;
    }
    check->usage.n_bytes += sizeof *array;
    for (size_t i = 0; i < FIB_ARRAY_SLOTS; i++) {
        uint64_t entry = fib_read(&fib->root);

        for (size_t j = 0; j < FIB_ARRAY_LEVEL && fib_is_child(entry); j++) {
            const struct fib_node *node = fib_child(entry);

            entry = fib_entry(node, j ? i % FIB_SLOTS : i / FIB_SLOTS);
            entry = entry ? entry : fib_read(&node->dflt);
        }
        ovs_assert(fib_read(&array->entries[i]) == entry);
    }
}

void
xf_fib_check(const struct xf_fib *fib)
{
    struct check check = { fib, { 0, 0, 0 } };
    struct xf_key zero = { 0, 0 };
    uint64_t root = fib_read(&fib->root);
    struct xf_trie_node *top = ovsrcu_get_protected(struct xf_trie_node *,
                                                    &fib->trie->root);
    uint64_t own = top && !top->len ? fib_trie_value(fib, top) : 0;
    bool longer = (!(own && top->final)
                   && fib_trie_has_longer(fib, top, 0));

    ovs_assert(fib_is_child(root) == longer);
    if (longer) {
        ovs_assert(fib_child(root)->inherits == !own);
        ovs_assert(fib_read(&fib_child(root)->dflt) == own);
        check_node(&check, fib_child(root), zero, 0);
    } else {
        ovs_assert(root == own);
        ovs_assert(answer(fib, zero) == own);
    }
    check_array(&check);
    ovs_assert(check.usage.n_nodes == fib->usage.n_nodes);
    ovs_assert(check.usage.n_entries == fib->usage.n_entries);
    ovs_assert(check.usage.n_bytes == fib->usage.n_bytes);
}
