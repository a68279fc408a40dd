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

#ifndef XENFLOW_GUESTD_HOST_H
#define XENFLOW_GUESTD_HOST_H 1

/* The host's side of the guest daemon: a connection to the listener of this
 * machine's router, kept up with back-off.
 *
 * Frames go out through a bounded buffer: when guestd_host_has_room() is false
 * the caller keeps what it has, in its latest state.  A host that sends
 * nothing for 'silence_ms' after something that it must answer is given up.
 * (The time doesn't count from the last word: this machine may have stood
 * still.) */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guestd_host;

/* Connects to 'remote' ("tcp:ADDR[:PORT]", "ssl:ADDR[:PORT]"). */
void guestd_host_destroy(struct guestd_host *);
struct guestd_host *guestd_host_create(const char *remote,
                                       long long int silence_ms);

/* Connects, reads and writes.  guestd_host_seqno() changes with each new
 * connection and with each end of one. */
void guestd_host_run(struct guestd_host *);
void guestd_host_wait(struct guestd_host *);
unsigned int guestd_host_seqno(const struct guestd_host *);
bool guestd_host_is_connected(const struct guestd_host *);

/* Ends the connection; it is tried again later. */
void guestd_host_disconnect(struct guestd_host *, int error);

/* Sends one whole frame; only if guestd_host_has_room(). */
bool guestd_host_has_room(const struct guestd_host *);
void guestd_host_send(struct guestd_host *, const void *frame, size_t size);

/* What was sent last must be answered. */
void guestd_host_expect_answer(struct guestd_host *);

/* The next frame from the host, valid until the next call, or NULL. */
const uint8_t *guestd_host_next(struct guestd_host *, size_t *size);

#endif /* xenflow-guestd-host.h */
