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

#ifndef XF_ALLOW_H
#define XF_ALLOW_H 1

/* Who may use the database XenFlow.
 * ==================================
 *
 * TLS knows whether the authority signed a certificate, and RBAC whether a row
 * is its owner's.  What neither knows is whether the name on it is still wanted
 * here.  So, in a server that has a database XenFlow:
 *
 *  - who comes through a listener with a role has to have a row in Host with
 *    his name, and that row 'enabled';
 *
 *  - who comes by TLS through one without, where everything may be read and
 *    written, has to be named XF_ALLOW_OPERATOR;
 *
 *  - another server of the cluster, if it comes by TLS, XF_ALLOW_SERVER.
 *
 * Others may connect and are answered a sentence to each request.  Sessions
 * without TLS and without a role (unix sockets) aren't looked at.
 *
 * Cost: O(1) for who is allowed, O(hosts) at his first request and for who
 * isn't.  Threads: the server's only one. */

#include <stdbool.h>

struct jsonrpc_msg;
struct jsonrpc_session;
struct shash;
struct uuid;

#define XF_ALLOW_OPERATOR "xenflow-operator"
#define XF_ALLOW_SERVER "xenflow-db"

/* Whether session 'js' of a listener with 'role' (NULL or "": none) may use
 * 'dbs', a map of "struct ovsdb"s.  'host', zeros at first, is kept with the
 * session: it saves looking for its row. */
bool xf_allow_session(const struct shash *dbs, const char *role,
                      const struct jsonrpc_session *js, struct uuid *host);

/* The same for one request: NULL, or the refusal to send, which is logged. */
struct jsonrpc_msg *xf_allow_request(const struct shash *dbs, const char *role,
                                     const struct jsonrpc_session *js,
                                     struct uuid *host,
                                     const struct jsonrpc_msg *request);

/* Whether 'js' may take part in the cluster of database 'name'.  If not, it's
 * logged and the session ended. */
bool xf_allow_server(const char *name, struct jsonrpc_session *js);

#endif /* seam/xf-allow.h */
