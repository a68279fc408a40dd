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

#ifndef XF_DOMAIN_PRIVATE_H
#define XF_DOMAIN_PRIVATE_H 1

/* What domain.c and the backends know of each other.
 *
 * A backend extends struct xf_domain ('up' in its own struct).  It tells what
 * happens by xf_domain_set_state() and xf_domain_finish(), from within its own
 * functions or its run(). */

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "xenflow/domain.h"

struct xf_domain_backend {
    const char *name;
    bool has_taps;              /* Its machines' cards are devices here. */

    /* Makes a backend's domain; the part 'up' is zeroed. */
    struct xf_domain *(*alloc)(const struct xf_domain_config *config);

    /* Says what of 'config' can't be done, or NULL. */
    char *(*check)(const struct xf_domain_config *config);

    /* Looks what is there of a domain that isn't new: sets its state.  If that
     * takes longer it sets 'op' to XF_DOMAIN_OP_ADOPT and finishes later. */
    void (*adopt)(struct xf_domain *, long long int now_ms);

    /* Frees what the backend has in memory; the machine goes on. */
    void (*close)(struct xf_domain *);

    /* Begins start, stop, suspend, restore or destroy in a state in which it
     * is allowed.  Each ends by xf_domain_finish(). */
    void (*begin)(struct xf_domain *, enum xf_domain_op, long long int now_ms);

    void (*run)(struct xf_domain *, long long int now_ms);
    void (*wait)(const struct xf_domain *);

    /* Adds what is the backend's own to an object. */
    void (*show)(const struct xf_domain *, struct json *object);

    /* See xf_domain_get_usage(); NULL: never known. */
    bool (*usage)(const struct xf_domain *, struct xf_domain_usage *);

    /* See xf_domain_set_script(); NULL: has none. */
    char *(*set_script)(struct xf_domain *, const char *,
                        long long int now_ms);
};

extern const struct xf_domain_backend xf_domain_qemu;
extern const struct xf_domain_backend xf_domain_xen_pv;
extern const struct xf_domain_backend xf_domain_xen_pvh;
extern const struct xf_domain_backend xf_domain_dummy;

struct xf_domain {
    struct hmap_node node;      /* In struct xf_domains, by name. */
    struct ovs_list changed;    /* Likewise, or empty. */
    struct xf_domains *all;
    const struct xf_domain_backend *backend;
    struct xf_domain_config config;
    char *folder;

    enum xf_domain_state state;
    char *reason;
    enum xf_domain_op op;       /* As the user named it. */
    enum xf_domain_op next_op;  /* To begin as the second half of a restart. */
    enum xf_domain_op last_op;
    char *error;                /* Of last_op. */
    unsigned int n_crashes;
};

/* The state changed; 'reason' (takes ownership) says why, or is NULL. */
void xf_domain_set_state(struct xf_domain *, enum xf_domain_state,
                         char *reason);

/* The operation ended in 'state'; 'error' (takes ownership) says why it
 * failed, or is NULL. */
void xf_domain_finish(struct xf_domain *, enum xf_domain_state, char *error);

/* Says that something which is shown changed. */
void xf_domain_changed(struct xf_domain *);

/* Path of a file in the domain's folder, to be freed. */
char *xf_domain_path(const struct xf_domain *, const char *name);

/* Replaces file 'path' by 'text', so that it's whole or the old one. Returns 0
 * or an errno. */
int xf_domain_write_file(const char *path, const char *text);

#endif /* domain/domain-private.h */
