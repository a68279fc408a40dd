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

/* What the files of the backend for QEMU share: qemu.c (operations, beginning
 * and end), qemu-launch.c (how a domain becomes a command line and files),
 * qemu-memory.c (memory to a file and back) and qemu-move.c (to another
 * host). */

#include <stdbool.h>

#include "domain/domain-private.h"
#include "domain/qmp.h"

#define COMMAND_MS 10000
#define BOOT_MS 60000           /* Until QEMU (not the guest) answers. */
#define MEMORY_POLL_MS 100

/* What is waited for. */
enum phase {
    PHASE_NONE,
    PHASE_ACCEL,                /* Whether KVM works. */
    PHASE_ANSWER,               /* An answer of QEMU; it has its own time. */
    PHASE_SAVE,                 /* The end of saving or loading memory. */
    PHASE_LOAD,
    PHASE_COPY,                 /* See qemu-move.c: the machine runs, */
    PHASE_REST,                 /* stands still and its memory goes, */
    PHASE_HELD,                 /* waits for the caller's word, */
    PHASE_BACK,                 /* is to go on here. */
    PHASE_POWERDOWN,            /* The end of QEMU: by the guest, */
    PHASE_QUIT,                 /* by itself, */
    PHASE_KILL,                 /* by the kernel. */
};

struct qemu {
    struct xf_domain up;
    struct xf_process *process; /* NULL: there is none. */
    struct xf_qmp *qmp;         /* Likewise. */
    struct xf_process *cleaner; /* Removes taps, or NULL. */
    bool kvm;

    enum xf_domain_op op;       /* In progress. */
    enum phase phase;
    long long int deadline_ms;  /* Of the phase. */
    long long int poll_ms;      /* When to ask, or look, again. */
    long long int now_ms;       /* As of the last call. */
    bool was_running;           /* Before a suspend. */
    bool saved;                 /* "memory" is there. */
    char *error;                /* Why the operation fails, once it ends. */
    char *shutdown;             /* Reason in event SHUTDOWN. */
    struct pstream *listener;   /* For the memory of one that is sent. */
    struct stream *memory;      /* Of one that moves, or NULL. */
    long long int left;         /* Bytes of it to be sent, when last asked. */
};

/* ---- qemu.c ---- */

/* Waits for something else now, 'ms' at most. */
void xf_qemu_enter(struct qemu *, enum phase, long long int ms);

/* Gives QEMU a command; the operation waits for its answer. */
void xf_qemu_command(struct qemu *, const char *name, struct json *args,
                     int ms, xf_qmp_cb *);

/* Whether an answer still matters: the operation may have gone on to end QEMU,
 * or QEMU has ended, and its end will be handled. */
bool xf_qemu_matters(struct qemu *);

/* String member of an object, or "". */
const char *xf_qemu_string(const struct json *, const char *name);

/* Removes a file of the domain's folder. */
void xf_qemu_remove_file(const struct qemu *, const char *name);

/* The processors go on; then the operation ends. */
void xf_qemu_continue(struct qemu *);

/* Ends QEMU in an orderly way; then the operation ends. */
void xf_qemu_quit(struct qemu *);

/* The operation fails; a machine that isn't up in full goes. */
void xf_qemu_fail(struct qemu *, const char *error);

/* The operation is over; takes ownership of 'error', NULL: it succeeded. */
void xf_qemu_finish(struct qemu *, enum xf_domain_state, char *error);

/* Start, restore or receive: makes what QEMU needs, then starts it. */
void xf_qemu_begin_start(struct qemu *);

/* ---- qemu-move.c ---- */

/* File that is to be the machine's memory, to be freed; NULL: none. */
char *xf_qemu_memory_path(const struct xf_domain *, bool kvm);

/* It isn't needed any more. */
void xf_qemu_remove_memory(const struct xf_domain *);

/* QEMU is up and waits for memory. */
void xf_qemu_receive_memory(struct qemu *);

/* In phases PHASE_COPY to PHASE_BACK. */
void xf_qemu_run_move(struct qemu *);
void xf_qemu_close_move(struct qemu *);

/* ---- qemu-memory.c ---- */

void xf_qemu_save_memory(struct qemu *);
void xf_qemu_load_memory(struct qemu *);

/* In phases PHASE_SAVE and PHASE_LOAD. */
void xf_qemu_run_memory(struct qemu *);

/* ---- qemu-launch.c ---- */

/* Starts the domain's QEMU; with 'incoming' it waits for saved memory.
 * Returns NULL and '*processp', or a sentence. */
char *xf_qemu_launch(const struct xf_domain *, bool kvm, bool incoming,
                     struct xf_process **processp);

#endif /* domain/qemu-private.h */
