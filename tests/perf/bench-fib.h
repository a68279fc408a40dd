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

#ifndef BENCH_FIB_H
#define BENCH_FIB_H 1

/* Longest-prefix match beside DPDK's libraries: what the parts share. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH 32

/* A prefix; IPv4 as v4-mapped. */
struct route {
    struct in6_addr addr;
    uint8_t len;                /* Within the family. */
    uint32_t value;             /* What a lookup answers. */
};

/* Destinations of one family, as the tables take them. */
struct dsts {
    bool is_v4;
    size_t n;                   /* A multiple of BATCH. */
    uint32_t *v4;               /* Host byte order. */
    struct in6_addr *v6;
};

/* A library under test.  Nothing here is called out of order: open, add..,
 * lookup and add.., close. */
struct table {
    const char *name;
    bool has_v4, has_v6;
    /* Makes room for 'max_routes'.  False: the library can't. */
    bool (*open)(bool is_v4, size_t max_routes);
    /* Adds 'route' or gives it another value. */
    bool (*add)(const struct route *route);
    /* Looks up all destinations, in batches; sums up the answers. */
    uint64_t (*lookup)(const struct dsts *);
    /* All memory but the trie of prefixes, and that trie (0: it counts in the
     * former). */
    void (*usage)(size_t *n_bytes, size_t *n_trie_bytes);
    void (*close)(void);
};

/* Which way to look up ours takes: 0 is the best one of this CPU. */
extern size_t xf_way;

extern const struct table xf_table;
extern const struct table lpm_table;
extern const struct table fib_table;

/* Routes and destinations. */
struct route *make_routes(bool is_v4, size_t n, uint32_t seed);
void make_dsts(struct dsts *, const struct route[], size_t n_routes, size_t n,
               bool is_v4);

#endif /* bench-fib.h */
