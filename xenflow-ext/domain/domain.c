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

/* What is the same for all backends: which operation is allowed when, one at a
 * time, domains in folders, and adoption.  See xenflow/domain.h. */

#include <config.h>
#include "domain/domain-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/tap.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_domain);

#define CONFIG "config.json"
/* A child of a killed predecessor keeps the lock until it becomes a
 * hypervisor. */
#define LOCK_WAIT_MS 5000

struct xf_domains {
    char *folder;
    int lock_fd;
    bool dummies;
    struct hmap by_name;        /* Of struct xf_domain. */
    struct ovs_list changed;    /* Likewise: not yet told to the caller. */
};

static const struct xf_domain_backend *const backends[] = {
    &xf_domain_qemu,
    &xf_domain_xen_pv,
    &xf_domain_xen_pvh,
    &xf_domain_dummy,
};

static const char *const state_names[] = {
    "absent", "starting", "running", "paused", "suspended", "stopped",
    "crashed",
};

static const char *const op_names[] = {
    "none", "adopt", "start", "stop", "restart", "suspend", "restore",
    "destroy", "send", "receive",
};

#define BIT(STATE) (1u << XF_DOMAIN_##STATE)

/* States in which each operation may begin, and what else to do. */
static const struct {
    unsigned int states;
    const char *hint;
} rules[] = {
    [XF_DOMAIN_OP_START] = { BIT(STOPPED) | BIT(CRASHED) | BIT(PAUSED),
                             "stopped, crashed or paused" },
    [XF_DOMAIN_OP_STOP] = { BIT(RUNNING) | BIT(PAUSED) | BIT(SUSPENDED)
                            | BIT(CRASHED),
                            "running, paused, crashed, or suspended (whose "
                            "memory is dropped)" },
    [XF_DOMAIN_OP_RESTART] = { BIT(RUNNING) | BIT(PAUSED) | BIT(CRASHED),
                               "running, paused or crashed" },
    [XF_DOMAIN_OP_SUSPEND] = { BIT(RUNNING) | BIT(PAUSED),
                               "running or paused" },
    [XF_DOMAIN_OP_RESTORE] = { BIT(SUSPENDED), "suspended" },
    [XF_DOMAIN_OP_DESTROY] = { ~BIT(ABSENT), "there" },
};

const char *
xf_domain_state_to_string(enum xf_domain_state state)
{
    return state < ARRAY_SIZE(state_names) ? state_names[state] : "?";
}

const char *
xf_domain_op_to_string(enum xf_domain_op op)
{
    return op < ARRAY_SIZE(op_names) ? op_names[op] : "?";
}

bool
xf_domain_op_from_string(const char *s, enum xf_domain_op *opp)
{
    for (size_t i = XF_DOMAIN_OP_START; i < ARRAY_SIZE(op_names); i++) {
        if (!strcmp(s, op_names[i])) {
            *opp = i;
            return true;
        }
    }
    return false;
}

/* ---- One domain. ---- */

const struct xf_domain_config *
xf_domain_get_config(const struct xf_domain *d)
{
    return &d->config;
}

void
xf_domain_get_status(const struct xf_domain *d,
                     struct xf_domain_status *status)
{
    *status = (struct xf_domain_status) {
        .state = d->state,
        .reason = d->reason,
        .op = d->op,
        .last_op = d->last_op,
        .error = d->error,
        .n_crashes = d->n_crashes,
    };
}

void
xf_domain_begin__(struct xf_domain *d, enum xf_domain_op op,
                  long long int now_ms)
{
    if (op == XF_DOMAIN_OP_RESTORE
        || (op == XF_DOMAIN_OP_START && d->state != XF_DOMAIN_PAUSED)) {
        xf_domain_set_state(d, XF_DOMAIN_STARTING, NULL);
    }
    d->backend->begin(d, op, now_ms);
}

char *
xf_domain_begin(struct xf_domain *d, enum xf_domain_op op,
                long long int now_ms)
{
    ovs_assert(op >= XF_DOMAIN_OP_START && op < ARRAY_SIZE(rules));
    if (d->op != XF_DOMAIN_OP_NONE) {
        return xasprintf("domain '%s' can't %s now: its %s is in progress; "
                         "wait until that has ended", d->config.name,
                         op_names[op], op_names[d->op]);
    }
    if (d->move.phase != XF_MOVE_NONE && d->move.phase != XF_MOVE_TAKEN) {
        return xasprintf("domain '%s' can't %s now: it is moving to or from "
                         "another host", d->config.name, op_names[op]);
    }
    if (!(rules[op].states & (1u << d->state))) {
        return xasprintf("domain '%s' is %s: %s is for one that is %s",
                         d->config.name, state_names[d->state], op_names[op],
                         rules[op].hint);
    }
    VLOG_INFO("%s: %s", d->config.name, op_names[op]);
    free(d->error);
    d->error = NULL;
    d->op = op;
    d->next_op = XF_DOMAIN_OP_NONE;
    xf_domain_changed(d);
    if (op == XF_DOMAIN_OP_RESTART) {
        d->next_op = XF_DOMAIN_OP_START;
        op = XF_DOMAIN_OP_STOP;
    }
    xf_domain_begin__(d, op, now_ms);
    return NULL;
}

char *
xf_domain_set_script(struct xf_domain *d, const char *script,
                     long long int now_ms)
{
    if (!d->backend->set_script) {
        return xasprintf("domain '%s' is no dummy but one of backend %s: it "
                         "has no script", d->config.name, d->backend->name);
    }
    return d->backend->set_script(d, script, now_ms);
}

bool
xf_domain_get_usage(const struct xf_domain *d, struct xf_domain_usage *usage)
{
    memset(usage, 0, sizeof *usage);
    return d->backend->usage && d->backend->usage(d, usage);
}

int
xf_domain_set_host_address(const struct xf_domain *d, const char *tap,
                           struct eth_addr mac, ovs_be32 ip, ovs_be32 netmask)
{
    return d->backend->has_taps ? xf_tap_set_addresses(tap, mac, ip, netmask)
           : 0;
}

/* ---- For backends. ---- */

void
xf_domain_changed(struct xf_domain *d)
{
    if (ovs_list_is_empty(&d->changed)) {
        ovs_list_push_back(&d->all->changed, &d->changed);
    }
}

void
xf_domain_set_state(struct xf_domain *d, enum xf_domain_state state,
                    char *reason)
{
    if (state != d->state) {
        VLOG(state == XF_DOMAIN_CRASHED ? VLL_WARN : VLL_INFO,
             "%s: %s -> %s%s%s", d->config.name, state_names[d->state],
             state_names[state], reason ? ": " : "", reason ? reason : "");
        d->n_crashes += state == XF_DOMAIN_CRASHED;
    }
    d->state = state;
    free(d->reason);
    d->reason = reason;
    xf_domain_changed(d);
}

void
xf_domain_finish(struct xf_domain *d, enum xf_domain_state state, char *error)
{
    enum xf_domain_op op = d->op;

    if (state != d->state) {
        xf_domain_set_state(d, state, NULL);
    }
    xf_domain_changed(d);
    if (!error && d->next_op != XF_DOMAIN_OP_NONE) {
        return;                 /* xf_domains_run() goes on. */
    }
    if (error) {
        VLOG_WARN("%s: %s failed: %s", d->config.name, op_names[op], error);
    }
    d->op = d->next_op = XF_DOMAIN_OP_NONE;
    d->last_op = op;
    free(d->error);
    d->error = error;
    xf_domain_move_ended(d, op, state, error != NULL);
}

char *
xf_domain_path(const struct xf_domain *d, const char *name)
{
    return xasprintf("%s/%s", d->folder, name);
}

/* Writes 'text' to 'path' made anew, on disk if 'safely'. */
static int
write_new(const char *path, const char *text, bool safely)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t left = strlen(text);
    int error = fd < 0 ? errno : 0;

    while (!error && left) {
        ssize_t n = write(fd, text, left);

        if (n > 0) {
            text += n;
            left -= n;
        } else if (!n || errno != EINTR) {
            error = n ? errno : EIO;
        }
    }
    if (!error && safely && fsync(fd)) {
        error = errno;
    }
    if (fd >= 0 && close(fd) && !error) {
        error = errno;
    }
    return error;
}

static int
write_file(const char *path, const char *text, bool safely)
{
    char *new = xasprintf("%s.new", path);
    int error = write_new(new, text, safely);

    if (!error && rename(new, path)) {
        error = errno;
    }
    if (error) {
        unlink(new);
    }
    free(new);
    return error;
}

int
xf_domain_write_file(const char *path, const char *text)
{
    return write_file(path, text, false);
}

int
xf_domain_write_safely(const char *folder, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    int error = (text ? write_file(path, text, true)
                 : unlink(path) && errno != ENOENT ? errno : 0);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* The name is on disk, too. */
    if (!error && (fd < 0 || fsync(fd))) {
        error = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return error;
}

/* ---- Making and removing. ---- */

static const struct xf_domain_backend *
find_backend(const struct xf_domains *all, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        if (!strcmp(name, backends[i]->name)
            && (backends[i] != &xf_domain_dummy || all->dummies)) {
            return backends[i];
        }
    }
    return NULL;
}

/* Says what of 'config' conflicts with the other domains, or NULL. */
static char *
check_conflicts(const struct xf_domains *all,
                const struct xf_domain_config *config)
{
    const struct xf_domain *d;

    HMAP_FOR_EACH (d, node, &all->by_name) {
        if (!strcmp(d->config.name, config->name)) {
            return xasprintf("there is a domain '%s' already", config->name);
        }
        if (uuid_equals(&d->config.uuid, &config->uuid)) {
            return xasprintf("uuid: domain '%s' has the same",
                             d->config.name);
        }
        for (size_t i = 0; i < config->n_nics; i++) {
            for (size_t j = 0; j < d->config.n_nics; j++) {
                if (!strcmp(config->nics[i].tap, d->config.nics[j].tap)) {
                    return xasprintf("nics[%"PRIuSIZE"]: tap '%s' is domain "
                                     "'%s''s", i, config->nics[i].tap,
                                     d->config.name);
                }
            }
        }
    }
    return NULL;
}

/* Says what is wrong with 'config', or NULL. */
static char *
check_config(const struct xf_domains *all,
             const struct xf_domain_config *config)
{
    const struct xf_domain_backend *backend = find_backend(all,
                                                           config->backend);

    if (!backend) {
        return xasprintf("backend: '%.80s' is unknown: use qemu, xen-pv "
                         "or xen-pvh", config->backend);
    }
    if (hmap_count(&all->by_name) >= XF_DOMAINS_MAX) {
        return xasprintf("there are %d domains, the most that are possible: "
                         "destroy one first", XF_DOMAINS_MAX);
    }
    char *error = check_conflicts(all, config);
    return error ? error : backend->check(config);
}

/* Adds a domain to those in memory; takes over what is in 'config'. */
static struct xf_domain *
add(struct xf_domains *all, struct xf_domain_config *config)
{
    const struct xf_domain_backend *backend = find_backend(all,
                                                           config->backend);
    struct xf_domain *d = backend->alloc(config);

    d->all = all;
    d->backend = backend;
    d->config = *config;
    memset(config, 0, sizeof *config);
    d->folder = xasprintf("%s/%s", all->folder, d->config.name);
    d->state = XF_DOMAIN_STOPPED;
    ovs_list_init(&d->changed);
    hmap_insert(&all->by_name, &d->node, hash_string(d->config.name, 0));
    xf_domain_changed(d);
    return d;
}

static void
free_domain(struct xf_domain *d)
{
    hmap_remove(&d->all->by_name, &d->node);
    ovs_list_remove(&d->changed);
    xf_domain_config_uninit(&d->config);
    free(d->folder);
    free(d->reason);
    free(d->error);
    free(d->move.why);
    d->backend->close(d);
}

/* Removes folder 'path' with the files in it, config.json last: if this is
 * interrupted the domain is there again, and can be destroyed again.  What was
 * promised of a move stays until there is no domain.  Returns 0 or an errno. */
static int
remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir) {
        return errno == ENOENT ? 0 : errno;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, CONFIG)
            && strcmp(entry->d_name, XF_MOVE_FILE)) {
            unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    unlinkat(dirfd(dir), CONFIG, 0);
    fsync(dirfd(dir));
    unlinkat(dirfd(dir), XF_MOVE_FILE, 0);
    closedir(dir);
    return rmdir(path) ? errno : 0;
}

/* Makes a domain; with 'record' it has that of a move from its beginning. */
static char *
create(struct xf_domains *all, struct xf_domain_config *config,
       const char *record, struct xf_domain **domainp)
{
    char *error = check_config(all, config);

    *domainp = NULL;
    if (error) {
        return error;
    }

    char *folder = xasprintf("%s/%s", all->folder, config->name);
    char *path = xasprintf("%s/%s", folder, CONFIG);
    struct json *json = xf_domain_config_to_json(config);
    char *text = json_to_string(json, JSSF_PRETTY | JSSF_SORT);
    int result = mkdir(folder, 0700) ? errno : 0;

    if (result) {
        error = xasprintf("%s: can't be made (%s)%s", folder,
                          ovs_strerror(result), result != EEXIST ? ""
                          : ": move away what is there");
    } else {
        result = (record ? xf_domain_write_safely(folder, XF_MOVE_FILE, record)
                  : 0);
        result = result ? result : xf_domain_write_file(path, text);
        if (result) {
            error = xasprintf("%s: can't be written (%s)", path,
                              ovs_strerror(result));
            remove_folder(folder);
        }
    }
    json_destroy(json);
    free(text);
    free(path);
    free(folder);
    if (!error) {
        *domainp = add(all, config);
        VLOG_INFO("%s: created", (*domainp)->config.name);
    }
    return error;
}

char *
xf_domains_create(struct xf_domains *all, struct xf_domain_config *config,
                  struct xf_domain **domainp)
{
    return create(all, config, NULL, domainp);
}

char *
xf_domains_receive(struct xf_domains *all, struct xf_domain_config *config,
                   const struct xf_move_settings *settings,
                   long long int now_ms, struct xf_domain **domainp)
{
    const struct xf_domain_backend *backend = find_backend(all,
                                                           config->backend);
    const struct xf_move_record record = {
        .stage = XF_MOVE_STAGE_RECEIVING,
        .migration = settings->migration,
    };
    char *text, *error;

    *domainp = NULL;
    if (backend && !backend->move) {
        return xasprintf("backend: machines of '%s' can't be received",
                         config->backend);
    }
    text = xf_move_record_format(&record);
    error = create(all, config, text, domainp);
    free(text);
    if (!error) {
        xf_domain_receive(*domainp, settings, now_ms);
    }
    return error;
}

/* ---- All of them. ---- */

/* Takes in the domain in 'folder'.  Returns NULL or a sentence. */
static char *
adopt(struct xf_domains *all, const char *folder, const char *name,
      long long int now_ms)
{
    char *path = xasprintf("%s/%s", folder, CONFIG);
    struct xf_domain_config config;
    char *error = NULL;

    if (access(path, F_OK) && errno == ENOENT) {
        VLOG_INFO("%s: removed, the domain wasn't created in full", folder);
        remove_folder(folder);
        free(path);
        return NULL;
    }

    struct json *json = json_from_file(path);
    error = xf_domain_config_parse(json, &config);
    json_destroy(json);
    free(path);
    if (error) {
        return error;
    }
    if (strcmp(config.name, name)) {
        error = xasprintf("is called '%s' inside", config.name);
    }
    error = error ? error : check_config(all, &config);
    if (error) {
        xf_domain_config_uninit(&config);
        return error;
    }
    struct xf_domain *d = add(all, &config);
    xf_domain_recall_move(d);
    d->backend->adopt(d, now_ms);
    return NULL;
}

/* Takes in all domains of the folder. */
static void
adopt_all(struct xf_domains *all, long long int now_ms)
{
    DIR *dir = opendir(all->folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        char *folder = xasprintf("%s/%s", all->folder, entry->d_name);
        struct stat st;

        if (entry->d_name[0] != '.' && !stat(folder, &st)
            && S_ISDIR(st.st_mode)) {
            char *error = adopt(all, folder, entry->d_name, now_ms);

            if (error) {
                VLOG_ERR("%s isn't taken for a domain: %s %s; mend it and "
                         "start again, or end its machine and remove the "
                         "folder", folder, CONFIG, error);
                free(error);
            }
        }
        free(folder);
    }
    if (dir) {
        closedir(dir);
    }
}

/* Locks the folder.  Returns NULL and a file descriptor, or a sentence. */
static char *
lock(const char *folder, int *fdp)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return xasprintf("%s: can't be opened (%s)", folder,
                         ovs_strerror(errno));
    }
    for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += 20) {
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS) {
            char *error = xasprintf("%s: can't be locked (%s): is another "
                                    "xenflow-hostd at work there?", folder,
                                    ovs_strerror(errno));
            close(fd);
            return error;
        }
        xnanosleep(20 * 1000 * 1000);
    }
    *fdp = fd;
    return NULL;
}

char *
xf_domains_open(const char *folder, bool dummies, long long int now_ms,
                struct xf_domains **dsp)
{
    int lock_fd = -1;

    if (mkdir(folder, 0700) && errno != EEXIST) {
        return xasprintf("%s: can't be made (%s)", folder,
                         ovs_strerror(errno));
    }

    char *error = lock(folder, &lock_fd);
    if (error) {
        return error;
    }
    struct xf_domains *all = xzalloc(sizeof *all);
    all->folder = xstrdup(folder);
    all->lock_fd = lock_fd;
    all->dummies = dummies;
    hmap_init(&all->by_name);
    ovs_list_init(&all->changed);
    adopt_all(all, now_ms);
    *dsp = all;
    return NULL;
}

void
xf_domains_close(struct xf_domains *all)
{
    struct xf_domain *d;

    if (!all) {
        return;
    }
    HMAP_FOR_EACH_SAFE (d, node, &all->by_name) {
        free_domain(d);
    }
    hmap_destroy(&all->by_name);
    close(all->lock_fd);
    free(all->folder);
    free(all);
}

struct xf_domain *
xf_domains_find(const struct xf_domains *all, const char *name)
{
    struct xf_domain *d;

    HMAP_FOR_EACH_WITH_HASH (d, node, hash_string(name, 0), &all->by_name) {
        if (!strcmp(d->config.name, name)) {
            return d;
        }
    }
    return NULL;
}

size_t
xf_domains_count(const struct xf_domains *all)
{
    return hmap_count(&all->by_name);
}

static int
compare_names(const void *a_, const void *b_)
{
    const struct xf_domain *const *a = a_, *const *b = b_;

    return strcmp((*a)->config.name, (*b)->config.name);
}

struct xf_domain **
xf_domains_sorted(const struct xf_domains *all)
{
    struct xf_domain **array = xmalloc(MAX(1, hmap_count(&all->by_name))
                                       * sizeof *array);
    struct xf_domain *d;
    size_t n = 0;

    HMAP_FOR_EACH (d, node, &all->by_name) {
        array[n++] = d;
    }
    qsort(array, n, sizeof *array, compare_names);
    return array;
}

/* The backend has nothing of it any more: the folder goes, too. */
static void
bury(struct xf_domain *d)
{
    int error = remove_folder(d->folder);

    if (error) {
        xf_domain_set_state(d, XF_DOMAIN_STOPPED, NULL);
        d->error = xasprintf("%s: can't be removed (%s): see what is in it, "
                             "then destroy again", d->folder,
                             ovs_strerror(error));
        VLOG_WARN("%s: %s", d->config.name, d->error);
    }
}

void
xf_domains_run(struct xf_domains *all, long long int now_ms,
               xf_domain_changed_cb *changed, void *aux)
{
    struct xf_domain *d;

    HMAP_FOR_EACH (d, node, &all->by_name) {
        d->backend->run(d, now_ms);
        xf_domain_run_move(d, now_ms);
        if (d->next_op != XF_DOMAIN_OP_NONE
            && d->state == XF_DOMAIN_STOPPED) {
            enum xf_domain_op op = d->next_op;

            d->next_op = XF_DOMAIN_OP_NONE;
            xf_domain_begin__(d, op, now_ms);
        }
        if (d->state == XF_DOMAIN_ABSENT) {
            bury(d);
        }
    }
    while (!ovs_list_is_empty(&all->changed)) {
        d = CONTAINER_OF(ovs_list_pop_front(&all->changed),
                         struct xf_domain, changed);
        ovs_list_init(&d->changed);
        changed(d, aux);
        if (d->state == XF_DOMAIN_ABSENT) {
            free_domain(d);
        }
    }
}

void
xf_domains_wait(const struct xf_domains *all)
{
    const struct xf_domain *d;

    HMAP_FOR_EACH (d, node, &all->by_name) {
        d->backend->wait(d);
    }
    if (!ovs_list_is_empty(&all->changed)) {
        poll_immediate_wake();
    }
}
