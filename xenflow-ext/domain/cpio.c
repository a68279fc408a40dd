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
#include "domain/cpio.h"

#include <string.h>
#include <sys/stat.h>

#include "openvswitch/dynamic-string.h"
#include "sset.h"
#include "util.h"
#include "xenflow/domain.h"

#define ALIGNMENT 4
#define FOLDER_MODE 0755

struct writer {
    struct ds *out;
    size_t begin;               /* Of the archive in 'out'. */
    struct sset folders;        /* Those written. */
    unsigned int inode;         /* Of the next member. */
};

static void
pad(struct writer *w)
{
    while ((w->out->length - w->begin) % ALIGNMENT) {
        ds_put_char(w->out, '\0');
    }
}

/* Writes a member called the first 'length' characters of 'name'. */
static void
put_member(struct writer *w, const char *name, size_t length,
           unsigned int mode, const char *content)
{
    const unsigned int fields[] = {
        w->inode++, mode, 0, 0, /* Inode, mode, user, group. */
        1, 0, strlen(content),  /* Links, time, size. */
        0, 0, 0, 0,             /* Devices. */
        length + 1, 0,          /* Size of the name, checksum. */
    };

    ds_put_cstr(w->out, "070701");
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        ds_put_format(w->out, "%08x", fields[i]);
    }
    ds_put_buffer(w->out, name, length);
    ds_put_char(w->out, '\0');
    pad(w);
    ds_put_cstr(w->out, content);
    pad(w);
}

/* Writes the folders that 'path' is in, each once. */
static void
put_folders(struct writer *w, const char *path)
{
    for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        char *folder = xmemdup0(path, p - path);

        if (sset_add(&w->folders, folder)) {
            put_member(w, folder, p - path, S_IFDIR | FOLDER_MODE, "");
        }
        free(folder);
    }
}

void
xf_cpio_put(const struct xf_domain_file *files, size_t n, struct ds *out)
{
    struct writer w = { .out = out, .begin = out->length, .inode = 1 };
    static const char trailer[] = "TRAILER!!!";

    sset_init(&w.folders);
    for (size_t i = 0; i < n; i++) {
        const char *path = files[i].path + (files[i].path[0] == '/');

        put_folders(&w, path);
        put_member(&w, path, strlen(path), S_IFREG | files[i].mode,
                   files[i].content);
    }
    put_member(&w, trailer, strlen(trailer), 0, "");
    sset_destroy(&w.folders);
}
