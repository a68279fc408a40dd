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

#ifndef XF_DOMAIN_QEMU_PRIVATE_H
#define XF_DOMAIN_QEMU_PRIVATE_H 1

/* QEMU: how a domain becomes a command line and files (qemu-launch.c). */

#include <stdbool.h>

struct xf_domain;
struct xf_process;

/* Starts the domain's QEMU; with 'incoming' it waits for saved memory.  Returns
 * NULL and '*processp', or a sentence. */
char *xf_qemu_launch(const struct xf_domain *, bool kvm, bool incoming,
                     struct xf_process **processp);

/* Says what of the domain's image is missing, or NULL. */
char *xf_qemu_check_image(const char *image);

#endif /* domain/qemu-private.h */
