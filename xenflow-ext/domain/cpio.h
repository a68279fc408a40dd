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

#ifndef XF_DOMAIN_CPIO_H
#define XF_DOMAIN_CPIO_H 1

/* Archives that the Linux kernel unpacks at boot ("newc" cpio).
 *
 * The kernel takes several after one another, each at a multiple of 4 bytes:
 * so one image serves every machine, and what is a machine's own follows as a
 * second archive.  Times and owners are 0: same input, same bytes.
 *
 * Source: the kernel's Documentation/driver-api/early-userspace/
 * buffer-format.rst. */

#include <stddef.h>

struct ds;
struct xf_domain_file;

/* Appends to 'out' an archive of 'files' and the folders they are in. */
void xf_cpio_put(const struct xf_domain_file *files, size_t n,
                 struct ds *out);

#endif /* domain/cpio.h */
