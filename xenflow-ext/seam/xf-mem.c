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

#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_mem);

#define CHUNK_SIZE (2 * 1024 * 1024)

/* Pieces up to this size come from chunks, others are mapped alone. */
#define PIECE_MAX 4096
#define N_SIZES (PIECE_MAX / CACHE_LINE_SIZE)

/* A piece that nobody uses. */
struct piece {
    struct piece *next;
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct piece *pieces[N_SIZES] OVS_GUARDED_BY(mutex);
static char *chunk OVS_GUARDED_BY(mutex); /* What is left of the newest. */
static size_t chunk_left OVS_GUARDED_BY(mutex);
static size_t n_chunks OVS_GUARDED_BY(mutex);

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

static size_t
size_index(size_t size)
{
    return DIV_ROUND_UP(size, CACHE_LINE_SIZE) - 1;
}

static void *
mem_alloc(size_t size, void *aux OVS_UNUSED)
{
    if (size > PIECE_MAX) {
        return map(ROUND_UP(size, CHUNK_SIZE), size >= CHUNK_SIZE);
    }

    size_t i = size_index(size);
    void *p;

    ovs_mutex_lock(&mutex);
    if (pieces[i]) {
        p = pieces[i];
        pieces[i] = pieces[i]->next;
    } else {
        size = (i + 1) * CACHE_LINE_SIZE;
        if (chunk_left < size) {
            chunk = map(CHUNK_SIZE, n_chunks++ > 0);
            chunk_left = CHUNK_SIZE;
        }
        p = chunk;
        chunk += size;
        chunk_left -= size;
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

    struct piece *piece = p;

    ovs_mutex_lock(&mutex);
    piece->next = pieces[size_index(size)];
    pieces[size_index(size)] = piece;
    ovs_mutex_unlock(&mutex);
}

const struct xf_fib_mem *
xf_mem(void)
{
    static const struct xf_fib_mem mem = { mem_alloc, mem_release, NULL };

    return &mem;
}
