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

#ifdef FIB_HAVE_X86

#include <immintrin.h>
#include <string.h>

#include "byte-order.h"

/* The lookup of fib-lookup.c with eight packets in a register (x86-64 with
 * AVX-512 and its bit count, 2019 on), for tables that the caches hold.
 *
 * Each lane of a gather is a load of its own, of an aligned word: what
 * fib-lookup.c says of the order of reads holds for lanes too. */

#define TARGET __attribute__((target("avx512f,avx512vpopcntdq,popcnt")))
#define LANES 8
#define N_GROUPS (XF_FIB_BATCH / LANES)

/* A batch on its way: packets without answer are 'live'. */
struct batch {
    __m512i entries[N_GROUPS];
    __m512i runs[N_GROUPS];     /* Of their slots in the node, plus 1. */
    __mmask8 used[N_GROUPS];    /* There is a packet. */
    __mmask8 live[N_GROUPS];
};

/* What 'ofs' bytes behind the addresses 'base' stands, where 'mask' says. */
static inline TARGET __m512i
gather(__m512i base, long long int ofs, __mmask8 mask)
{
    __m512i at = _mm512_add_epi64(base, _mm512_set1_epi64(ofs));

    return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), mask, at, NULL,
                                       1);
}

static inline TARGET __m512i
load(const uint64_t words[XF_FIB_BATCH], size_t group)
{
    return _mm512_loadu_si512(&words[group * LANES]);
}

/* The addresses of the nodes that 'entries' lead to. */
static inline TARGET __m512i
nodes(__m512i entries)
{
    return _mm512_andnot_si512(_mm512_set1_epi64(FIB_CHILD), entries);
}

static inline TARGET __mmask8
are_children(__m512i entries, __mmask8 mask)
{
    return _mm512_mask_test_epi64_mask(mask, entries,
                                       _mm512_set1_epi64(FIB_CHILD));
}

/* fib_run() of eight slots, plus 1. */
static inline TARGET __m512i
runs(__m512i entries, __m512i slots, __mmask8 mask)
{
    const __m512i sixty_three = _mm512_set1_epi64(63);
    const __m512i in_word = _mm512_set1_epi64(FIB_WORD_SLOTS - 1);
    __m512i ofs = _mm512_slli_epi64(_mm512_srli_epi64(slots, 5), 3);
    __m512i words = gather(_mm512_add_epi64(nodes(entries), ofs),
                           offsetof(struct fib_node, words), mask);
    __m512i shift = _mm512_sub_epi64(sixty_three,
                                     _mm512_and_si512(slots, in_word));

    return _mm512_add_epi64(
        _mm512_srli_epi64(words, 32),
        _mm512_popcnt_epi64(_mm512_sllv_epi64(words, shift)));
}
BUILD_ASSERT_DECL(FIB_WORD_SLOTS == 1 << 5);

/* The entries before 'run' in the nodes that 'entries' lead to, or what holds
 * there by default. */
static inline TARGET __m512i
next_entries(__m512i entries, __m512i run, __mmask8 mask)
{
    __m512i node = nodes(entries);
    __m512i at = _mm512_add_epi64(node, _mm512_slli_epi64(run, 3));
    __m512i next = gather(at, offsetof(struct fib_node, entries)
                          - sizeof(uint64_t), mask);
    __mmask8 none = _mm512_mask_testn_epi64_mask(mask, next, next);

    if (none) {
        next = _mm512_mask_mov_epi64(
            next, none, gather(node, offsetof(struct fib_node, dflt), none));
    }
    return _mm512_mask_mov_epi64(entries, mask, next);
}

/* Takes all live packets of 'b' on by a level.  'words' hold the slots, at
 * 'shift'.  Returns whether any are live still. */
static inline TARGET bool
step(struct batch *b, const uint64_t words[XF_FIB_BATCH], unsigned int shift)
{
    __mmask8 any = 0;

    for (size_t i = 0; i < N_GROUPS; i++) {
        if (b->live[i]) {
            __m512i slots = _mm512_and_si512(
                _mm512_srl_epi64(load(words, i), _mm_cvtsi32_si128(shift)),
                _mm512_set1_epi64(FIB_SLOTS - 1));

            b->runs[i] = runs(b->entries[i], slots, b->live[i]);
        }
    }
    for (size_t i = 0; i < N_GROUPS; i++) {
        if (b->live[i]) {
            b->entries[i] = next_entries(b->entries[i], b->runs[i],
                                         b->live[i]);
            b->live[i] = are_children(b->entries[i], b->live[i]);
            any |= b->live[i];
        }
    }
    return any;
}

/* Starts 'b' for 'n' packets where 'values', the roots, lead to. */
static inline TARGET void
begin(struct batch *b, const uint64_t values[], size_t n)
{
    for (size_t i = 0; i < N_GROUPS; i++) {
        size_t n_used = n > i * LANES ? MIN(n - i * LANES, LANES) : 0;

        b->used[i] = (1 << n_used) - 1;
        b->entries[i] = _mm512_maskz_loadu_epi64(b->used[i],
                                                 &values[i * LANES]);
        b->live[i] = are_children(b->entries[i], b->used[i]);
    }
}

static inline TARGET void
finish(const struct batch *b, uint64_t values[])
{
    for (size_t i = 0; i < N_GROUPS; i++) {
        _mm512_mask_storeu_epi64(&values[i * LANES], b->used[i],
                                 b->entries[i]);
    }
}

void TARGET
fib_gather_v4(const uint32_t dst[], uint64_t values[], size_t n)
{
    uint64_t words[XF_FIB_BATCH] = { 0 };
    unsigned int shift = 32;
    struct batch b;

    for (size_t i = 0; i < n; i++) {
        words[i] = dst[i];
    }
    begin(&b, values, n);
    do {
        shift -= FIB_STRIDE;
    } while (step(&b, words, shift));
    finish(&b, values);
}

void TARGET
fib_gather_v6(const struct in6_addr *dst[], uint64_t values[], size_t n)
{
    uint64_t words[2][XF_FIB_BATCH] = { { 0 } }; /* Upper and lower halves. */
    size_t level = 0;
    struct batch b;

    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < 2; j++) {
            uint64_t word;

            memcpy(&word, &dst[i]->s6_addr[8 * j], sizeof word);
            words[j][i] = ntohll(word);
        }
    }
    begin(&b, values, n);
    while (step(&b, words[level / 8], 56 - 8 * (level % 8))) {
        level++;
    }
    finish(&b, values);
}

#endif /* FIB_HAVE_X86 */
