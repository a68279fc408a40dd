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

#ifndef XF_DOMAIN_QMP_H
#define XF_DOMAIN_QMP_H 1

/* Client of QEMU's machine protocol.
 *
 * Shape: connects to a UNIX socket, again and again until that works; takes
 * the greeting, says "qmp_capabilities", then sends the commands that wait, in
 * order.  Answers are told apart by their id.  A command that isn't answered
 * in its time fails; an answer after that is ignored.
 *
 * What QEMU says isn't trusted (a guest may have taken it over): anything but
 * the protocol, or a message above 1 MB, ends the connection, fails what waits
 * for an answer, and is said in the error.  A new connection is then tried.
 *
 * Source: QEMU's docs/interop/qmp-spec.txt, version 7.2. */

#include <stdbool.h>

struct json;
struct xf_qmp;

/* Called once per command, by xf_qmp_run(): with its result or a sentence. */
typedef void xf_qmp_cb(const struct json *result, const char *error,
                       void *aux);
/* Called from xf_qmp_run(); 'data' is an object, or NULL. */
typedef void xf_qmp_event_cb(const char *event, const struct json *data,
                             void *aux);

struct xf_qmp *xf_qmp_create(const char *path, xf_qmp_event_cb *event,
                             void *aux);

/* Commands that wait are forgotten, without their callback. */
void xf_qmp_destroy(struct xf_qmp *);

/* Sends command 'name' with 'args' (takes ownership; may be NULL), which must
 * be answered before 'deadline_ms'.  'cb' may be NULL. */
void xf_qmp_command(struct xf_qmp *, const char *name, struct json *args,
                    long long int deadline_ms, xf_qmp_cb *cb);

/* Callbacks may not destroy 'qmp'. */
void xf_qmp_run(struct xf_qmp *, long long int now_ms);
void xf_qmp_wait(const struct xf_qmp *);
bool xf_qmp_is_ready(const struct xf_qmp *);

#endif /* domain/qmp.h */
