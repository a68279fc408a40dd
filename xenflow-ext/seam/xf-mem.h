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

#ifndef XF_MEM_H
#define XF_MEM_H 1

/* Memory for compiled tables and their counters.
 * ===============================================
 *
 * Nodes of a large table are read at random, so that on pages of 4 kB most
 * reads would miss the TLB.  This keeps nodes of all routers together in chunks
 * of 2 MB, for which the kernel is asked for huge pages; but not for the first
 * chunk, which is enough for some thousands of routes and costs no more than
 * what is in use.
 *
 * Pieces are multiples of a cache line.  A bit per line says whether it is in
 * use, so that free neighbours are one; pieces are looked for from the last one
 * on.  A chunk without pieces is given back.  Threads: any. */

#include "core/fib.h"

const struct xf_fib_mem *xf_mem(void);

/* 'size' bytes of zeros for one array, in huge pages if it is large. */
void *xf_mem_zalloc(size_t size);
void xf_mem_free(void *, size_t size);

#endif /* seam/xf-mem.h */
