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

#ifndef XF_CORE_NUMBERS_H
#define XF_CORE_NUMBERS_H 1

/* Small numbers for objects that datapath threads know by number.
 * ================================================================
 *
 * Numbers are dense, from 1 on.  One that was given back isn't given out again
 * before no thread can mean its old owner by it: after two calls of
 * xf_numbers_grace(), which the owner makes whenever a grace period that began
 * after the last call is over.
 *
 * Cost: 4 bytes per number, O(1).  Threads: one writer. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xf_numbers_list {
    uint32_t first, last;       /* 0: empty. */
};

struct xf_numbers {
    uint32_t *next;             /* By number: what follows it in its list. */
    uint32_t n;                 /* Numbers ever given out are less. */
    uint32_t allocated;         /* Elements of 'next'. */
    struct xf_numbers_list ready; /* Free. */
    struct xf_numbers_list aging; /* Free after the next grace period, */
    struct xf_numbers_list fresh; /* after the one that follows it. */
};

void xf_numbers_init(struct xf_numbers *);
void xf_numbers_uninit(struct xf_numbers *);
uint32_t xf_numbers_take(struct xf_numbers *);
void xf_numbers_give_back(struct xf_numbers *, uint32_t);
void xf_numbers_grace(struct xf_numbers *);
size_t xf_numbers_size(const struct xf_numbers *);

#endif /* core/numbers.h */
