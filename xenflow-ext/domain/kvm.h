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

#ifndef XF_DOMAIN_KVM_H
#define XF_DOMAIN_KVM_H 1

/* Whether KVM works here.
 *
 * That /dev/kvm is there doesn't say so: on machines that only pretend (found:
 * a cloud host without nested virtualization) a few instructions run, and then
 * guests hang.  Such a KVM was seen to lack features that every 64-bit
 * processor has.  So the answer is yes if QEMU, told to insist on the features
 * of its oldest 64-bit model, runs a firmware of five bytes to its end in
 * time.
 *
 * Asked once in a process's life, when the first machine wants it. */

#include <stdbool.h>

enum xf_kvm { XF_KVM_UNKNOWN, XF_KVM_WORKS, XF_KVM_FAILS };

struct xf_kvm_probe;

/* 'folder' is for two small files, which go again. */
struct xf_kvm_probe *xf_kvm_probe_start(const char *folder,
                                        long long int now_ms);
enum xf_kvm xf_kvm_probe_run(struct xf_kvm_probe *, long long int now_ms);
void xf_kvm_probe_wait(const struct xf_kvm_probe *);

/* Ends it if it isn't over. */
void xf_kvm_probe_destroy(struct xf_kvm_probe *);

#endif /* domain/kvm.h */
