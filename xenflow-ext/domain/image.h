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

#ifndef XF_DOMAIN_IMAGE_H
#define XF_DOMAIN_IMAGE_H 1

/* The image a domain boots: a folder with "vmlinux", a kernel, and
 * "initramfs.gz", its files. */

/* Says what of an image is missing, or NULL. */
char *xf_image_check(const char *image);

/* Writes file "initrd" of a domain's (struct xf_domain *) folder: the image's
 * archive and the domain's own after it.  Returns NULL or a sentence.  For
 * children, it takes its time. */
char *xf_image_write_initrd(void *domain);

#endif /* domain/image.h */
