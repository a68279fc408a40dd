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


#ifndef XF_TEXT_H
#define XF_TEXT_H 1

/* Messages of the wire protocol as text, for the programs that test it.
 *
 *   add PREFIX [NEXTHOP]... [nhid ID] [TYPE] [metric M] [proto P] [replace]
 *       where NEXTHOP is [via GATEWAY] dev IFINDEX [weight W]
 *       and TYPE is blackhole, unreachable, prohibit or local
 *   del PREFIX [metric M]
 *   nexthop ID blackhole | NEXTHOP | group ID[*WEIGHT]...
 *   nexthop-del ID
 *   neigh IP dev IFINDEX lladdr MAC [permanent]
 *   neigh-del IP dev IFINDEX
 *   addr IP/LEN dev IFINDEX
 *   addr-del IP/LEN dev IFINDEX
 *   link dev IFINDEX [name NAME] [mac MAC] [mtu MTU] up|down
 *   link-del dev IFINDEX
 *   done
 */

#include "core/wire.h"

struct ds;

/* Parses 'line', which it changes, into 'msg'.  Returns NULL or a sentence
 * that names the bad word, which the caller frees. */
char *xf_text_parse(char *line, struct xf_wire_msg *msg);

/* Parses PREFIX; an address alone is one of full length. */
bool xf_text_parse_prefix(const char *, struct xf_prefix *);
bool xf_text_parse_addr(const char *, struct in6_addr *);
void xf_text_format_prefix(const struct xf_prefix *, struct ds *);

#endif /* xf-text.h */
