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

#ifndef XF_SPEAKER_TLS_H
#define XF_SPEAKER_TLS_H 1

/* TLS listener: speakers that prove by a certificate whose router they are.
 *
 * Keys, certificate and CA are the switch's own (ovs-vsctl set-ssl), the
 * protocol is lib/stream-ssl's.  A peer gets through if its certificate is
 * signed by that CA and its common name is the one that is expected.
 *
 * Bounds: XF_TLS_PENDING_MAX handshakes at a time, of XF_TLS_HANDSHAKE_MS each
 * at most; a further connection ends the oldest one of them.
 *
 * Threads: the engine's own, but for the lock.  lib/stream-ssl has one context
 * for the process; the main thread changes it when the switch's keys change.
 * xf_tls_trylock() (engine/engine.h) keeps it from that while a connection is made; once made, a
 * connection doesn't use the context. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;
struct xf_tls;

#define XF_TLS_PENDING_MAX 8
#define XF_TLS_HANDSHAKE_MS 5000

/* Listens on 'port' (0: kernel's choice) of 'address' for peers called
 * 'peer_name' (NULL: anything, the caller judges).  Returns 0, or a positive
 * errno. */
void xf_tls_destroy(struct xf_tls *);
int xf_tls_create(const char *address, uint16_t port, const char *peer_name,
                  struct xf_tls **);
uint16_t xf_tls_port(const struct xf_tls *);

/* Carries handshakes on.  Returns a connection that is ready, which the caller
 * owns, or NULL.  If a peer was refused, '*why' is a sentence that the caller
 * frees, else NULL. */
struct stream *xf_tls_run(struct xf_tls *, long long int now_ms, char **why);
void xf_tls_wait(const struct xf_tls *);

/* For whoever else makes TLS connections in the engine's thread: not while the
 * main thread changes the keys.  Released with xf_tls_unlock(). */
void xf_tls_lock(void);

/* True if no handshake is under way. */
bool xf_tls_is_idle(const struct xf_tls *);

#endif /* engine/speaker-tls.h */
