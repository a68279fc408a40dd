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

#ifndef XF_TLS_VERIFY_H
#define XF_TLS_VERIFY_H 1

/* Says whose certificate is refused, and why: of the peer, OpenSSL itself says
 * only that there was one.  For SSL_CTX_set_verify().  Decides one thing: between
 * hosts, at the ports for that, both may have certificates for clients.
 * Threads: any. */

struct x509_store_ctx_st;

int xf_tls_verify(int ok, struct x509_store_ctx_st *);

#endif /* seam/xf-tls-verify.h */
