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

/* Configurations of domains as JSON, which is how they are kept in a domain's
 * folder and how a user writes them. */

#include <config.h>
#include "xenflow/domain.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "util.h"
#include "uuid.h"

#define MEMORY_MIN_MB 16
#define MEMORY_MAX_MB (4 * 1024 * 1024)
#define VCPUS_MAX 255
#define NUMA_NODE_MAX 1023
#define STOP_MAX_S 3600
#define STOP_DEFAULT_S 10
#define KERNEL_ARGS_MAX 1024

static const char *accel_names[] = { "auto", "kvm", "tcg" };

/* Takes members of an object one by one; the first error stays. */
struct reader {
    const struct shash *object;
    const char *where;          /* "", or what the object is: "nics[1]: ". */
    char *error;
};

static void OVS_PRINTF_FORMAT(3, 4)
fail(struct reader *r, const char *member, const char *format, ...)
{
    va_list args;

    if (!r->error) {
        va_start(args, format);
        char *what = xvasprintf(format, args);
        va_end(args);
        r->error = xasprintf("%s%s: %s", r->where, member, what);
        free(what);
    }
}

/* Says if every member of the object is among the 'n' 'names'. */
static void
check_members(struct reader *r, const char *const names[], size_t n)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, r->object) {
        size_t i = 0;

        while (i < n && strcmp(node->name, names[i])) {
            i++;
        }
        if (i == n) {
            fail(r, node->name, "there is no such setting");
        }
    }
}

/* Returns a copy of string member 'name'; 'default_' if it's not there, or
 * NULL and an error if that is NULL. */
static char *
get_string(struct reader *r, const char *name, const char *default_)
{
    const struct json *json = shash_find_data(r->object, name);

    if (json && json->type == JSON_STRING) {
        return xstrdup(json_string(json));
    } else if (json) {
        fail(r, name, "isn't a string");
    } else if (!default_) {
        fail(r, name, "is missing");
    }
    return default_ && !json ? xstrdup(default_) : NULL;
}

/* Likewise for a number from 'min' to 'max'. */
static long long int
get_number(struct reader *r, const char *name, int min, int max, int default_)
{
    const struct json *json = shash_find_data(r->object, name);

    if (json && json->type != JSON_INTEGER) {
        fail(r, name, "isn't a whole number");
    } else if (json && (json_integer(json) < min
                        || json_integer(json) > max)) {
        fail(r, name, "%lld is out of range: %d to %d are possible",
             (long long int) json_integer(json), min, max);
    } else {
        return json ? json_integer(json) : default_;
    }
    return min;
}

/* Array member 'name', or NULL if there is none; at most 'max' elements. */
static const struct json_array *
get_array(struct reader *r, const char *name, size_t max)
{
    const struct json *json = shash_find_data(r->object, name);

    if (json && json->type != JSON_ARRAY) {
        fail(r, name, "isn't an array");
    } else if (json && json_array(json)->n > max) {
        fail(r, name, "%"PRIuSIZE" are too many: at most %"PRIuSIZE
             " are possible", json_array(json)->n, max);
    } else if (json) {
        return json_array(json);
    }
    return NULL;
}

/* ---- Values. ---- */

static bool
is_word(const char *s, const char *extra)
{
    for (; *s; s++) {
        if (!isalnum((unsigned char) *s) && !strchr(extra, *s)) {
            return false;
        }
    }
    return true;
}

static void
check_name(struct reader *r, const char *name)
{
    size_t n = strlen(name);

    if (!n || n > XF_DOMAIN_NAME_MAX || !isalnum((unsigned char) name[0])
        || !is_word(name, "_.-")) {
        fail(r, "name", "'%.80s' isn't 1 to %d letters, digits, '_', '.' and "
             "'-' of which the first is a letter or digit", name,
             XF_DOMAIN_NAME_MAX);
    }
}

static void
get_uuid(struct reader *r, struct uuid *uuid)
{
    char *s = get_string(r, "uuid", "");

    if (s && !*s) {
        uuid_generate(uuid);
    } else if (s && !uuid_from_string(uuid, s)) {
        fail(r, "uuid", "'%.80s' isn't a UUID", s);
    }
    free(s);
}

static void
get_accel(struct reader *r, enum xf_domain_accel *accel)
{
    char *s = get_string(r, "accel", "auto");
    size_t i = 0;

    while (s && i < ARRAY_SIZE(accel_names) && strcmp(s, accel_names[i])) {
        i++;
    }
    if (i == ARRAY_SIZE(accel_names)) {
        fail(r, "accel", "'%.80s' is unknown: use auto, kvm or tcg", s);
    }
    *accel = i;
    free(s);
}

static void
get_kernel_args(struct reader *r, struct xf_domain_config *config)
{
    config->kernel_args = get_string(r, "kernel-args", "");
    for (const char *p = config->kernel_args; p && *p; p++) {
        if ((unsigned char) *p < ' ') {
            fail(r, "kernel-args", "has a control character");
        }
    }
    if (config->kernel_args
        && strlen(config->kernel_args) > KERNEL_ARGS_MAX) {
        fail(r, "kernel-args", "is longer than %d characters",
             KERNEL_ARGS_MAX);
    }
}

/* ---- Network cards and files. ---- */

static void
get_nic(struct reader *r, struct xf_domain_nic *nic)
{
    static const char *const members[] = { "mac", "tap" };

    check_members(r, members, ARRAY_SIZE(members));

    char *mac = get_string(r, "mac", NULL);
    char *tap = get_string(r, "tap", NULL);

    if (mac && (!eth_addr_from_string(mac, &nic->mac)
                || eth_addr_is_multicast(nic->mac)
                || eth_addr_is_zero(nic->mac))) {
        fail(r, "mac", "'%.80s' isn't the MAC of a card", mac);
    }
    if (tap && (!*tap || strlen(tap) >= sizeof nic->tap
                || !is_word(tap, "_.-") || !strcmp(tap, ".")
                || !strcmp(tap, ".."))) {
        fail(r, "tap", "'%.80s' isn't 1 to %"PRIuSIZE" letters, digits, '_', "
             "'.' and '-'", tap, sizeof nic->tap - 1);
    } else if (tap) {
        ovs_strlcpy(nic->tap, tap, sizeof nic->tap);
    }
    free(mac);
    free(tap);
}

/* Permissions are octal digits in a string, as chmod(1) has them. */
static unsigned int
get_mode(struct reader *r)
{
    char *s = get_string(r, "mode", "644");
    unsigned int mode = 0;

    if (s && (!*s || strlen(s) > 4 || s[strspn(s, "01234567")])) {
        fail(r, "mode", "'%.80s' isn't up to four octal digits", s);
    } else if (s) {
        mode = strtoul(s, NULL, 8);
    }
    free(s);
    return mode;
}

/* A path below the root: no "..", no empty part. */
static bool
is_path(const char *path)
{
    path += path[0] == '/';
    for (;;) {
        size_t n = strcspn(path, "/");

        if (!n || n > NAME_MAX || (n == 1 && path[0] == '.')
            || (n == 2 && path[0] == '.' && path[1] == '.')) {
            return false;
        }
        path += n;
        if (!*path) {
            return true;
        }
        path++;
    }
}

static void
get_file(struct reader *r, struct xf_domain_file *file)
{
    static const char *const members[] = { "content", "mode", "path" };

    check_members(r, members, ARRAY_SIZE(members));
    file->path = get_string(r, "path", NULL);
    file->content = get_string(r, "content", NULL);
    file->mode = get_mode(r);
    if (file->path && (strlen(file->path) >= PATH_MAX
                       || !is_path(file->path))) {
        fail(r, "path", "'%.80s' isn't the path of a file, without '.' and "
             "'..'", file->path);
    }
}

/* Reads element 'i' of array 'name' with 'get'. */
static void
get_element(struct reader *r, const char *name, size_t i,
            const struct json *element,
            void (*get)(struct reader *, void *), void *value)
{
    char *where = xasprintf("%s[%"PRIuSIZE"]: ", name, i);

    if (element->type != JSON_OBJECT) {
        fail(r, name, "element %"PRIuSIZE" isn't an object", i);
    } else if (!r->error) {
        struct reader sub = { .object = json_object(element),
                              .where = where };
        get(&sub, value);
        r->error = sub.error;
    }
    free(where);
}

static void
get_nic_cb(struct reader *r, void *nic)
{
    get_nic(r, nic);
}

static void
get_file_cb(struct reader *r, void *file)
{
    get_file(r, file);
}

static void
get_nics(struct reader *r, struct xf_domain_config *config)
{
    const struct json_array *array = get_array(r, "nics", XF_DOMAIN_NICS_MAX);

    config->nics = xcalloc(array ? array->n : 0, sizeof *config->nics);
    for (size_t i = 0; array && i < array->n && !r->error; i++) {
        struct xf_domain_nic *nic = &config->nics[config->n_nics++];

        get_element(r, "nics", i, array->elems[i], get_nic_cb, nic);
        for (size_t j = 0; j < i && !r->error; j++) {
            if (!strcmp(nic->tap, config->nics[j].tap)
                || eth_addr_equals(nic->mac, config->nics[j].mac)) {
                fail(r, "nics", "elements %"PRIuSIZE" and %"PRIuSIZE" have "
                     "the same tap or MAC", j, i);
            }
        }
    }
}

static void
get_files(struct reader *r, struct xf_domain_config *config)
{
    const struct json_array *array = get_array(r, "files",
                                               XF_DOMAIN_FILES_MAX);
    size_t size_bytes = 0;

    config->files = xcalloc(array ? array->n : 0, sizeof *config->files);
    for (size_t i = 0; array && i < array->n && !r->error; i++) {
        struct xf_domain_file *file = &config->files[config->n_files++];

        get_element(r, "files", i, array->elems[i], get_file_cb, file);
        size_bytes += r->error ? 0 : strlen(file->content);
    }
    if (size_bytes > XF_DOMAIN_FILES_SIZE_MAX) {
        fail(r, "files", "all together have %"PRIuSIZE" bytes, at most %d are "
             "possible: put large ones into the image", size_bytes,
             XF_DOMAIN_FILES_SIZE_MAX);
    }
}

/* ---- The whole. ---- */

static void
read_all(struct reader *r, struct xf_domain_config *config)
{
    static const char *const members[] = {
        "accel", "backend", "files", "image", "kernel-args", "memory", "name",
        "nics", "numa", "script", "stop-timeout", "uuid", "vcpus",
    };

    check_members(r, members, ARRAY_SIZE(members));
    config->name = get_string(r, "name", NULL);
    if (config->name) {
        check_name(r, config->name);
    }
    get_uuid(r, &config->uuid);
    config->backend = get_string(r, "backend", "qemu");
    config->image = get_string(r, "image", "");
    config->memory_mb = get_number(r, "memory", MEMORY_MIN_MB, MEMORY_MAX_MB,
                                   128);
    config->n_vcpus = get_number(r, "vcpus", 1, VCPUS_MAX, 1);
    config->numa_node = get_number(r, "numa", -1, NUMA_NODE_MAX, -1);
    get_accel(r, &config->accel);
    get_kernel_args(r, config);
    config->stop_s = get_number(r, "stop-timeout", 0, STOP_MAX_S,
                                STOP_DEFAULT_S);
    get_nics(r, config);
    get_files(r, config);
    config->script = get_string(r, "script", "");
}

char *
xf_domain_config_parse(const struct json *json,
                       struct xf_domain_config *config)
{
    struct reader r = { .where = "" };

    memset(config, 0, sizeof *config);
    if (json->type != JSON_OBJECT) {
        return json->type == JSON_STRING
               ? xasprintf("isn't JSON: %s", json_string(json))
               : xstrdup("isn't a JSON object");
    }
    r.object = json_object(json);
    read_all(&r, config);
    if (r.error) {
        xf_domain_config_uninit(config);
    }
    return r.error;
}

static struct json *
nics_to_json(const struct xf_domain_config *config)
{
    struct json *nics = json_array_create_empty();

    for (size_t i = 0; i < config->n_nics; i++) {
        struct json *nic = json_object_create();

        json_object_put_format(nic, "mac", ETH_ADDR_FMT,
                               ETH_ADDR_ARGS(config->nics[i].mac));
        json_object_put_string(nic, "tap", config->nics[i].tap);
        json_array_add(nics, nic);
    }
    return nics;
}

static struct json *
files_to_json(const struct xf_domain_config *config)
{
    struct json *files = json_array_create_empty();

    for (size_t i = 0; i < config->n_files; i++) {
        struct json *file = json_object_create();

        json_object_put_string(file, "path", config->files[i].path);
        json_object_put_string(file, "content", config->files[i].content);
        json_object_put_format(file, "mode", "%o", config->files[i].mode);
        json_array_add(files, file);
    }
    return files;
}

struct json *
xf_domain_config_to_json(const struct xf_domain_config *config)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "name", config->name);
    json_object_put_format(json, "uuid", UUID_FMT, UUID_ARGS(&config->uuid));
    json_object_put_string(json, "backend", config->backend);
    json_object_put_string(json, "image", config->image);
    json_object_put(json, "memory", json_integer_create(config->memory_mb));
    json_object_put(json, "vcpus", json_integer_create(config->n_vcpus));
    json_object_put(json, "numa", json_integer_create(config->numa_node));
    json_object_put_string(json, "accel", accel_names[config->accel]);
    json_object_put_string(json, "kernel-args", config->kernel_args);
    json_object_put(json, "stop-timeout", json_integer_create(config->stop_s));
    json_object_put(json, "nics", nics_to_json(config));
    json_object_put(json, "files", files_to_json(config));
    json_object_put_string(json, "script", config->script);
    return json;
}

void
xf_domain_config_uninit(struct xf_domain_config *config)
{
    for (size_t i = 0; i < config->n_files; i++) {
        free(config->files[i].path);
        free(config->files[i].content);
    }
    free(config->name);
    free(config->backend);
    free(config->image);
    free(config->kernel_args);
    free(config->nics);
    free(config->files);
    free(config->script);
    memset(config, 0, sizeof *config);
}
