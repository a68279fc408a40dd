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

/* Memory for compiled tables.
 * ===========================
 *
 * Nodes of a large table are read at random, so that on pages of 4 kB most
 * reads would miss the TLB.  This keeps nodes of all routers together in chunks
 * of 2 MB, for which the kernel is asked for huge pages; but not for the first
 * chunk, which is enough for some thousands of routes and costs no more than
 * what is in use.
 *
 * Pieces are multiples of a cache line, with a list of free ones for each size.
 * A chunk is never given back.  Threads: any. */

#include "core/fib.h"

const struct xf_fib_mem *xf_mem(void);

#endif /* seam/xf-mem.h */
