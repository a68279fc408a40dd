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

#ifndef XENFLOW_PORTS_H
#define XENFLOW_PORTS_H 1

/* TCP ports of hosts, on the addresses in Host:addresses. */

#define XF_FPM_PORT 2620        /* Of FPM, at a router's management link. */
#define XF_COPY_PORT 6655       /* ovs-vswitchd: copies of rule tables. */
#define XF_MOVE_PORT 6656       /* xenflow-hostd: machines that move. */

#endif /* xenflow/ports.h */
