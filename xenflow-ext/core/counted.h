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

#ifndef XF_CORE_COUNTED_H
#define XF_CORE_COUNTED_H 1

/* Numbers for what datapath threads count.
 * ========================================
 *
 * What
 * ----
 * A thread that forwards counts packets in arrays of its own, by number.  This
 * gives 'struct xf_stat's such numbers, and adds to them what was counted since
 * the last time ("folds").
 *
 * Why
 * ---
 * Counting in the 'struct xf_stat' itself would share its cache line among all
 * threads, and a thread would have to find it first.
 *
 * Shape
 * -----
 * Numbers are those of core/numbers.h; 0 means "not counted".
 *
 * Cost: 28 bytes per number.  Threads: one writer. */

#include <stddef.h>
#include <stdint.h>

#include "core/numbers.h"
#include "xenflow/types.h"

struct xf_counted_entry {
    struct xf_stat *stat;       /* Referenced. */
    uint64_t n_packets;         /* What the threads had counted in all when it */
    uint64_t n_bytes;           /* was last folded. */
};

struct xf_counted {
    struct xf_numbers numbers;
    struct xf_counted_entry *entries; /* By number. */
    size_t n;                   /* Of 'entries' in use, */
    size_t allocated;           /* so many allocated. */
};

/* What all threads have counted for number 'i' since ever. */
struct xf_count {
    uint64_t n_packets;
    uint64_t n_bytes;
};
struct xf_counted_reader {
    void (*get)(uint32_t i, struct xf_count *, void *aux);
    void *aux;
    long long int now_ms;       /* Time of use of what was used. */
};

void xf_counted_init(struct xf_counted *);
void xf_counted_uninit(struct xf_counted *);

/* Gives 'stat' a number, stored in 'stat->number' too. */
void xf_counted_add(struct xf_counted *, struct xf_stat *);
/* Takes the number of 'stat' back.  What is counted under it until it is given
 * out again still goes to 'stat'. */
void xf_counted_remove(struct xf_counted *, struct xf_stat *);
void xf_counted_grace(struct xf_counted *, const struct xf_counted_reader *);

/* Folds the 'n' numbers from 'first' on.  Returns the number to go on with, 0
 * after the last one. */
size_t xf_counted_fold(struct xf_counted *, size_t first, size_t n,
                       const struct xf_counted_reader *);
size_t xf_counted_size(const struct xf_counted *);

#endif /* core/counted.h */
