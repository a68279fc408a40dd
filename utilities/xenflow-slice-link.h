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


#ifndef XENFLOW_SLICE_LINK_H
#define XENFLOW_SLICE_LINK_H 1

/* The connections of xenflow-slice: one to each switch, one to the controller
 * of each slice.  What is said on them is the affair of slice/slice.h.
 *
 * A controller is connected (or listened for) as long as its switch is, so it
 * sees a switch that goes away when the switch does, and reads its state anew
 * when it is back.
 *
 * Flow control: a controller isn't read while it is over its rate, its requests
 * are unanswered, it doesn't read its replies, or the switch is slow.  A
 * message counts as often as it becomes one for the switch, and more if the
 * switch looks through many flows for it. */

#include "slice/slice.h"

struct links;

struct links *links_create(void);
void links_destroy(struct links *);
void links_configure(struct links *, const struct xf_slice_file *);
void links_run(struct links *);
void links_wait(struct links *);
void links_for_each_switch(struct links *,
                           void (*)(struct xf_slice_switch *, void *aux),
                           void *aux);

#endif /* utilities/xenflow-slice-link.h */
