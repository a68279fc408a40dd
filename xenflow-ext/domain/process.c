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
#include "domain/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "util.h"
#include "xenflow/domain.h"

#define RECORD "process"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
/* Of /proc/PID/stat, counted from the state, which is 1. */
#define UTIME_FIELD 12
#define STIME_FIELD 13
#define START_TIME_FIELD 20
#define RSS_FIELD 22
#define N_FIELDS RSS_FIELD
#define EXIT_CANNOT_RUN 127

struct xf_process {
    pid_t pid;
    int pidfd;
    bool is_child;
    bool ended;
    int status;                 /* As of waitpid(), if it's a child. */
};

/* ---- Which process it is. ---- */

/* Reads the beginning of a small file; "" if it can't be read. */
static void
read_small(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

    buf[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

/* Reads the numbers that the kernel has of process 'pid' (proc(5), as it counts
 * them after the name).  Returns false if it has ended. */
static bool
read_stat(pid_t pid, unsigned long long int fields[N_FIELDS])
{
    char *path = xasprintf("/proc/%d/stat", (int) pid);
    char buf[1024], *p, *save = NULL;

    read_small(path, buf, sizeof buf);
    free(path);
    p = strrchr(buf, ')');      /* Ends the name, which may be anything. */
    p = p ? strtok_r(p + 1, " ", &save) : NULL;
    if (!p || *p == 'Z' || *p == 'X') {
        return false;
    }
    for (int i = 1; i < N_FIELDS; i++) {
        p = strtok_r(NULL, " ", &save);
        if (!p) {
            return false;
        }
        fields[i] = strtoull(p, NULL, 10);
    }
    return true;
}

/* Start time of process 'pid' in the kernel's units, or 0 if it has ended. */
static unsigned long long int
start_time(pid_t pid)
{
    unsigned long long int fields[N_FIELDS];

    return read_stat(pid, fields) ? fields[START_TIME_FIELD - 1] : 0;
}

bool
xf_process_usage(pid_t pid, struct xf_domain_usage *usage)
{
    unsigned long long int fields[N_FIELDS];
    unsigned long long int ms = 1000 / sysconf(_SC_CLK_TCK);

    if (!read_stat(pid, fields)) {
        return false;
    }
    usage->cpu_user_ms = fields[UTIME_FIELD - 1] * ms;
    usage->cpu_system_ms = fields[STIME_FIELD - 1] * ms;
    usage->memory_mb = (fields[RSS_FIELD - 1] * sysconf(_SC_PAGESIZE)
                        / (1024 * 1024));
    return true;
}

static char *
record_path(const char *folder)
{
    return xasprintf("%s/%s", folder, RECORD);
}

/* Text of file "process" for this process. */
static char *
record_text(pid_t pid)
{
    char boot[64];

    read_small(BOOT_ID, boot, sizeof boot);
    return xasprintf("%d %llu %s", (int) pid, start_time(pid), boot);
}

bool
xf_process_is_recorded(const char *folder)
{
    char *path = record_path(folder);
    bool is_recorded = !access(path, F_OK);

    free(path);
    return is_recorded;
}

void
xf_process_forget(const char *folder)
{
    char *path = record_path(folder);

    unlink(path);
    free(path);
}

/* ---- The child, before it becomes another program. ---- */

static void OVS_NO_RETURN
give_up(const char *what, int error)
{
    dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(error));
    _exit(EXIT_CANNOT_RUN);
}

static void
write_record(const char *folder)
{
    char *path = record_path(folder);
    char *text = record_text(getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != strlen(text)) {
        give_up(path, errno);
    }
    close(fd);
    free(path);
    free(text);
}

static void
redirect(const char *log)
{
    int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    int in = open("/dev/null", O_RDONLY);

    if (out < 0 || in < 0) {
        _exit(EXIT_CANNOT_RUN);
    }
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
}

/* Keeps it on the CPUs of a NUMA node, a list such as "0-3,8". */
static void
bind_to_node(int node)
{
    char *path = xasprintf("/sys/devices/system/node/node%d/cpulist", node);
    char list[4096], *save = NULL;
    cpu_set_t cpus;

    read_small(path, list, sizeof list);
    CPU_ZERO(&cpus);
    for (char *p = strtok_r(list, ",\n", &save); p;
         p = strtok_r(NULL, ",\n", &save)) {
        int first, last, n = sscanf(p, "%d-%d", &first, &last);

        for (int cpu = first; n > 0 && cpu <= (n > 1 ? last : first); cpu++) {
            CPU_SET(cpu, &cpus);
        }
    }
    if (!CPU_COUNT(&cpus)) {
        dprintf(STDERR_FILENO, "there is no NUMA node %d with processors on "
                "this host\n", node);
        _exit(EXIT_CANNOT_RUN);
    }
    if (sched_setaffinity(0, sizeof cpus, &cpus)) {
        give_up("CPUs of the NUMA node", errno);
    }
    free(path);
}

static void OVS_NO_RETURN
become(const struct xf_process_spec *spec)
{
    sigset_t none;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    redirect(spec->log);
    if (spec->folder) {
        write_record(spec->folder);
        if (chdir(spec->folder)) {
            give_up(spec->folder, errno);
        }
    }
    if (spec->numa_node >= 0) {
        bind_to_node(spec->numa_node);
    }
    if (spec->prepare) {
        char *error = spec->prepare(spec->aux);

        if (error) {
            dprintf(STDERR_FILENO, "%s\n", error);
            _exit(EXIT_CANNOT_RUN);
        }
    }
    if (!spec->argv) {
        _exit(0);
    }
    close_range(STDERR_FILENO + 1, ~0U, 0);
    execvp(spec->argv[0], spec->argv);
    give_up(spec->argv[0], errno);
}

/* ---- The parent. ---- */

int
xf_process_start(const struct xf_process_spec *spec,
                 struct xf_process **processp)
{
    pid_t pid = fork();

    if (pid < 0) {
        return errno;
    }
    if (!pid) {
        become(spec);
    }

    struct xf_process *p = xzalloc(sizeof *p);
    p->pid = pid;
    p->is_child = true;
    p->pidfd = pidfd_open(pid, 0);
    if (p->pidfd < 0) {
        int error = errno;

        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        free(p);
        return error;
    }
    *processp = p;
    return 0;
}

struct xf_process *
xf_process_adopt(const char *folder)
{
    struct xf_process *p = NULL;
    char *path = record_path(folder);
    char old[128];
    int pid, pidfd;

    read_small(path, old, sizeof old);
    free(path);
    if (sscanf(old, "%d", &pid) != 1 || pid <= 0) {
        return NULL;
    }
    /* First the handle, then the look at what it is: so it is that process. */
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        return NULL;
    }

    char *now = record_text(pid);
    if (start_time(pid) && !strcmp(now, old)) {
        p = xzalloc(sizeof *p);
        p->pid = pid;
        p->pidfd = pidfd;
    } else {
        close(pidfd);
    }
    free(now);
    return p;
}

void
xf_process_close(struct xf_process *p)
{
    if (p) {
        close(p->pidfd);
        free(p);
    }
}

pid_t
xf_process_pid(const struct xf_process *p)
{
    return p->pid;
}

void
xf_process_kill(const struct xf_process *p, int signr)
{
    pidfd_send_signal(p->pidfd, signr, NULL, 0);
}

bool
xf_process_has_ended(struct xf_process *p)
{
    struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };

    if (!p->ended && poll(&pfd, 1, 0) > 0) {
        p->ended = true;
        if (p->is_child && waitpid(p->pid, &p->status, WNOHANG) != p->pid) {
            p->is_child = false;
        }
    }
    return p->ended;
}

char *
xf_process_end(const struct xf_process *p)
{
    if (!p->is_child) {
        return xstrdup("it was started by another xenflow-hostd, so its exit "
                       "code is unknown");
    }
    return (WIFSIGNALED(p->status)
            ? xasprintf("signal %d", WTERMSIG(p->status))
            : xasprintf("exit code %d", WEXITSTATUS(p->status)));
}

void
xf_process_wait(const struct xf_process *p)
{
    poll_fd_wait(p->pidfd, POLLIN);
}

char *
xf_process_log_line(const char *log)
{
    char buf[4096], *save = NULL, *best = NULL;

    read_small(log, buf, sizeof buf);
    for (char *line = strtok_r(buf, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (!strstr(line, "warning:")) {
            best = line;
            break;
        }
    }
    return best ? xstrdup(best) : NULL;
}
