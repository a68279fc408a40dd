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

#ifndef XF_DOMAIN_PROCESS_H
#define XF_DOMAIN_PROCESS_H 1

/* A process that outlives this one.
 *
 * File "process" of a folder says which it is (its number, its start time and
 * the boot), so that a successor of this program finds it, and never takes
 * another of the same number for it.  The child itself writes the file before
 * anything else, holding the lock that it inherited (see domain.c): there is
 * no moment at which a hypervisor runs that nobody can find.  A pidfd then
 * tells its end, also of one that isn't our child, without SIGCHLD.
 *
 * (QEMU's own -daemonize would give neither its exit code nor its number
 * before it is up.) */

#include <stdbool.h>
#include <sys/types.h>

struct xf_process;

struct xf_process_spec {
    const char *folder;         /* Runs there; of file "process".  Or NULL. */
    const char *log;            /* Standard output and error. */
    char **argv;                /* NULL: it only prepares, and ends. */
    int numa_node;              /* CPUs it may use; -1: all. */

    /* Runs in the child first; may take its time.  Returns NULL or a sentence,
     * which goes to 'log' and ends the child.  May be NULL. */
    char *(*prepare)(void *aux);
    void *aux;
};

/* Starts it.  Returns 0 or an errno. */
int xf_process_start(const struct xf_process_spec *, struct xf_process **);

/* The process that "process" of 'folder' names, or NULL if it doesn't run. */
struct xf_process *xf_process_adopt(const char *folder);

/* Whether there is a file "process": nobody saw its end. */
bool xf_process_is_recorded(const char *folder);
void xf_process_forget(const char *folder);

/* Frees what is known of it; the process goes on. */
void xf_process_close(struct xf_process *);

pid_t xf_process_pid(const struct xf_process *);
void xf_process_kill(const struct xf_process *, int signr);
bool xf_process_has_ended(struct xf_process *);

/* How it ended, to be freed: "exit code 1". */
char *xf_process_end(const struct xf_process *);
void xf_process_wait(const struct xf_process *);

/* First line of file 'log' that says something, to be freed, or NULL. */
char *xf_process_log_line(const char *log);

#endif /* domain/process.h */
