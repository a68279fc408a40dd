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

#include <stdlib.h>
#include <string.h>

/* The writer's half of the longest-prefix match.
 *
 * An update paints the slots that the prefix covers in its node: first what a
 * shorter prefix of the same node says, over it each prefix that begins with
 * this one, parents before children, as the trie has them.  Then the node is
 * written: in place if all runs stay where they are, else as a new node that
 * takes the old one's place with one store.  A node that holds nothing more
 * goes, and so may those above it.  What readers can't reach any more is
 * retired last. */

/* What the trie says for the 256 slots of a node. */
struct canvas {
    uint64_t values[FIB_SLOTS]; /* Of prefixes that end in the node; or 0. */
    const struct xf_trie_node *below[FIB_SLOTS]; /* Has longer ones. */
};

/* The runs of 256 slots. */
struct runs {
    uint64_t words[FIB_N_WORDS]; /* As in struct fib_node. */
    uint64_t entries[FIB_SLOTS];
    uint16_t n;
    uint16_t n_children;
};

/* The nodes on the way to a prefix, from the root's on. */
struct path {
    struct fib_node *nodes[FIB_MAX_LEVELS];
    size_t n;
};

static void
entry_set(atomic_uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static uint64_t
child_entry(const struct fib_node *node)
{
    return node ? (uintptr_t) node | FIB_CHILD : 0;
}

/* ---- Memory. ---- */

/* Memory of the caller's that waits for readers to leave it. */
struct piece {
    struct xf_fib_mem mem;
    void *p;
    size_t size;
};

static void *
fib_alloc(struct xf_fib *fib, size_t size)
{
    fib->usage.n_bytes += size;
    return (fib->has_mem ? fib->mem.alloc(size, fib->mem.aux)
            : xmalloc(size));
}

static void
piece_release(void *piece_)
{
    struct piece *piece = piece_;

    piece->mem.release(piece->p, piece->size, piece->mem.aux);
    free(piece);
}

static void
fib_retire(struct xf_fib *fib, void *p, size_t size)
{
    fib->usage.n_bytes -= size;
    if (fib->has_mem) {
        struct piece *piece = xmalloc(sizeof *piece);

        *piece = (struct piece) { fib->mem, p, size };
        fib->retire(piece_release, piece, fib->retire_aux);
    } else {
        fib->retire(free, p, fib->retire_aux);
    }
}

static void
node_retire(struct xf_fib *fib, struct fib_node *node)
{
    fib->usage.n_nodes--;
    fib->usage.n_entries -= node->n_entries;
    fib_retire(fib, node, fib_node_size(node->n_entries));
}

/* Retires the nodes that 'entry' leads to, if it does. */
static void
subtree_retire(struct xf_fib *fib, uint64_t entry)
{
    if (!fib_is_child(entry)) {
        return;
    }

    struct fib_node *node = fib_child(entry);
    for (size_t i = 0; node->n_children && i < node->n_entries; i++) {
        subtree_retire(fib, fib_read(&node->entries[i]));
    }
    node_retire(fib, node);
}

/* ---- Nodes. ---- */

/* (Neither this nor node_expand() branches on what is in the slots: together
 * they are most of an update.) */
static void
runs_init(struct runs *runs, const uint64_t slots[FIB_SLOTS])
{
    uint64_t last = ~slots[0];  /* Slot 0 always begins a run. */

    runs->n = runs->n_children = 0;
    for (size_t i = 0; i < FIB_N_WORDS; i++) {
        const uint64_t *word_slots = &slots[i * FIB_WORD_SLOTS];
        uint32_t starts = 0;

        for (size_t j = 0; j < FIB_WORD_SLOTS; j++) {
            starts |= (uint32_t) (word_slots[j] != last) << j;
            last = word_slots[j];
        }
        runs->words[i] = (uint64_t) runs->n << 32 | starts;
        for (; starts; starts = zero_rightmost_1bit(starts)) {
            uint64_t entry = word_slots[raw_ctz(starts)];

            runs->entries[runs->n++] = entry;
            runs->n_children += fib_is_child(entry);
        }
    }
}

static struct fib_node *
node_create(struct xf_fib *fib, const struct runs *runs, uint64_t dflt,
            bool inherits)
{
    struct fib_node *node = fib_alloc(fib, fib_node_size(runs->n));

    memcpy(node->words, runs->words, sizeof node->words);
    node->n_entries = runs->n;
    node->n_children = runs->n_children;
    node->inherits = inherits;
    atomic_init(&node->dflt, dflt);
    for (size_t i = 0; i < runs->n; i++) {
        atomic_init(&node->entries[i], runs->entries[i]);
    }
    fib->usage.n_nodes++;
    fib->usage.n_entries += runs->n;
    return node;
}

/* Stores the entry of each slot of 'node' in 'slots'. */
static void
node_expand(const struct fib_node *node, uint64_t slots[FIB_SLOTS])
{
    size_t run = SIZE_MAX;      /* Slot 0 begins run 0. */

    for (size_t i = 0; i < FIB_SLOTS; i++) {
        run += *fib_word(node, i) >> i % FIB_WORD_SLOTS & 1;
        slots[i] = fib_read(&node->entries[run]);
    }
}

/* Makes 'node' say 'runs' where it stands, unless runs begin elsewhere or one
 * that was nothing would get an entry (see struct fib_node). */
static bool
node_rewrite(struct fib_node *node, const struct runs *runs)
{
    if (memcmp(node->words, runs->words, sizeof node->words)) {
        return false;
    }
    for (size_t i = 0; i < runs->n; i++) {
        if (!fib_read(&node->entries[i]) && runs->entries[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < runs->n; i++) {
        if (fib_read(&node->entries[i]) != runs->entries[i]) {
            entry_set(&node->entries[i], runs->entries[i]);
        }
    }
    node->n_children = runs->n_children;
    return true;
}

/* Where nothing is said in 'node' or below, 'dflt' holds from now on, which is
 * the parent's too if 'inherits'. */
static void
node_set_dflt(struct fib_node *node, uint64_t dflt, bool inherits)
{
    node->inherits = inherits;
    if (fib_read(&node->dflt) == dflt) {
        return;
    }
    entry_set(&node->dflt, dflt);
    for (size_t i = 0; node->n_children && i < node->n_entries; i++) {
        uint64_t entry = fib_read(&node->entries[i]);

        if (fib_is_child(entry) && fib_child(entry)->inherits) {
            node_set_dflt(fib_child(entry), dflt, true);
        }
    }
}

/* ---- From the trie. ---- */

static const struct xf_trie_node *
trie_child(const struct xf_trie_node *node, int i)
{
    return ovsrcu_get_protected(struct xf_trie_node *, &node->child[i]);
}

/* Walks the trie from its topmost node that is asked for, a prefix before the
 * longer ones that begin with it. */
struct walk {
    const struct xf_trie_node *stack[XF_TRIE_DEPTH + 1];
    size_t n;
};

static void
walk_init(struct walk *walk, const struct xf_trie_node *top)
{
    walk->n = 0;
    if (top) {
        walk->stack[walk->n++] = top;
    }
}

static void
walk_push_children(struct walk *walk, const struct xf_trie_node *node)
{
    for (int i = 1; i >= 0; i--) {
        if (trie_child(node, i)) {
            walk->stack[walk->n++] = trie_child(node, i);
        }
    }
}

/* Returns whether a prefix longer than 'len' counts in 'top' or below. */
bool
fib_trie_has_longer(const struct xf_fib *fib, const struct xf_trie_node *top,
                    uint8_t len)
{
    struct walk walk;

    walk_init(&walk, top);
    while (walk.n) {
        const struct xf_trie_node *node = walk.stack[--walk.n];

        if (node->len > len && fib_trie_value(fib, node)) {
            return true;
        }
        walk_push_children(&walk, node);
    }
    return false;
}

/* Paints what 'top' and the trie's nodes below it say for the node at
 * 'level'. */
static void
canvas_paint(const struct xf_fib *fib, struct canvas *c,
             const struct xf_trie_node *top, size_t level)
{
    uint8_t base = level * FIB_STRIDE;
    struct walk walk;

    walk_init(&walk, top);
    while (walk.n) {
        const struct xf_trie_node *node = walk.stack[--walk.n];
        uint8_t slot = fib_slot(xf_trie_node_key(node), level);
        uint64_t value = (node->len > base && node->len <= base + FIB_STRIDE
                          ? fib_trie_value(fib, node) : 0);

        if (value) {
            size_t n = 1 << (base + FIB_STRIDE - node->len);

            for (size_t i = 0; i < n; i++) {
                c->values[slot + i] = value;
            }
            if (node->final) {
                continue;
            }
        }
        if (node->len < base + FIB_STRIDE) {
            walk_push_children(&walk, node);
        } else if (fib_trie_has_longer(fib, node, base + FIB_STRIDE)) {
            c->below[slot] = node;
        }
    }
}

/* Builds the node at 'level' and those below it from 'top' of the trie and
 * what is below that.  There is something. */
static struct fib_node *
build(struct xf_fib *fib, const struct xf_trie_node *top, size_t level,
      uint64_t dflt, bool inherits)
{
    struct runs runs;
    struct canvas c;

    memset(&c, 0, sizeof c);
    canvas_paint(fib, &c, top, level);
    for (size_t i = 0; i < FIB_SLOTS; i++) {
        if (c.below[i]) {
            uint64_t own = c.values[i];

            c.values[i] = child_entry(build(fib, c.below[i], level + 1,
                                            own ? own : dflt, !own));
        }
    }
    runs_init(&runs, c.values);
    return node_create(fib, &runs, dflt, inherits);
}

/* Returns what becomes of 'entry', which stands in a slot of a node with
 * 'dflt' above 'level', where prefixes that end in it say 'own' and 'below'
 * has longer ones if it isn't NULL. */
static uint64_t
entry_renew(struct xf_fib *fib, uint64_t entry, uint64_t own,
            const struct xf_trie_node *below, size_t level, uint64_t dflt)
{
    if (!below) {
        return own;
    }
    if (!fib_is_child(entry)) {
        return child_entry(build(fib, below, level, own ? own : dflt, !own));
    }
    node_set_dflt(fib_child(entry), own ? own : dflt, !own);
    return entry;
}

/* ---- The array of the first 16 bits. ---- */

static uint64_t
entry_or_dflt(const struct fib_node *node, uint8_t slot)
{
    uint64_t entry = fib_entry(node, slot);

    return entry ? entry : fib_read(&node->dflt);
}

/* Makes 'array' say what the nodes do in the 'n' slots from 'first' on. */
static void
array_sync(const struct xf_fib *fib, struct fib_array *array, size_t first,
           size_t n)
{
    uint64_t root = fib_read(&fib->root);

    for (size_t i = first; i < first + n; i++) {
        uint64_t entry = root;

        if (fib_is_child(entry)) {
            entry = entry_or_dflt(fib_child(entry), i >> FIB_STRIDE);
        }
        if (fib_is_child(entry)) {
            entry = entry_or_dflt(fib_child(entry), i % FIB_SLOTS);
        }
        if (fib_read(&array->entries[i]) != entry) {
            entry_set(&array->entries[i], entry);
        }
    }
}

/* Brings the array in step after a change of 'key'/'len', and makes it or
 * drops it as the table has grown or shrunk. */
static void
array_update(struct xf_fib *fib, struct xf_key key, uint8_t len)
{
    struct fib_array *array = ovsrcu_get_protected(struct fib_array *,
                                                   &fib->array);

    if (!array && fib->trie->n_nodes >= FIB_ARRAY_ON) {
        array = fib_alloc(fib, sizeof *array);
        for (size_t i = 0; i < FIB_ARRAY_SLOTS; i++) {
            atomic_init(&array->entries[i], 0);
        }
        array_sync(fib, array, 0, FIB_ARRAY_SLOTS);
        ovsrcu_set(&fib->array, array);
    } else if (array && fib->trie->n_nodes < FIB_ARRAY_OFF) {
        ovsrcu_set(&fib->array, NULL);
        fib_retire(fib, array, sizeof *array);
    } else if (array) {
        array_sync(fib, array, key.hi >> (64 - FIB_ARRAY_BITS),
                   1 << (FIB_ARRAY_BITS - MIN(len, FIB_ARRAY_BITS)));
    }
}

/* ---- Updates. ---- */

/* Nodes that are out of the tree, but not yet out of the array. */
struct leftovers {
    struct fib_node *nodes[FIB_MAX_LEVELS];
    size_t n;
};

/* Makes the node at 'level' of 'path', the way to 'key', say 'slots', and
 * changes those above it as needed.  The change is there for readers with the
 * last store. */
static void
publish(struct xf_fib *fib, const struct path *path, size_t level,
        struct xf_key key, uint64_t slots[FIB_SLOTS], struct leftovers *left)
{
    for (;;) {
        struct fib_node *node = path->nodes[level];
        uint64_t dflt = fib_read(&node->dflt);
        uint64_t entry = node->inherits ? 0 : dflt;
        struct runs runs;

        runs_init(&runs, slots);
        if (runs.n > 1 || runs.entries[0]) {
            if (node_rewrite(node, &runs)) {
                return;
            }
            entry = child_entry(node_create(fib, &runs, dflt,
                                            node->inherits));
        }
        left->nodes[left->n++] = node;
        if (!level) {
            entry_set(&fib->root, entry);
            return;
        }

        struct fib_node *parent = path->nodes[--level];
        uint8_t slot = fib_slot(key, level);
        if (fib_is_child(entry)) {
            entry_set(&parent->entries[fib_run(parent, slot)], entry);
            return;
        }
        node_expand(parent, slots);
        slots[slot] = entry;
    }
}

/* Paints on 'c', in the 'n' slots from 'first' on, what the trie says for
 * 'key'/'len' in the node at 'level'. */
static void
canvas_init(const struct xf_fib *fib, struct canvas *c, size_t level,
            struct xf_key key, uint8_t len, size_t first, size_t n)
{
    struct xf_trie_node *above[XF_TRIE_DEPTH];
    size_t n_above;
    const struct xf_trie_node *top = xf_trie_subtree(fib->trie, key, len,
                                                     above, &n_above);
    uint64_t cover = 0;

    for (size_t i = 0; i < n_above; i++) {
        uint64_t value = fib_trie_value(fib, above[i]);

        if (value) {
            cover = above[i]->len > level * FIB_STRIDE ? value : 0;
            if (above[i]->final) {
                top = NULL;
                break;
            }
        }
    }
    for (size_t i = first; i < first + n; i++) {
        c->values[i] = cover;
        c->below[i] = NULL;
    }
    canvas_paint(fib, c, top, level);
}

/* Makes the slots of 'key'/'len' in the node at 'level', the last of 'path',
 * anew from the trie. */
static void
update_node(struct xf_fib *fib, const struct path *path, size_t level,
            struct xf_key key, uint8_t len)
{
    const struct fib_node *node = path->nodes[level];
    size_t first = fib_slot(key, level);
    size_t n = 1 << ((level + 1) * FIB_STRIDE - len);
    uint64_t dflt = fib_read(&node->dflt);
    uint64_t before[FIB_SLOTS];
    uint64_t slots[FIB_SLOTS];
    struct leftovers left;
    struct canvas c;

    node_expand(node, slots);
    canvas_init(fib, &c, level, key, len, first, n);
    for (size_t i = first; i < first + n; i++) {
        before[i] = slots[i];
        slots[i] = entry_renew(fib, slots[i], c.values[i], c.below[i],
                               level + 1, dflt);
        if (slots[i] == before[i]) {
            before[i] = 0;      /* Isn't to be retired. */
        }
    }

    left.n = 0;
    publish(fib, path, level, key, slots, &left);
    array_update(fib, key, len);
    for (size_t i = first; i < first + n; i++) {
        subtree_retire(fib, before[i]);
    }
    for (size_t i = 0; i < left.n; i++) {
        node_retire(fib, left.nodes[i]);
    }
}

/* Makes the root anew from the trie, in which /0 or all has changed. */
static void
update_root(struct xf_fib *fib)
{
    const struct xf_trie_node *top = ovsrcu_get_protected(
        struct xf_trie_node *, &fib->trie->root);
    uint64_t old = fib_read(&fib->root);
    uint64_t own = top && !top->len ? fib_trie_value(fib, top) : 0;
    bool hidden = own && top->final;
    bool longer = !hidden && fib_trie_has_longer(fib, top, 0);
    uint64_t new = entry_renew(fib, old, own, longer ? top : NULL, 0, 0);

    entry_set(&fib->root, new);
    array_update(fib, (struct xf_key) { 0, 0 }, 0);
    if (new != old) {
        subtree_retire(fib, old);
    }
}

void
xf_fib_update(struct xf_fib *fib, struct xf_key key, uint8_t len)
{
    uint64_t entry = fib_read(&fib->root);
    struct path path;

    ovs_assert(len <= fib->trie->n_bits);
    key = xf_key_mask(key, len);
    for (path.n = 0; fib_is_child(entry) && path.n * FIB_STRIDE < len; ) {
        struct fib_node *node = fib_child(entry);

        path.nodes[path.n] = node;
        entry = fib_entry(node, fib_slot(key, path.n++));
    }
    if (path.n) {
        /* In the node where the prefix ends, or where one is to be built that
         * leads there. */
        update_node(fib, &path, path.n - 1, key,
                    MIN(len, path.n * FIB_STRIDE));
    } else {
        update_root(fib);
    }
}

/* ---- Life. ---- */

struct xf_fib *
xf_fib_create(const struct xf_trie *trie, xf_fib_value_fn *value,
              void *value_aux, const struct xf_fib_mem *mem,
              xf_retire_fn *retire, void *retire_aux)
{
    struct xf_fib *fib = xzalloc(sizeof *fib);

    atomic_init(&fib->root, 0);
    ovsrcu_init(&fib->array, NULL);
    fib_use_lookup(fib, 0);
    fib->trie = trie;
    fib->value = value;
    fib->value_aux = value_aux;
    if (mem) {
        fib->has_mem = true;
        fib->mem = *mem;
    }
    fib->retire = retire;
    fib->retire_aux = retire_aux;
    update_root(fib);
    return fib;
}

void
xf_fib_destroy(struct xf_fib *fib)
{
    if (!fib) {
        return;
    }

    uint64_t root = fib_read(&fib->root);
    struct fib_array *array = ovsrcu_get_protected(struct fib_array *,
                                                   &fib->array);
    ovsrcu_set(&fib->array, NULL);
    entry_set(&fib->root, 0);
    if (array) {
        fib_retire(fib, array, sizeof *array);
    }
    subtree_retire(fib, root);
    fib->retire(free, fib, fib->retire_aux);
}

void
xf_fib_get_usage(const struct xf_fib *fib, struct xf_fib_usage *usage)
{
    *usage = fib->usage;
}
