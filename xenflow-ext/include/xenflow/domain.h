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

#ifndef XENFLOW_DOMAIN_H
#define XENFLOW_DOMAIN_H 1

/* What xenflow-hostd needs of a hypervisor.
 * =========================================
 *
 * A domain is one virtual machine of this host: a folder with its
 * configuration, a backend that runs it (QEMU, Xen, dummy), a state, and at
 * most one operation in progress.  struct xf_domains has all of them.
 *
 * Shape: run and wait, as everything in OVS.  xf_domain_begin() returns at
 * once; run() carries the operation on and calls back for each domain that
 * changed.  The end of an operation is a change: no operation any more, a new
 * state, and if it failed, a sentence that says what went wrong and what to
 * do.  Each step has a time limit, so each operation ends.
 *
 *   operation  from states                    to        if it fails
 *   create     absent                         stopped   absent
 *   start      stopped, crashed               running   stopped
 *              paused                         running   paused
 *   stop       running, paused, crashed,      stopped   as it was
 *              suspended (memory is dropped)
 *   restart    running, paused, crashed       running   stopped
 *   suspend    running, paused                suspended as it was, or paused
 *   restore    suspended                      running   suspended, or paused
 *   destroy    all but absent                 absent    stopped
 *   send       running                        absent    running
 *   receive    (makes the domain)             running   stopped
 *
 * The last two move a machine to another host, and are told step by step: see
 * "Moving" below.
 *
 * Between, in start and restore, it is 'starting'.  A guest or hypervisor that
 * ends by itself makes it stopped or crashed at any time.
 *
 * 'paused' is what a start, restore or suspend that didn't get to its end
 * leaves: the machine is in memory and doesn't run.  start goes on with it.
 *
 * How an end is told: the guest shut itself down, or we asked: stopped.  The
 * guest panicked or reset itself, the hypervisor ended or was killed:
 * crashed.  If it ended while nobody watched (xenflow-hostd was away), that is
 * a crash, too.
 *
 * Folder: DIR/NAME holds config.json, the backend's files, and nothing
 * else's.  What is in it says what the domain is, so a new xenflow-hostd goes
 * on from there, even if the old one was killed in the middle of an operation.
 *
 * Network cards have a host's side with a name of its own.  QEMU's are taps, made
 * at the first start and kept until destroy: a switch port keeps its number
 * while its machine is stopped or starts again.  Xen's come and go with the
 * machine.
 *
 * Threads: one.  Nothing here blocks longer than it takes to write a small
 * file; what takes longer is done by a child process: before it becomes the
 * hypervisor, or, with libxenlight, which blocks, forks and owns SIGCHLD, from
 * the beginning of an operation to its end. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/compiler.h"
#include "openvswitch/types.h"
#include "openvswitch/uuid.h"

struct ds;
struct json;
struct xf_domain;
struct xf_domains;

#define XF_DOMAIN_NAME_MAX 63   /* Characters. */
#define XF_DOMAIN_NICS_MAX 24
#define XF_DOMAIN_FILES_MAX 1000
#define XF_DOMAIN_FILES_SIZE_MAX (16 * 1024 * 1024)
#define XF_DOMAINS_MAX 10000

/* ---- Configuration. ---- */

enum xf_domain_accel {
    XF_DOMAIN_ACCEL_AUTO,       /* KVM if it was seen working, else TCG. */
    XF_DOMAIN_ACCEL_KVM,
    XF_DOMAIN_ACCEL_TCG,
};

struct xf_domain_nic {
    struct eth_addr mac;
    char tap[16];               /* The host's side. */
};

/* A file put into the guest before it boots. */
struct xf_domain_file {
    char *path;                 /* In the guest; "/" at the front may miss. */
    char *content;              /* Text. */
    unsigned int mode;          /* Permissions. */
};

struct xf_domain_config {
    char *name;
    struct uuid uuid;
    char *backend;              /* "qemu", "xen-pv", "xen-pvh", "dummy". */
    char *image;                /* Folder with vmlinux and initramfs.gz. */
    unsigned int memory_mb;
    unsigned int n_vcpus;
    int numa_node;              /* -1: wherever. */
    enum xf_domain_accel accel;
    char *kernel_args;          /* Appended; may be empty. */
    unsigned int stop_s;        /* For the guest to shut down; 0: don't ask. */
    struct xf_domain_nic *nics;
    size_t n_nics;
    struct xf_domain_file *files;
    size_t n_files;
    char *script;               /* Of a dummy, see domain/dummy.c. */
};

/* Fills 'config' in from a JSON object.  Returns NULL, or a sentence that
 * names what is wrong (caller frees), and then 'config' holds nothing. */
char *xf_domain_config_parse(const struct json *, struct xf_domain_config *)
    OVS_WARN_UNUSED_RESULT;
struct json *xf_domain_config_to_json(const struct xf_domain_config *);
void xf_domain_config_uninit(struct xf_domain_config *);

/* ---- One domain. ---- */

enum xf_domain_state {
    XF_DOMAIN_ABSENT,           /* Destroyed: nothing is left of it. */
    XF_DOMAIN_STARTING,
    XF_DOMAIN_RUNNING,
    XF_DOMAIN_PAUSED,           /* In memory, not running. */
    XF_DOMAIN_SUSPENDED,        /* In a file. */
    XF_DOMAIN_STOPPED,
    XF_DOMAIN_CRASHED,
};
const char *xf_domain_state_to_string(enum xf_domain_state);

enum xf_domain_op {
    XF_DOMAIN_OP_NONE,
    XF_DOMAIN_OP_ADOPT,         /* Finding out what runs; begins by itself. */
    XF_DOMAIN_OP_START,
    XF_DOMAIN_OP_STOP,
    XF_DOMAIN_OP_RESTART,
    XF_DOMAIN_OP_SUSPEND,
    XF_DOMAIN_OP_RESTORE,
    XF_DOMAIN_OP_DESTROY,
    XF_DOMAIN_OP_SEND,          /* See "Moving". */
    XF_DOMAIN_OP_RECEIVE,
};
const char *xf_domain_op_to_string(enum xf_domain_op);
bool xf_domain_op_from_string(const char *, enum xf_domain_op *);

struct xf_domain_status {
    enum xf_domain_state state;
    const char *reason;         /* Why it is in that state, or NULL. */
    enum xf_domain_op op;       /* In progress. */
    enum xf_domain_op last_op;  /* That ended last... */
    const char *error;          /* ...and why it failed, or NULL. */
    unsigned int n_crashes;     /* As long as this process has lived. */
};

/* What a machine takes of its host. */
struct xf_domain_usage {
    unsigned long long int cpu_user_ms;     /* Since it was started. */
    unsigned long long int cpu_system_ms;
    unsigned long long int memory_mb;
};

const struct xf_domain_config *xf_domain_get_config(const struct xf_domain *);
void xf_domain_get_status(const struct xf_domain *, struct xf_domain_status *);

/* Fills in what the domain uses; returns false if it isn't in memory, or if
 * that isn't known. */
bool xf_domain_get_usage(const struct xf_domain *, struct xf_domain_usage *);

/* The same of process 'pid', be it a domain's or not. */
bool xf_process_usage(int pid, struct xf_domain_usage *);

/* Begins 'op' on the domain.  Returns NULL, or a sentence that says why not
 * (caller frees), and then nothing changed. */
char *xf_domain_begin(struct xf_domain *, enum xf_domain_op op,
                      long long int now_ms) OVS_WARN_UNUSED_RESULT;

/* Changes the script of a dummy.  Returns NULL or a sentence. */
char *xf_domain_set_script(struct xf_domain *, const char *script,
                           long long int now_ms) OVS_WARN_UNUSED_RESULT;

/* Gives the host's side of a card, which is there as soon as the domain runs,
 * MAC and IPv4 address.  Returns 0 or an errno; 0 if the backend has none. */
int xf_domain_set_host_address(const struct xf_domain *, const char *tap,
                               struct eth_addr, ovs_be32 ip,
                               ovs_be32 netmask);

void xf_domain_format(const struct xf_domain *, struct ds *);
struct json *xf_domain_to_json(const struct xf_domain *);

/* ---- Moving.
 *
 * Two processes of this program, one on each host, carry a machine over.  Each
 * operation goes through phases; where it waits in one, the caller says when
 * to go on.  What may not be lost if a process is killed is in file "move" of
 * the domain's folder, on disk before anything is done that relies on it:
 *
 *   source                             destination
 *   sending: its memory is read        preparing: the hypervisor starts
 *   ready: waits for xf_domain_halt()  waiting: memory can be written
 *   halting: stops, the rest is read   received: all is there; stands still
 *   sent: stands still, all is read
 *   given: will never go on by itself
 *                                      taken: goes on
 *
 * So at most one copy may run: that of the source until it is given; nobody's
 * until the destination takes it; that of the destination then.  If the
 * destination can't, it drops its copy, and the source takes its own back.
 *
 * Backends differ.  A machine of QEMU's that is ready runs until halt.  One of
 * Xen's that is copied while it runs is about to be suspended when it is ready,
 * whatever the caller does, and isn't sent before halt; its cards at the
 * destination are made when it has been received, not while it waits.
 *
 * What was in a phase when this process ended: a sender whose machine isn't
 * given goes on by itself; a given one stays given; a receiver that hasn't all
 * of it drops it; one that has, keeps it; one that has taken it, goes on. */

enum xf_move_phase {
    XF_MOVE_NONE,
    XF_MOVE_SENDING,
    XF_MOVE_READY,
    XF_MOVE_HALTING,
    XF_MOVE_SENT,
    XF_MOVE_GIVEN,
    XF_MOVE_PREPARING,
    XF_MOVE_WAITING,
    XF_MOVE_RECEIVED,
    XF_MOVE_TAKEN,              /* As long as the file says it, see
                                 * xf_domain_settle(). */
};
const char *xf_move_phase_to_string(enum xf_move_phase);

#define XF_MOVE_MEMORY_ID_MAX 127

/* What the destination must know of a machine beside its configuration. */
struct xf_move_machine {
    bool kvm;
    /* Names the file that is its memory, on whatever machine it is; "": it is
     * in none. */
    char memory_id[XF_MOVE_MEMORY_ID_MAX + 1];
};

struct xf_move_settings {
    struct uuid migration;      /* By which both sides know each other. */
    struct xf_move_machine machine; /* Of a receiver. */
    bool shares_memory;         /* Both hosts have its memory in one file. */
    bool announces;             /* Switches are told where it is now. */
    unsigned long long int rate_bps;    /* Bytes per second; 0: no limit. */
};

struct xf_move_status {
    enum xf_move_phase phase;
    struct uuid migration;
    int progress;               /* Percent of memory, of a sender. */
    bool has_cards;             /* Of a receiver: the host's sides of its
                                 * cards are there. */
};

void xf_domain_get_move(const struct xf_domain *, struct xf_move_status *);
void xf_domain_get_machine(const struct xf_domain *,
                           struct xf_move_machine *);

/* Whether this host has the file of memory of that name. */
bool xf_domain_has_memory(const struct uuid *domain, const char *memory_id);

/* Each begins or goes on.  Returns NULL, or a sentence that says why not, and
 * then nothing changed.  xf_domain_drop() is for both sides: what is here of
 * the machine goes, and the other one may have it. */
char *xf_domain_send(struct xf_domain *, const struct xf_move_settings *,
                     long long int now_ms) OVS_WARN_UNUSED_RESULT;
char *xf_domain_halt(struct xf_domain *, long long int now_ms)
    OVS_WARN_UNUSED_RESULT;
char *xf_domain_give(struct xf_domain *, long long int now_ms)
    OVS_WARN_UNUSED_RESULT;
char *xf_domain_take_back(struct xf_domain *, const char *why,
                          long long int now_ms) OVS_WARN_UNUSED_RESULT;
char *xf_domain_take(struct xf_domain *, long long int now_ms)
    OVS_WARN_UNUSED_RESULT;
char *xf_domain_drop(struct xf_domain *, long long int now_ms)
    OVS_WARN_UNUSED_RESULT;

/* It was taken, runs, and the other side has none of it: an ordinary domain
 * again. */
void xf_domain_settle(struct xf_domain *);

/* Memory.  read() gives up to 'size' bytes, 0 at the end, or a negative errno:
 * -EAGAIN while there are none.  write() takes some, likewise. */
int xf_domain_read(struct xf_domain *, void *, size_t size);
int xf_domain_write(struct xf_domain *, const void *, size_t size);
void xf_domain_write_end(struct xf_domain *);
void xf_domain_read_wait(const struct xf_domain *);
void xf_domain_write_wait(const struct xf_domain *);

/* ---- All of them. ---- */

/* Opens 'folder' (made if there is none) and adopts the domains found there.
 * With 'dummies', configurations may name the backend "dummy".  Returns NULL
 * and sets '*dsp', or a sentence.  One process at a time has a folder. */
char *xf_domains_open(const char *folder, bool dummies, long long int now_ms,
                      struct xf_domains **dsp) OVS_WARN_UNUSED_RESULT;

/* Frees all; the machines go on. */
void xf_domains_close(struct xf_domains *);

/* Makes a domain, stopped.  Takes over what is in 'config' if it returns NULL
 * and sets '*domainp'; else returns a sentence and changes nothing. */
char *xf_domains_create(struct xf_domains *, struct xf_domain_config *config,
                        struct xf_domain **domainp) OVS_WARN_UNUSED_RESULT;

/* The same for one whose machine comes from another host: its operation
 * 'receive' has begun. */
char *xf_domains_receive(struct xf_domains *, struct xf_domain_config *config,
                         const struct xf_move_settings *,
                         long long int now_ms, struct xf_domain **domainp)
    OVS_WARN_UNUSED_RESULT;

struct xf_domain *xf_domains_find(const struct xf_domains *, const char *name);
size_t xf_domains_count(const struct xf_domains *);

/* All domains by name: an array to be freed, of xf_domains_count(). */
struct xf_domain **xf_domains_sorted(const struct xf_domains *);

/* Carries operations on.  Calls 'changed' for each domain whose status changed
 * since the last call, once; of one in state absent it is the last that is
 * heard: it's freed afterwards. */
typedef void xf_domain_changed_cb(struct xf_domain *, void *aux);
void xf_domains_run(struct xf_domains *, long long int now_ms,
                    xf_domain_changed_cb *changed, void *aux);
void xf_domains_wait(const struct xf_domains *);

#endif /* xenflow/domain.h */
