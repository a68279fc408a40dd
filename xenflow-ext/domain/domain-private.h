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

#include "domain/move.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "xenflow/domain.h"

/* How a backend moves machines.  See "Moving" in xenflow/domain.h. */
struct xf_move_backend {
    bool cards_come_last;       /* See struct xf_move_status. */

    void (*get_machine)(const struct xf_domain *, struct xf_move_machine *);

    /* Begins send or receive, as 'move' of the domain says; goes through the
     * phases by xf_domain_set_phase().  Fails by xf_domain_finish(). */
    void (*begin)(struct xf_domain *, enum xf_domain_op,
                  long long int now_ms);

    /* In phase ready: stops the machine and sends the rest. */
    void (*halt)(struct xf_domain *, long long int now_ms);

    /* Ends a send: the machine goes on here.  Fails or not by
     * xf_domain_finish(). */
    void (*resume)(struct xf_domain *, long long int now_ms);

    /* Ends a receive: the machine goes on here; likewise. */
    void (*take)(struct xf_domain *, long long int now_ms);

    /* See xf_domain_read() and so on. */
    int (*read)(struct xf_domain *, void *, size_t size);
    int (*write)(struct xf_domain *, const void *, size_t size);
    void (*write_end)(struct xf_domain *);
    void (*read_wait)(const struct xf_domain *);
    void (*write_wait)(const struct xf_domain *);
};

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

    const struct xf_move_backend *move;     /* NULL: can't. */
};

extern const struct xf_move_backend xf_qemu_move;
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

    struct xf_domain_move {
        enum xf_move_phase phase;
        enum xf_move_stage stage;   /* In file "move". */
        struct xf_move_settings settings;
        int progress;
        bool recall;            /* A predecessor's is to be gone on with. */
        bool is_back;           /* It is being taken back... */
        char *why;              /* ...for this reason, or NULL. */
    } move;
};

/* ---- move-domain.c ---- */

#define XF_MOVE_FILE "move"     /* In the domain's folder. */

/* Begins receive of a domain made for that. */
void xf_domain_receive(struct xf_domain *, const struct xf_move_settings *,
                       long long int now_ms);

/* A phase is reached. */
void xf_domain_set_phase(struct xf_domain *, enum xf_move_phase);

/* Reads what a predecessor left of a move. */
void xf_domain_recall_move(struct xf_domain *);

/* Goes on with that, once it's known what runs. */
void xf_domain_run_move(struct xf_domain *, long long int now_ms);

/* An operation ended in 'state'; whether with an error. */
void xf_domain_move_ended(struct xf_domain *, enum xf_domain_op,
                          enum xf_domain_state, bool failed);

/* Begins an operation of the domain itself, whatever is in progress. */
void xf_domain_begin__(struct xf_domain *, enum xf_domain_op,
                       long long int now_ms);

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

/* The same; on disk when it returns.  'text' NULL removes the file. */
int xf_domain_write_safely(const char *folder, const char *name,
                           const char *text);

#endif /* domain/domain-private.h */
