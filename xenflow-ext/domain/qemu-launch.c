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

/* A domain's command line of QEMU. */

#include <config.h>
#include "domain/qemu-private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "domain/domain-private.h"
#include "domain/image.h"
#include "domain/process.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "svec.h"
#include "util.h"
#include "uuid.h"

#define QEMU "qemu-system-x86_64"
/* A kernel that panics resets the machine at once, which is seen. */
#define KERNEL_ARGS "console=ttyS0 quiet panic=-1 random.trust_cpu=on"

/* ---- The command line. ---- */

static void OVS_PRINTF_FORMAT(3, 4)
put(struct svec *args, const char *option, const char *format, ...)
{
    va_list ap;

    svec_add(args, option);
    va_start(ap, format);
    svec_add_nocopy(args, xvasprintf(format, ap));
    va_end(ap);
}

/* Memory has the name that QEMU gives it by itself, so that what one with a
 * file saved can be loaded by one without. */
static void
put_memory(const struct xf_domain *d, bool kvm, struct svec *args)
{
    const struct xf_domain_config *config = &d->config;
    char *path = xf_qemu_memory_path(d, kvm);
    struct ds ds = DS_EMPTY_INITIALIZER;

    put(args, "-m", "%u", config->memory_mb);
    if (path) {
        ds_put_format(&ds, "memory-backend-file,id=pc.ram,mem-path=%s,"
                      "share=on", path);
    } else if (config->numa_node >= 0) {
        ds_put_cstr(&ds, "memory-backend-ram,id=pc.ram");
    }
    if (ds.length) {
        ds_put_format(&ds, ",size=%uM", config->memory_mb);
        if (config->numa_node >= 0) {
            ds_put_format(&ds, ",host-nodes=%d,policy=bind",
                          config->numa_node);
        }
        put(args, "-object", "%s", ds_cstr(&ds));
    }
    put(args, "-M", "%s", ds.length ? "q35,memory-backend=pc.ram" : "q35");
    ds_destroy(&ds);
    free(path);
}

static void
put_machine(const struct xf_domain *d, bool kvm, struct svec *args)
{
    const struct xf_domain_config *config = &d->config;

    put(args, "-name", "%s", config->name);
    put(args, "-uuid", UUID_FMT, UUID_ARGS(&config->uuid));
    put(args, "-accel", "%s", kvm ? "kvm" : "tcg");
    if (kvm) {
        put(args, "-cpu", "host");
    }
    put(args, "-smp", "%u", config->n_vcpus);
    put_memory(d, kvm, args);
    put(args, "-display", "none");
    svec_add(args, "-nodefaults");
    svec_add(args, "-no-user-config");
    /* A reset by the guest ends QEMU, which says so before. */
    svec_add(args, "-no-reboot");
    put(args, "-device", "pvpanic");
}

/* Names without a folder are in the domain's: QEMU runs there, and a socket's
 * path may not be long. */
static void
put_files(const struct xf_domain_config *config, struct svec *args)
{
    put(args, "-kernel", "%s/vmlinux", config->image);
    put(args, "-initrd", "initrd");
    put(args, "-append", "%s%s%s", KERNEL_ARGS,
        config->kernel_args[0] ? " " : "", config->kernel_args);
    put(args, "-chardev", "file,id=console,append=on,path=console.log");
    put(args, "-serial", "chardev:console");
    put(args, "-qmp", "unix:qmp,server=on,wait=off");
}

static void
put_nics(const struct xf_domain_config *config, struct svec *args)
{
    for (size_t i = 0; i < config->n_nics; i++) {
        const struct xf_domain_nic *nic = &config->nics[i];

        put(args, "-netdev", "tap,id=n%"PRIuSIZE",ifname=%s,script=no,"
            "downscript=no,vnet_hdr=off", i, nic->tap);
        put(args, "-device", "virtio-net-pci,netdev=n%"PRIuSIZE",mac="
            ETH_ADDR_FMT",romfile=", i, ETH_ADDR_ARGS(nic->mac));
    }
}

char *
xf_qemu_launch(const struct xf_domain *d, bool kvm, bool incoming,
               struct xf_process **processp)
{
    char *initrd = xf_domain_path(d, "initrd");
    char *log = xf_domain_path(d, "qemu.log");
    struct svec args;

    svec_init(&args);
    svec_add(&args, QEMU);
    put_machine(d, kvm, &args);
    put_files(&d->config, &args);
    put_nics(&d->config, &args);
    if (incoming) {
        svec_add(&args, "-S");
        put(&args, "-incoming", "defer");
    }
    svec_terminate(&args);

    const struct xf_process_spec spec = {
        .folder = d->folder,
        .log = log,
        .argv = args.names,
        .numa_node = d->config.numa_node,
        /* What was saved knows the old one. */
        .prepare = incoming && !access(initrd, R_OK) ? NULL : xf_image_write_initrd,
        .aux = CONST_CAST(struct xf_domain *, d),
    };
    int error = xf_process_start(&spec, processp);

    svec_destroy(&args);
    free(initrd);
    free(log);
    return error ? xasprintf("a process can't be made (%s)",
                             ovs_strerror(error)) : NULL;
}
