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

/* Xen by its library libxenlight: the list of domains, and jobs. */

#include <config.h>
#include "domain/xen-private.h"

#include <stdlib.h>

#include "openvswitch/util.h"
#include "util.h"

#if __has_include(<libxl.h>)

#include <errno.h>
#include <fcntl.h>
#include <libxl_event.h>
#include <libxl_utils.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#include "domain/domain-private.h"
#include "domain/image.h"
#include "domain/process.h"
#include "domain/tap.h"
#include "domain/xen-light-private.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_xen_light);

#define HYPERVISOR_TYPE "/sys/hypervisor/type"
/* A panic is seen by Xen before the kernel could reset anything. */
#define KERNEL_ARGS "console=hvc0 quiet panic=-1"
/* Of network cards: the domain and we do all that such a script does. */
#define NO_SCRIPT "/bin/true"
#define LOG_LINES_MAX 20
#define ASK_MS 100

/* ---- What libxenlight says. ---- */

static void OVS_PRINTF_FORMAT(5, 0)
log_message(xentoollog_logger *logger_, xentoollog_level level, int error,
            const char *context, const char *format, va_list args)
{
    struct xf_xen_logger *logger = CONTAINER_OF(logger_,
                                                struct xf_xen_logger, up);
    char *text = xvasprintf(format, args);

    if (level < XTL_ERROR) {
        free(text);
        return;
    }
    if (error > 0) {
        char *whole = xasprintf("%s (%s)", text, ovs_strerror(error));

        free(text);
        text = whole;
    }
    if (logger->in_child && logger->n_lines++ < LOG_LINES_MAX) {
        /* What isn't a warning is taken for the job's result. */
        fprintf(stderr, "warning: %s: %s\n", context ? context : "xen", text);
    } else if (!logger->in_child) {
        VLOG_DBG("%s: %s", context ? context : "xen", text);
    }
    if (!logger->first) {
        logger->first = text;
    } else {
        free(text);
    }
}

static void
ignore_progress(xentoollog_logger *logger OVS_UNUSED,
                const char *context OVS_UNUSED, const char *what OVS_UNUSED,
                int percent OVS_UNUSED, unsigned long done OVS_UNUSED,
                unsigned long total OVS_UNUSED)
{
}

static void
destroy_nothing(xentoollog_logger *logger OVS_UNUSED)
{
}

/* Opens the library.  Returns 0 or its error. */
static int
open_library(struct xf_xen_logger *logger, libxl_ctx **ctxp)
{
    logger->up = (xentoollog_logger) {
        .vmessage = log_message,
        .progress = ignore_progress,
        .destroy = destroy_nothing,
    };
    return libxl_ctx_alloc(ctxp, LIBXL_VERSION, 0, &logger->up);
}

/* ---- The list of domains. ---- */

struct entry {
    struct uuid uuid;
    struct xf_xen_info info;
};

/* Facts about this host, so there is one. */
static struct {
    libxl_ctx *ctx;             /* NULL: not open. */
    struct xf_xen_logger logger;
    struct entry *entries;
    int n;
    long long int until_ms;     /* When the list is too old. */
} host;

static bool
is_under_xen(void)
{
    char type[8] = "";
    FILE *f = fopen(HYPERVISOR_TYPE, "r");

    if (f) {
        type[fread(type, 1, sizeof type - 1, f)] = '\0';
        fclose(f);
    }
    return !strncmp(type, "xen", 3);
}

char *
xf_xen_check_host(void)
{
    if (!is_under_xen()) {
        return xstrdup("this host doesn't run under Xen: boot it under Xen, "
                       "or use backend qemu");
    }
    return NULL;
}

enum xf_xen_presence
xf_xen_presence_of(const libxl_dominfo *info)
{
    if (info->dying) {
        return XF_XEN_ABSENT;
    } else if (!info->shutdown) {
        return info->paused ? XF_XEN_PAUSED : XF_XEN_RUNNING;
    }
    switch ((int) info->shutdown_reason) {
    case LIBXL_SHUTDOWN_REASON_POWEROFF:
        return XF_XEN_POWEROFF;
    case LIBXL_SHUTDOWN_REASON_REBOOT:
    case LIBXL_SHUTDOWN_REASON_SOFT_RESET:
        return XF_XEN_REBOOT;
    case LIBXL_SHUTDOWN_REASON_SUSPEND:
        return XF_XEN_SAVED;
    default:
        return XF_XEN_CRASHED;
    }
}

static struct uuid
uuid_of(const libxl_uuid *uuid)
{
    char text[64];
    struct uuid result;

    snprintf(text, sizeof text, LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
    if (!uuid_from_string(&result, text)) {
        result = UUID_ZERO;
    }
    return result;
}

static int
compare_entries(const void *a_, const void *b_)
{
    const struct entry *a = a_, *b = b_;

    return uuid_compare_3way(&a->uuid, &b->uuid);
}

/* Reads the list anew.  Returns NULL or a sentence. */
static char *
read_list(void)
{
    libxl_dominfo *list;
    int n = 0;

    if (!host.ctx && open_library(&host.logger, &host.ctx)) {
        host.ctx = NULL;
        return xasprintf("Xen can't be reached (%s): are xenstored and the "
                         "other daemons of Xen there?", host.logger.first
                         ? host.logger.first : "unknown error");
    }
    list = libxl_list_domain(host.ctx, &n);
    if (!list) {
        return xasprintf("Xen doesn't list its domains (%s)",
                         host.logger.first ? host.logger.first
                         : "unknown error");
    }
    free(host.entries);
    host.entries = xcalloc(n, sizeof *host.entries);
    host.n = n;
    for (int i = 0; i < n; i++) {
        host.entries[i] = (struct entry) {
            .uuid = uuid_of(&list[i].uuid),
            .info = { .presence = xf_xen_presence_of(&list[i]),
                      .id = list[i].domid },
        };
    }
    qsort(host.entries, n, sizeof *host.entries, compare_entries);
    libxl_dominfo_list_free(list, n);
    return NULL;
}

char *
xf_xen_look(const struct uuid *uuid, long long int now_ms,
            struct xf_xen_info *info)
{
    const struct entry key = { .uuid = *uuid }, *entry;

    memset(info, 0, sizeof *info);
    if (!is_under_xen()) {
        return NULL;
    }
    if (now_ms >= host.until_ms) {
        char *error;

        free(host.logger.first);
        host.logger.first = NULL;
        error = read_list();
        if (error) {
            return error;
        }
        host.until_ms = now_ms + XF_XEN_LIST_MS;
    }
    entry = host.n ? bsearch(&key, host.entries, host.n,
                             sizeof *host.entries, compare_entries) : NULL;
    if (entry && entry->info.presence != XF_XEN_ABSENT) {
        *info = entry->info;
    }
    return NULL;
}

void
xf_xen_forget_list(void)
{
    host.until_ms = 0;
}

bool
xf_xen_look_at(const struct uuid *uuid, struct xf_xen_info *info)
{
    libxl_dominfo dominfo;
    bool is_there = false;

    if (!host.ctx || !info->id) {
        return false;
    }
    libxl_dominfo_init(&dominfo);
    if (!libxl_domain_info(host.ctx, &dominfo, info->id)) {
        struct uuid found = uuid_of(&dominfo.uuid);

        info->presence = xf_xen_presence_of(&dominfo);
        info->cpu_ms = dominfo.cpu_time / 1000000;
        info->memory_mb = dominfo.current_memkb / 1024;
        is_there = (uuid_equals(&found, uuid)
                    && info->presence != XF_XEN_ABSENT);
    }
    libxl_dominfo_dispose(&dominfo);
    return is_there;
}

/* ---- Jobs, in a child process. ---- */

char *
xf_xen_failed(const struct xf_xen_work *job, const char *what)
{
    return xasprintf("%s: %s", what, job->logger.first ? job->logger.first
                     : "Xen doesn't say why");
}

/* ---- The description of a domain. ---- */

/* Keeps processors and memory on the NUMA node. */
static char *
describe_node(struct xf_xen_work *job, libxl_domain_build_info *b)
{
    unsigned int node = job->config->numa_node;
    libxl_bitmap cpus;

    libxl_bitmap_init(&cpus);
    if (libxl_cpu_bitmap_alloc(job->ctx, &cpus, 0)
        || libxl_node_to_cpumap(job->ctx, node, &cpus)
        || libxl_bitmap_is_empty(&cpus)) {
        return xasprintf("there is no NUMA node %u with processors on this "
                         "host", node);
    }
    b->num_vcpu_hard_affinity = job->config->n_vcpus;
    b->vcpu_hard_affinity = xcalloc(job->config->n_vcpus,
                                    sizeof *b->vcpu_hard_affinity);
    for (unsigned int i = 0; i < job->config->n_vcpus; i++) {
        libxl_bitmap_init(&b->vcpu_hard_affinity[i]);
        libxl_bitmap_copy_alloc(job->ctx, &b->vcpu_hard_affinity[i], &cpus);
    }
    libxl_defbool_set(&b->numa_placement, false);
    libxl_node_bitmap_alloc(job->ctx, &b->nodemap, 0);
    libxl_bitmap_set_none(&b->nodemap);
    libxl_bitmap_set(&b->nodemap, node);
    return NULL;
}

static char *
describe_machine(struct xf_xen_work *job, libxl_domain_config *dc)
{
    const struct xf_domain_config *config = job->config;
    libxl_domain_create_info *c = &dc->c_info;
    libxl_domain_build_info *b = &dc->b_info;
    char uuid[UUID_LEN + 1];

    c->type = (job->d->backend == &xf_domain_xen_pv ? LIBXL_DOMAIN_TYPE_PV
               : LIBXL_DOMAIN_TYPE_PVH);
    c->name = xstrdup(config->name);
    snprintf(uuid, sizeof uuid, UUID_FMT, UUID_ARGS(&config->uuid));
    libxl_uuid_from_string(&c->uuid, uuid);

    libxl_domain_build_info_init_type(b, c->type);
    b->max_vcpus = config->n_vcpus;
    libxl_cpu_bitmap_alloc(job->ctx, &b->avail_vcpus, config->n_vcpus);
    for (unsigned int i = 0; i < config->n_vcpus; i++) {
        libxl_bitmap_set(&b->avail_vcpus, i);
    }
    b->max_memkb = b->target_memkb = config->memory_mb * 1024ULL;
    b->kernel = xasprintf("%s/vmlinux", config->image);
    b->ramdisk = xf_domain_path(job->d, "initrd");
    b->cmdline = xasprintf("%s%s%s", KERNEL_ARGS,
                           config->kernel_args[0] ? " " : "",
                           config->kernel_args);
    return config->numa_node >= 0 ? describe_node(job, b) : NULL;
}

static void
describe_nics(const struct xf_xen_work *job, libxl_domain_config *dc)
{
    const struct xf_domain_config *config = job->config;

    dc->num_nics = config->n_nics;
    dc->nics = xcalloc(config->n_nics, sizeof *dc->nics);
    for (size_t i = 0; i < config->n_nics; i++) {
        libxl_device_nic *nic = &dc->nics[i];

        libxl_device_nic_init(nic);
        nic->devid = i;
        nic->nictype = LIBXL_NIC_TYPE_VIF;
        nic->script = xstrdup(NO_SCRIPT);
        memcpy(nic->mac, config->nics[i].mac.ea, sizeof nic->mac);
    }
}

char *
xf_xen_check_memory(struct xf_xen_work *job)
{
    libxl_physinfo info;
    uint64_t free_mb;

    libxl_physinfo_init(&info);
    if (libxl_get_physinfo(job->ctx, &info)) {
        return xf_xen_failed(job, "Xen doesn't say what memory it has");
    }
    free_mb = info.free_pages * 4 / 1024;
    libxl_physinfo_dispose(&info);
    return (free_mb < job->config->memory_mb
            ? xasprintf("memory: Xen has %"PRIu64" MB left on this host, %u "
                        "are wanted", free_mb, job->config->memory_mb)
            : NULL);
}

/* ---- Network cards. ---- */

/* Sets values of the back-end of card 'i' in xenstore: frames of the guest are
 * no larger than the wire's, with checksums as far as the back-end has a say;
 * and, to the kernel's driver, that a hotplug script has done its work. */
static int
set_back_end(const struct xf_xen_work *job, struct xs_handle *xs, size_t i)
{
    static const struct {
        const char *name, *value;
    } settings[] = {
        { "feature-gso-tcpv4", "0" },
        { "feature-gso-tcpv6", "0" },
        { "feature-ipv6-csum-offload", "0" },
        { "hotplug-status", "connected" },
    };

    for (size_t j = 0; j < ARRAY_SIZE(settings); j++) {
        char *path = xasprintf("/local/domain/0/backend/vif/%u/%"PRIuSIZE
                               "/%s", job->id, i, settings[j].name);
        bool ok = xs_write(xs, XBT_NULL, path, settings[j].value,
                           strlen(settings[j].value));

        free(path);
        if (!ok) {
            return errno;
        }
    }
    return 0;
}

/* Brings up the host's sides, under their names. */
static char *
set_up_nics(struct xf_xen_work *job)
{
    struct xs_handle *xs = xs_open(0);
    char *sentence = NULL;

    if (!xs) {
        return xstrdup("xenstore can't be opened");
    }
    for (size_t i = 0; i < job->config->n_nics && !sentence; i++) {
        const char *name = job->config->nics[i].tap;
        char *old = xasprintf("vif%u.%"PRIuSIZE, job->id, i);
        int error = xf_tap_rename(old, name);

        error = error ? error : xf_tap_configure(name);
        error = error ? error : set_back_end(job, xs, i);
        if (error) {
            sentence = xasprintf("network card '%s' can't be made of '%s' "
                                 "(%s)%s", name, old, ovs_strerror(error),
                                 error == EEXIST ? ": an interface of that "
                                 "name is there" : "");
        }
        free(old);
    }
    xs_close(xs);
    return sentence;
}

/* ---- Each job. ---- */

/* Builds the domain, paused, out of its image or, with 'fd', of its memory. */
static char *
build_machine(struct xf_xen_work *job, int fd)
{
    libxl_domain_config dc;
    char *error = xf_xen_check_memory(job);

    if (error) {
        return error;
    }
    libxl_domain_config_init(&dc);
    error = describe_machine(job, &dc);
    if (error) {
        return error;
    }
    describe_nics(job, &dc);
    if (fd < 0) {
        return (libxl_domain_create_new(job->ctx, &dc, &job->id, NULL, NULL)
                ? xf_xen_failed(job, "Xen can't build the domain") : NULL);
    }

    libxl_domain_restore_params params;
    libxl_domain_restore_params_init(&params);
    params.stream_version = 2;
    return (libxl_domain_create_restore(job->ctx, &dc, &job->id, fd, -1,
                                        &params, NULL, NULL)
            ? xf_xen_failed(job, "Xen can't build the domain of its memory")
            : NULL);
}

/* Removes the domain if it's there. */
static char *
do_remove(struct xf_xen_work *job)
{
    int error = libxl_domain_destroy(job->ctx, job->id, NULL);

    return (error && error != ERROR_DOMAIN_NOTFOUND
            ? xf_xen_failed(job, "Xen can't remove the domain") : NULL);
}

char *
xf_xen_build(struct xf_xen_work *job, int fd)
{
    char *error = build_machine(job, fd);

    if (!error) {
        char *built = xf_domain_path(job->d, XF_XEN_BUILT);

        error = set_up_nics(job);
        if (!error && xf_domain_write_file(built, "")) {
            error = xasprintf("%s: can't be written", built);
        }
        if (error) {
            free(do_remove(job));
        }
        free(built);
    }
    return error;
}

static char *
run_it(struct xf_xen_work *job)
{
    return (libxl_domain_unpause(job->ctx, job->id, NULL)
            ? xf_xen_failed(job, "Xen can't let the domain run") : NULL);
}

static char *
do_start(struct xf_xen_work *job, bool is_restore)
{
    char *memory = xf_domain_path(job->d, "memory");
    char *error = NULL;
    int fd = -1;

    if (!is_restore) {
        error = xf_image_write_initrd(CONST_CAST(struct xf_domain *, job->d));
    } else {
        fd = open(memory, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            error = xasprintf("%s: can't be read (%s)", memory,
                              ovs_strerror(errno));
        }
    }
    error = error ? error : xf_xen_build(job, fd);
    if (!error) {
        unlink(memory);
        error = run_it(job);
    }
    return error;
}

/* Waits 'ms' for the domain to shut down. */
static void
wait_for_shutdown(struct xf_xen_work *job, int ms)
{
    for (int waited_ms = 0; waited_ms < ms; waited_ms += ASK_MS) {
        libxl_dominfo info;
        bool is_over;

        libxl_dominfo_init(&info);
        is_over = (libxl_domain_info(job->ctx, &info, job->id)
                   || info.shutdown || info.dying);
        libxl_dominfo_dispose(&info);
        if (is_over) {
            return;
        }
        xnanosleep(ASK_MS * 1000 * 1000ULL);
    }
}

static char *
do_stop(struct xf_xen_work *job, enum xf_xen_presence presence)
{
    char *error;

    if (presence == XF_XEN_RUNNING && job->config->stop_s
        && !libxl_domain_shutdown(job->ctx, job->id, NULL)) {
        wait_for_shutdown(job, job->config->stop_s * 1000);
    }
    error = do_remove(job);
    if (!error) {
        xf_process_forget(job->d->folder);
    }
    return error;
}

char *
xf_xen_continue(struct xf_xen_work *job, enum xf_xen_presence presence)
{
    if (presence == XF_XEN_SAVED) {
        /* A guest that can't go on as if nothing had been begins anew with its
         * devices. */
        return (libxl_domain_resume(job->ctx, job->id, 1, NULL)
                && libxl_domain_resume(job->ctx, job->id, 0, NULL)
                ? xf_xen_failed(job, "Xen can't let the domain run again")
                : NULL);
    }
    return presence == XF_XEN_PAUSED ? run_it(job) : NULL;
}

/* The guest itself takes part, so one that is paused runs for a moment. */
static char *
do_suspend(struct xf_xen_work *job, enum xf_xen_presence presence)
{
    char *new = xf_domain_path(job->d, "memory.new");
    char *memory = xf_domain_path(job->d, "memory");
    int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *error = NULL;

    if (fd < 0) {
        return xasprintf("%s: can't be made (%s)", new, ovs_strerror(errno));
    }
    if (presence != XF_XEN_RUNNING) {
        error = xf_xen_continue(job, presence);
    }
    if (!error && libxl_domain_suspend(job->ctx, job->id, fd, 0, NULL)) {
        error = xf_xen_failed(job, "Xen can't save the domain");
    }
    if (!error && rename(new, memory)) {
        error = xasprintf("%s: can't be renamed (%s)", new,
                          ovs_strerror(errno));
    }
    if (error) {
        libxl_domain_resume(job->ctx, job->id, 1, NULL);
        unlink(new);
        return error;
    }
    return do_remove(job);
}

/* Of the files that the child inherited only 'fds' stay, from
 * XF_XEN_MEMORY_FD on. */
static void
keep_files(const int fds[2])
{
    int copies[2];

    for (int i = 0; i < 2; i++) {
        copies[i] = fcntl(fds[i], F_DUPFD, XF_XEN_FIRST_FREE_FD);
    }
    for (int i = 0; i < 2; i++) {
        if (copies[i] < 0 || dup2(copies[i], XF_XEN_MEMORY_FD + i) < 0) {
            close(XF_XEN_MEMORY_FD + i);
        }
    }
    close_range(XF_XEN_FIRST_FREE_FD, ~0U, 0);
}

/* The child inherited what isn't its own. */
static void
become_worker(const int fds[2])
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGALRM };

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        signal(signals[i], SIG_DFL);
    }
    signal(SIGPIPE, SIG_IGN);
    if (host.ctx) {
        libxl_postfork_child_noexec(host.ctx);
    }
    host.ctx = NULL;
    xf_xen_forget_list();
    keep_files(fds);
}

char *
xf_xen_do(void *request_)
{
    const struct xf_xen_request *request = request_;
    struct xf_xen_work job = {
        .d = request->domain,
        .config = &request->domain->config,
        .logger = { .in_child = true },
    };
    const int fds[] = { request->memory_fd, request->word_fd };
    struct xf_xen_info info;
    char *error;

    become_worker(fds);
    host.logger.in_child = true;
    error = xf_xen_look(&job.config->uuid, time_msec(), &info);
    if (error) {
        return error;
    }
    if (open_library(&job.logger, &job.ctx)) {
        return xf_xen_failed(&job, "Xen can't be reached");
    }
    job.id = info.id;
    switch (request->job) {
    case XF_XEN_START:
    case XF_XEN_RESTORE:
        return do_start(&job, request->job == XF_XEN_RESTORE);
    case XF_XEN_CONTINUE:
        return xf_xen_continue(&job, info.presence);
    case XF_XEN_STOP:
        return do_stop(&job, info.presence);
    case XF_XEN_SUSPEND:
        return do_suspend(&job, info.presence);
    case XF_XEN_REMOVE:
        return info.presence == XF_XEN_ABSENT ? NULL : do_remove(&job);
    case XF_XEN_SEND:
        return xf_xen_do_send(&job);
    case XF_XEN_RECEIVE:
        return xf_xen_do_receive(&job);
    default:
        OVS_NOT_REACHED();
    }
}

#else  /* There is no libxenlight. */

char *
xf_xen_check_host(void)
{
    return xstrdup("this xenflow-hostd was built without libxenlight: install "
                   "it (Debian: libxen-dev) and build again");
}

char *
xf_xen_look(const struct uuid *uuid OVS_UNUSED,
            long long int now_ms OVS_UNUSED, struct xf_xen_info *info)
{
    *info = (struct xf_xen_info) { .presence = XF_XEN_ABSENT };
    return NULL;
}

void
xf_xen_forget_list(void)
{
}

bool
xf_xen_look_at(const struct uuid *uuid OVS_UNUSED,
               struct xf_xen_info *info OVS_UNUSED)
{
    return false;
}

char *
xf_xen_do(void *request OVS_UNUSED)
{
    return xf_xen_check_host();
}

#endif
