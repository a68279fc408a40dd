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

#include "seam/xf-mem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bitmap.h"
#include "openvswitch/list.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_mem);

#define CHUNK_SIZE (2 * 1024 * 1024)

/* Pieces up to this size come from chunks, others are mapped alone. */
#define PIECE_MAX (CHUNK_SIZE / 2)

/* A chunk of memory, aligned to its size, that pieces are cut from. */
struct chunk {
    struct ovs_list node;       /* In 'chunks'. */
    size_t n_free;              /* Lines. */
    unsigned long lines[BITMAP_N_LONGS(CHUNK_SIZE / CACHE_LINE_SIZE)];
};

#define N_LINES (CHUNK_SIZE / CACHE_LINE_SIZE)
#define FIRST_LINE DIV_ROUND_UP(sizeof(struct chunk), CACHE_LINE_SIZE)

/* A chunk is taken up again when so many of its lines are free. */
#define WORTHWHILE (N_LINES / 8)

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list chunks OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&chunks);
/* Where the next piece is looked for. */
static struct chunk *current OVS_GUARDED_BY(mutex);
static size_t current_line OVS_GUARDED_BY(mutex);

/* Maps 'size' bytes, a multiple of CHUNK_SIZE, aligned to that, in huge pages
 * if 'huge' and the kernel has some. */
static void *
map(size_t size, bool huge)
{
    size_t mapped = size + CHUNK_SIZE;
    char *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        VLOG_ABORT("can't get %"PRIuSIZE" bytes for routes (%s): free memory, "
                   "or load fewer routes", size, ovs_strerror(errno));
    }

    size_t head = ROUND_UP((uintptr_t) p, CHUNK_SIZE) - (uintptr_t) p;
    if (head) {
        munmap(p, head);
    }
    if (head < CHUNK_SIZE) {
        munmap(p + head + size, CHUNK_SIZE - head);
    }
    if (huge) {
        madvise(p + head, size, MADV_HUGEPAGE);
    }
    return p + head;
}

/* Takes 'n' free lines from 'current_line' on in the current chunk.  Returns
 * NULL if there aren't so many in a row. */
static void *
take_lines(size_t n)
    OVS_REQUIRES(mutex)
{
    size_t begin, end = current_line;

    do {
        begin = bitmap_scan(current->lines, false, end, N_LINES);
        end = bitmap_scan(current->lines, true, begin,
                          MIN(begin + n, N_LINES));
    } while (end - begin < n && end < N_LINES);
    current_line = end;
    if (end - begin < n) {
        return NULL;
    }
    bitmap_set_multiple(current->lines, begin, n, true);
    current->n_free -= n;
    return (char *) current + begin * CACHE_LINE_SIZE;
}

/* Takes 'n' lines from another chunk, which becomes the current one: one with
 * much free memory, or a new one. */
static void *
change_chunk(size_t n)
    OVS_REQUIRES(mutex)
{
    struct chunk *chunk;

    LIST_FOR_EACH (chunk, node, &chunks) {
        if (chunk->n_free >= WORTHWHILE) {
            current = chunk;
            current_line = FIRST_LINE;

            void *p = take_lines(n);
            if (p) {
                return p;
            }
        }
    }
    current = map(CHUNK_SIZE, !ovs_list_is_empty(&chunks));
    current->n_free = N_LINES - FIRST_LINE;
    current_line = FIRST_LINE;
    ovs_list_push_front(&chunks, &current->node);
    return take_lines(n);
}

static void *
mem_alloc(size_t size, void *aux OVS_UNUSED)
{
    if (size > PIECE_MAX) {
        return map(ROUND_UP(size, CHUNK_SIZE), size >= CHUNK_SIZE);
    }

    size_t n = DIV_ROUND_UP(size, CACHE_LINE_SIZE);
    void *p;

    ovs_mutex_lock(&mutex);
    p = current ? take_lines(n) : NULL;
    if (!p) {
        p = change_chunk(n);
    }
    ovs_mutex_unlock(&mutex);
    return p;
}

static void
mem_release(void *p, size_t size, void *aux OVS_UNUSED)
{
    if (size > PIECE_MAX) {
        munmap(p, ROUND_UP(size, CHUNK_SIZE));
        return;
    }

    size_t ofs = (uintptr_t) p % CHUNK_SIZE;
    size_t n = DIV_ROUND_UP(size, CACHE_LINE_SIZE);
    struct chunk *chunk = (void *) ((char *) p - ofs);

    ovs_mutex_lock(&mutex);
    bitmap_set_multiple(chunk->lines, ofs / CACHE_LINE_SIZE, n, false);
    chunk->n_free += n;
    if (chunk->n_free == N_LINES - FIRST_LINE && chunk != current) {
        ovs_list_remove(&chunk->node);
        munmap(chunk, CHUNK_SIZE);
    }
    ovs_mutex_unlock(&mutex);
}

const struct xf_fib_mem *
xf_mem(void)
{
    static const struct xf_fib_mem mem = { mem_alloc, mem_release, NULL };

    return &mem;
}

void *
xf_mem_zalloc(size_t size)
{
    return (size < CHUNK_SIZE ? xzalloc(size)
            : map(ROUND_UP(size, CHUNK_SIZE), true));
}

void
xf_mem_free(void *p, size_t size)
{
    if (size < CHUNK_SIZE) {
        free(p);
    } else if (p) {
        munmap(p, ROUND_UP(size, CHUNK_SIZE));
    }
}
