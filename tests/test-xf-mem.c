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


/* Random use of the memory for compiled tables (seam/xf-mem.h): pieces don't
 * overlap, lie on cache lines, and what was given back is used again. */

#include <config.h>

#undef NDEBUG
#include "seam/xf-mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "util.h"

#define N_PIECES 3000
#define N_ROUNDS 8
#define MB (1024.0 * 1024)

struct held {
    unsigned char *p;           /* NULL: none. */
    size_t size;
    unsigned char fill;
};

/* Mostly small, as nodes are; some as large as arrays. */
static size_t
random_size(void)
{
    return (random_range(500) ? 80 + 8 * random_range(256)
            : 4096 + random_range(1200 * 1024));
}

static void
give_back(struct held *held)
{
    const struct xf_fib_mem *mem = xf_mem();

    if (held->p) {
        for (size_t i = 0; i < held->size; i++) {
            ovs_assert(held->p[i] == held->fill);
        }
        mem->release(held->p, held->size, mem->aux);
        held->p = NULL;
    }
}

static void
take(struct held *held)
{
    const struct xf_fib_mem *mem = xf_mem();

    held->size = random_size();
    held->fill = random_uint8();
    held->p = mem->alloc(held->size, mem->aux);
    ovs_assert((uintptr_t) held->p % CACHE_LINE_SIZE == 0);
    memset(held->p, held->fill, held->size);
}

/* The address space of this process, in pages. */
static size_t
address_space(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long n = 0;

    ovs_assert(file && fscanf(file, "%lu", &n) == 1);
    fclose(file);
    return n * 4096;
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    static struct held all[N_PIECES];
    size_t before, grown;

    set_program_name(argv[0]);
    random_set_seed(1);
    address_space();            /* What the C library needs the first time. */
    before = address_space();
    for (size_t round = 0; round < N_ROUNDS; round++) {
        for (size_t i = 0; i < 10 * N_PIECES; i++) {
            struct held *held = &all[random_range(N_PIECES)];

            give_back(held);
            take(held);
        }
        for (size_t i = 0; i < N_PIECES; i++) {
            give_back(&all[i]);
        }
    }

    unsigned char *zeros = xf_mem_zalloc(5 << 20);
    ovs_assert(is_all_zeros(zeros, 5 << 20));
    xf_mem_free(zeros, 5 << 20);
    zeros = xf_mem_zalloc(100);
    ovs_assert(is_all_zeros(zeros, 100));
    xf_mem_free(zeros, 100);

    /* One chunk is kept. */
    grown = address_space() - MIN(before, address_space());
    if (grown > 4 << 20) {
        ovs_fatal(0, "%.1f MB were kept", grown / MB);
    }
    return 0;
}
