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

/* What the statically linked guest daemon (make utilities/xenflow-guestd-static)
 * has in place of parts of OVS's lib that it never reaches: packet buffers of
 * DPDK and AF_XDP, and a resolver of host names (it is given addresses). */

#include <config.h>

#include "dns-resolve.h"
#include "netdev-afxdp.h"
#include "netdev-dpdk.h"
#include "util.h"

#ifdef HAVE_AF_XDP
void
free_afxdp_buf(struct dp_packet *packet OVS_UNUSED)
{
    OVS_NOT_REACHED();
}
#endif

#ifdef DPDK_NETDEV
void
free_dpdk_buf(struct dp_packet *packet OVS_UNUSED)
{
    OVS_NOT_REACHED();
}
#endif

#ifdef HAVE_UNBOUND
void
dns_resolve_init(bool is_daemon OVS_UNUSED)
{
}

bool
dns_resolve(const char *name OVS_UNUSED, char **addr)
{
    *addr = NULL;
    return false;
}

void
dns_resolve_destroy(void)
{
}
#endif
