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

#ifndef TEST_XF_FIB_H
#define TEST_XF_FIB_H 1

/* What the tests of the longest-prefix match share: a table under test beside
 * a list of the same prefixes, which is searched from end to end. */

#include "core/fib.h"

#define MAX_PREFIXES 16384

/* Of a final node of the trie without datum. */
#define VALUE_OF_NO_DATUM 999

/* A prefix as the oracle has it. */
struct prefix {
    struct xf_key key;
    uint8_t len;
    uint64_t value;             /* 0: counts as absent. */
    bool final;
};

struct world {
    struct xf_trie trie;
    struct xf_fib *fib;
    struct prefix prefixes[MAX_PREFIXES];
    size_t n;                   /* Of 'prefixes'. */
    size_t n_bytes;             /* Allocated by the table. */
    bool no_update;             /* Only the trie follows. */
};

/* Ends the program with a sentence if 'condition' is false. */
#define CHECK(CONDITION, ...)                       \
    do {                                            \
        if (!(CONDITION)) {                         \
            ovs_fatal(0, __VA_ARGS__);              \
        }                                           \
    } while (0)

/* A world without prefixes.  'has_mem': nodes live in memory of ours.
 * 'retire' NULL: what is retired goes at once. */
struct world *world_create(uint8_t n_bits, bool has_mem, xf_retire_fn *retire);
/* Destroys the table, then the trie.  All memory must have come back, if what
 * is retired goes at once. */
void world_destroy(struct world *);
/* Another table of the same prefixes, made at once. */
struct xf_fib *world_clone(const struct world *);

/* Adds a prefix or gives it another value. */
void world_set(struct world *, struct xf_key, uint8_t len, uint64_t value,
               bool final);
/* Deletes the prefix if it is there. */
void world_delete(struct world *, struct xf_key, uint8_t len);
void world_delete_all(struct world *);
bool world_has(const struct world *, struct xf_key, uint8_t len);

/* What the list says, and what the table says. */
uint64_t world_oracle(const struct world *, struct xf_key);
void world_lookup(const struct world *, const struct xf_key[],
                  uint64_t values[], size_t n);
/* What several tables say at once, each to one key. */
void worlds_lookup(const struct world *const[], const struct xf_key[],
                   uint64_t values[], size_t n);
/* Compares both, around each prefix and at random. */
void world_compare(const struct world *);
/* What the table takes. */
struct xf_fib_usage world_usage(const struct world *);

/* "10.1.0.0" or "2001:db8::" as a key. */
struct xf_key key_of(const char *);
/* A key with random bits. */
struct xf_key key_random(const struct world *);

void run_case(const char *name);
void run_readers(unsigned int seed, size_t n_steps, bool is_big);

#endif /* test-xf-fib.h */
