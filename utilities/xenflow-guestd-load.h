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

#ifndef XENFLOW_GUESTD_LOAD_H
#define XENFLOW_GUESTD_LOAD_H 1

/* Load of this machine, read from /proc. */

#include "core/wire-guest.h"

/* Stores the load in '*load'; what can't be read is 0. */
void guestd_load_read(struct xf_guest_load *load);

#endif /* xenflow-guestd-load.h */
