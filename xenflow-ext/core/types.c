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

#include <config.h>

#include "xenflow/types.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "unaligned.h"
#include "util.h"

static const char *const punt_reason_names[] = {
#define XF_PUNT_REASON(ENUM, NAME) [XF_PUNT_##ENUM] = NAME,
    XF_PUNT_REASONS
#undef XF_PUNT_REASON
};
BUILD_ASSERT_DECL(ARRAY_SIZE(punt_reason_names) == XF_N_PUNT_REASONS);

const char *
xf_punt_reason_name(enum xf_punt_reason reason)
{
    return reason < XF_N_PUNT_REASONS ? punt_reason_names[reason] : "unknown";
}

bool
xf_punt_reason_from_name(const char *name, enum xf_punt_reason *reason)
{
    for (size_t i = 0; i < XF_N_PUNT_REASONS; i++) {
        if (!strcmp(name, punt_reason_names[i])) {
            *reason = i;
            return true;
        }
    }
    return false;
}

const char *
xf_addr_string(char buf[INET6_ADDRSTRLEN], const struct in6_addr *addr)
{
    return (xf_addr_is_v4(addr)
            ? inet_ntop(AF_INET, &addr->s6_addr[XF_V4_OFS / 8], buf,
                        INET6_ADDRSTRLEN)
            : inet_ntop(AF_INET6, addr, buf, INET6_ADDRSTRLEN));
}

/* Returns new counters at zero with one reference. */
struct xf_stat *
xf_stat_create(void)
{
    struct xf_stat *stat = xzalloc(sizeof *stat);

    ovs_refcount_init(&stat->refcount);
    atomic_init(&stat->n_packets, 0);
    atomic_init(&stat->n_bytes, 0);
    atomic_init(&stat->used_ms, 0);
    return stat;
}

/* Takes one more reference of 'stat_' and returns it. */
struct xf_stat *
xf_stat_ref(const struct xf_stat *stat_)
{
    struct xf_stat *stat = CONST_CAST(struct xf_stat *, stat_);

    ovs_refcount_ref(&stat->refcount);
    return stat;
}

/* Gives back a reference; the last one frees 'stat'.  NULL is accepted. */
void
xf_stat_unref(struct xf_stat *stat)
{
    if (stat && ovs_refcount_unref(&stat->refcount) == 1) {
        free(stat);
    }
}

/* Counts 'n_packets' of 'n_bytes' in all, the last one seen at 'used_ms'. */
void
xf_stat_add(struct xf_stat *stat, uint64_t n_packets, uint64_t n_bytes,
            long long int used_ms)
{
    long long int old_ms;
    uint64_t orig;

    atomic_add_relaxed(&stat->n_packets, n_packets, &orig);
    atomic_add_relaxed(&stat->n_bytes, n_bytes, &orig);

    /* A race between two threads may leave the earlier of two times that are
     * microseconds apart, which nobody can tell. */
    atomic_read_relaxed(&stat->used_ms, &old_ms);
    if (used_ms > old_ms) {
        atomic_store_relaxed(&stat->used_ms, used_ms);
    }
}

static uint32_t
be32_at(const struct in6_addr *addr, size_t i)
{
    return ntohl(get_unaligned_be32(
        ALIGNED_CAST(const ovs_be32 *, &addr->s6_addr[i])));
}

/* Only the mhash_*() functions are used: unlike the others in lib/hash.h they
 * give the same value in every build (those use CRC instructions where the
 * compiler may), and a router must choose the same paths on the host it moves
 * to. */
uint32_t
xf_flow_hash(uint32_t seed, const struct in6_addr *src,
             const struct in6_addr *dst, uint8_t proto, ovs_be16 sport,
             ovs_be16 dport)
{
    uint32_t hash = seed;

    for (size_t i = 0; i < sizeof src->s6_addr; i += 4) {
        hash = mhash_add(hash, be32_at(src, i));
        hash = mhash_add(hash, be32_at(dst, i));
    }
    hash = mhash_add(hash, (uint32_t) ntohs(sport) << 16 | ntohs(dport));
    hash = mhash_add(hash, proto);
    return mhash_finish(hash);
}
