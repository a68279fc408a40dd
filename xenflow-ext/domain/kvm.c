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
#include "domain/kvm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/process.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_kvm);

#define TIME_MS 5000
#define FIRMWARE_SIZE 65536
#define RESET_VECTOR (FIRMWARE_SIZE - 16)
/* What QEMU's device isa-debug-exit makes of the firmware's 0x10. */
#define EXIT_WORKS "exit code 33"

struct xf_kvm_probe {
    struct xf_process *process;     /* NULL: the answer is there. */
    enum xf_kvm answer;
    char *firmware, *log;           /* Paths. */
    long long int end_ms;
};

/* Runs in the child. */
static char *
write_firmware(void *probe_)
{
    /* mov $0x10,%al; out %al,$0xf4; hlt */
    static const uint8_t code[] = { 0xb0, 0x10, 0xe6, 0xf4, 0xf4 };
    struct xf_kvm_probe *probe = probe_;
    uint8_t *firmware = xzalloc(FIRMWARE_SIZE);
    int fd = open(probe->firmware, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    memcpy(firmware + RESET_VECTOR, code, sizeof code);
    if (fd < 0 || write(fd, firmware, FIRMWARE_SIZE) != FIRMWARE_SIZE) {
        return xasprintf("%s: can't be written", probe->firmware);
    }
    close(fd);
    free(firmware);
    return NULL;
}

static void
answer(struct xf_kvm_probe *probe, enum xf_kvm value, const char *why)
{
    VLOG_INFO("machines that leave it to us use %s (%s)",
              value == XF_KVM_WORKS ? "KVM" : "TCG, emulation", why);
    probe->answer = value;
    xf_process_close(probe->process);
    probe->process = NULL;
    unlink(probe->firmware);
    unlink(probe->log);
}

struct xf_kvm_probe *
xf_kvm_probe_start(const char *folder, long long int now_ms)
{
    struct xf_kvm_probe *probe = xzalloc(sizeof *probe);
    char *argv[] = {
        "qemu-system-x86_64", "-M", "q35", "-accel", "kvm",
        "-cpu", "kvm64,enforce", "-m", "1", "-nodefaults", "-no-user-config",
        "-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-bios", NULL, NULL,
    };

    probe->firmware = xasprintf("%s/.kvm-probe", folder);
    probe->log = xasprintf("%s/.kvm-probe.log", folder);
    probe->end_ms = now_ms + TIME_MS;
    argv[ARRAY_SIZE(argv) - 2] = probe->firmware;

    const struct xf_process_spec spec = {
        .log = probe->log,
        .argv = argv,
        .numa_node = -1,
        .prepare = write_firmware,
        .aux = probe,
    };
    if (access("/dev/kvm", R_OK | W_OK)) {
        answer(probe, XF_KVM_FAILS, "there is no /dev/kvm for us");
    } else if (xf_process_start(&spec, &probe->process)) {
        answer(probe, XF_KVM_FAILS, "the trial can't be started");
    }
    return probe;
}

enum xf_kvm
xf_kvm_probe_run(struct xf_kvm_probe *probe, long long int now_ms)
{
    if (!probe->process) {
        return probe->answer;
    }
    if (xf_process_has_ended(probe->process)) {
        char *end = xf_process_end(probe->process);

        if (!strcmp(end, EXIT_WORKS)) {
            answer(probe, XF_KVM_WORKS, "a trial ran to its end");
        } else {
            char *line = xf_process_log_line(probe->log);

            answer(probe, XF_KVM_FAILS, line ? line : end);
            free(line);
        }
        free(end);
    } else if (now_ms >= probe->end_ms) {
        xf_process_kill(probe->process, SIGKILL);
        answer(probe, XF_KVM_FAILS, "a trial hung");
    }
    return probe->answer;
}

void
xf_kvm_probe_wait(const struct xf_kvm_probe *probe)
{
    if (probe->process) {
        xf_process_wait(probe->process);
        poll_timer_wait_until(probe->end_ms);
    }
}

void
xf_kvm_probe_destroy(struct xf_kvm_probe *probe)
{
    if (probe) {
        if (probe->process) {
            xf_process_kill(probe->process, SIGKILL);
            answer(probe, XF_KVM_FAILS, "not tried to the end");
        }
        free(probe->firmware);
        free(probe->log);
        free(probe);
    }
}
