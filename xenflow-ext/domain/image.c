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
#include "domain/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/cpio.h"
#include "domain/domain-private.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"

#define ALIGNMENT 4             /* Of an archive behind another. */
/* Xen takes the last four bytes for the size of what is compressed: 0 makes it
 * leave that to the guest's kernel, which skips them. */
#define END "\0\0\0\0"

char *
xf_image_check(const char *image)
{
    static const char *const files[] = { "vmlinux", "initramfs.gz" };

    if (image[0] != '/') {
        return xasprintf("image: '%s' isn't an absolute path: give the folder "
                         "made by xenflow-image", image);
    }
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char *path = xasprintf("%s/%s", image, files[i]);
        int error = access(path, R_OK) ? errno : 0;

        if (error) {
            char *sentence = xasprintf("image: %s can't be read (%s): make an "
                                       "image by 'xenflow-image %s'", path,
                                       ovs_strerror(error), image);
            free(path);
            return sentence;
        }
        free(path);
    }
    return NULL;
}

/* Copies what 'in' has to 'out'.  Returns 0 or an errno. */
static int
copy(int in, int out, off_t *sizep)
{
    struct stat st;

    if (fstat(in, &st)) {
        return errno;
    }
    for (off_t left = st.st_size; left > 0; ) {
        ssize_t n = sendfile(out, in, NULL, left);

        if (n <= 0) {
            return n ? errno : EIO;
        }
        left -= n;
    }
    *sizep = st.st_size;
    return 0;
}

static int
write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t written = write(fd, p, n);

        if (written < 0) {
            return errno;
        }
        p += written;
        n -= written;
    }
    return 0;
}

char *
xf_image_write_initrd(void *domain_)
{
    const struct xf_domain *d = domain_;
    char *image = xasprintf("%s/initramfs.gz", d->config.image);
    char *path = xf_domain_path(d, "initrd");
    int in = open(image, O_RDONLY);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct ds own = DS_EMPTY_INITIALIZER;
    off_t size = 0;
    int error = in < 0 || out < 0 ? errno : copy(in, out, &size);

    for (; size % ALIGNMENT; size++) {
        ds_put_char(&own, '\0');
    }
    error = error ? error : write_all(out, own.string, own.length);
    ds_clear(&own);
    xf_cpio_put(d->config.files, d->config.n_files, &own);
    ds_put_buffer(&own, END, sizeof END - 1);
    error = error ? error : write_all(out, own.string, own.length);
    if (close(out) && !error) {
        error = errno;
    }
    return error ? xasprintf("%s: can't be made from %s (%s)", path, image,
                             ovs_strerror(error)) : NULL;
}
