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

#ifndef XF_CORE_FIB_PRIVATE_H
#define XF_CORE_FIB_PRIVATE_H 1

/* What the parts of the longest-prefix match share: fib.c (writer),
 * fib-lookup.c (readers), fib-check.c (tests).  The design is in core/fib.h.
 *
 * An entry is a word: 0, nothing here; with FIB_CHILD, a pointer to the node
 * of the next 8 bits; otherwise a value.  The node at base b (0, 8, 16, ...)
 * tells apart addresses that agree in their first b bits by the next 8 bits;
 * prefixes of length b+1 to b+8 end in it.  A slot that leads to a child holds
 * no value: what held for it is the child's 'dflt'.  'root' of struct xf_fib
 * is an entry too, the only slot of a table of one: where /0 ends. */

#include "core/fib.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"

#define FIB_STRIDE 8            /* Bits that a node tells apart. */
#define FIB_SLOTS (1 << FIB_STRIDE)
#define FIB_MAX_LEVELS (128 / FIB_STRIDE)

#define FIB_ARRAY_BITS 16       /* First bits that the plain array tells. */
#define FIB_ARRAY_LEVEL (FIB_ARRAY_BITS / FIB_STRIDE)
#define FIB_ARRAY_SLOTS (1 << FIB_ARRAY_BITS)

/* The plain array comes when the trie has grown to as many nodes, and goes
 * when it has shrunk to fewer than the second number. */
#define FIB_ARRAY_ON 4096
#define FIB_ARRAY_OFF 2048

#define FIB_CHILD (UINT64_C(1) << 63)

/* The slots of a node are told apart by 8 words of 32 slots each.  Bit i of a
 * word is 1 if a run begins with its slot i; its upper half is the number of
 * runs that begin in earlier words.  So one read tells the run of a slot.
 *
 * A run that says nothing (entry 0) is never given a value in place: a reader
 * that saw the 0 goes on to 'dflt' and must find there what held at that time,
 * so it keeps the old node. */
#define FIB_WORD_SLOTS 32
#define FIB_N_WORDS (FIB_SLOTS / FIB_WORD_SLOTS)

struct fib_node {
    atomic_uint64_t dflt;       /* Value where the entry is 0; may be 0. */
    uint16_t n_entries;         /* Runs, 1 to 256. */
    uint16_t n_children;        /* Writer: entries that are children. */
    bool inherits;              /* Writer: 'dflt' is the parent's too. */
    uint64_t words[FIB_N_WORDS]; /* Where runs begin; slot 0 always. */
    atomic_uint64_t entries[];  /* By run. */
};

/* By the first 16 bits: the value there, or the node at base 16. */
struct fib_array {
    atomic_uint64_t entries[FIB_ARRAY_SLOTS];
};

typedef void fib_lookup_v4_fn(const struct xf_fib *const fibs[],
                              const uint32_t dst[],
                              uint64_t values[], size_t n);
typedef void fib_lookup_v6_fn(const struct xf_fib *const fibs[],
                              const struct in6_addr *dst[],
                              uint64_t values[], size_t n);

struct xf_fib {
    /* Readers. */
    atomic_uint64_t root;       /* An entry. */
    OVSRCU_TYPE(struct fib_array *) array; /* NULL: too small for one. */
    fib_lookup_v4_fn *lookup_v4; /* What suits this CPU. */
    fib_lookup_v6_fn *lookup_v6;

    /* Writer. */
    const struct xf_trie *trie;
    xf_fib_value_fn *value;
    void *value_aux;
    bool has_mem;               /* Otherwise the heap. */
    struct xf_fib_mem mem;
    xf_retire_fn *retire;
    void *retire_aux;
    struct xf_fib_usage usage;
};

/* With eight packets at a time, on x86-64 with AVX-512 and its bit count, from
 * the roots in 'values'.  Not worth it for fewer than FIB_GATHER_MIN. */
#define FIB_GATHER_MIN 16
#if defined(__x86_64__) && defined(__GNUC__)
#define FIB_HAVE_X86 1
void fib_gather_v4(const uint32_t dst[], uint64_t values[], size_t n);
void fib_gather_v6(const struct in6_addr *dst[], uint64_t values[], size_t n);
#endif

/* Makes 'fib' use the 'i'th way to look up, 0 being the best one that this CPU
 * has.  False: there are fewer. */
bool fib_use_lookup(struct xf_fib *, size_t i);

bool fib_trie_has_longer(const struct xf_fib *, const struct xf_trie_node *top,
                         uint8_t len);

static inline bool
fib_is_child(uint64_t entry)
{
    return entry >> 63;
}

/* The node that 'entry', a child, leads to. */
static inline struct fib_node *
fib_child(uint64_t entry)
{
    return (struct fib_node *) (uintptr_t) (entry & ~FIB_CHILD);
}

/* Reads a word that the writer publishes. */
static inline uint64_t
fib_read(const atomic_uint64_t *word)
{
    uint64_t value;

    atomic_read_explicit(CONST_CAST(atomic_uint64_t *, word), &value,
                         memory_order_acquire);
    return value;
}

/* The word of 'node' that tells the run of 'slot' (0..255). */
static inline const uint64_t *
fib_word(const struct fib_node *node, uint8_t slot)
{
    return &node->words[slot / FIB_WORD_SLOTS];
}

/* The run of 'slot' in 'node'. */
static inline size_t
fib_run(const struct fib_node *node, uint8_t slot)
{
    uint64_t word = *fib_word(node, slot);

    /* The shift leaves the bits of this slot and those before it. */
    return (word >> 32)
           + __builtin_popcountll(word << (63 - slot % FIB_WORD_SLOTS)) - 1;
}

/* The entry of 'slot' in 'node'. */
static inline uint64_t
fib_entry(const struct fib_node *node, uint8_t slot)
{
    return fib_read(&node->entries[fib_run(node, slot)]);
}

/* The slot of 'key' in the node of 'level' (base / 8) on its way. */
static inline uint8_t
fib_slot(struct xf_key key, size_t level)
{
    return (level < 8 ? key.hi >> (56 - 8 * level)
            : key.lo >> (120 - 8 * level));
}

/* The bytes of a node. */
static inline size_t
fib_node_size(size_t n_entries)
{
    return sizeof(struct fib_node) + n_entries * sizeof(atomic_uint64_t);
}

/* The value of 'node' of the trie, or 0. */
static inline uint64_t
fib_trie_value(const struct xf_fib *fib, const struct xf_trie_node *node)
{
    return (ovsrcu_get_protected(void *, &node->data) || node->final
            ? fib->value(node, fib->value_aux) : 0);
}

#endif /* core/fib-private.h */
