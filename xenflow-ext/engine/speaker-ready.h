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

#ifndef XF_SPEAKER_READY_H
#define XF_SPEAKER_READY_H 1

/* Which of many listening sockets have a connection to accept.
 *
 * With 1,000 routers a call of accept() for each at every wake-up costs more
 * than all the rest; the kernel's epoll tells which are worth it, and the poll
 * loop has one descriptor instead of 1,000.
 *
 * Threads: the engine's own. */

#include <stdbool.h>

struct xf_ready;

/* NULL if the kernel gives no epoll descriptor: then do without. */
void xf_ready_destroy(struct xf_ready *);
struct xf_ready *xf_ready_create(void);

/* From now on xf_ready_run() sets '*flag' while 'fd' has something to accept.
 * Closing 'fd' ends that; 'flag' must live as long as 'fd'.  Returns false if
 * the kernel refuses. */
bool xf_ready_add(struct xf_ready *, int fd, bool *flag);

void xf_ready_run(struct xf_ready *);
void xf_ready_wait(const struct xf_ready *);

#endif /* engine/speaker-ready.h */
