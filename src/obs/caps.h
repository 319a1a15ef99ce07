/* SPDX-License-Identifier: MIT */
/* caps.h - what we are allowed to do, and the kernel's version. */
#pragma once
#include "obs/obs.h"

/* Is CAP_... of linux/capability.h in our effective set? */
bool has_capability(int cap);

/* "6.18.44-amd64" -> 6, 18. False when it does not begin with two numbers. Pure. */
bool kernel_version_parse(const char *release, int *major, int *minor);

/* Is a file system of this type mounted, in /proc/mounts text? Copies where (ret may be NULL). Pure. */
bool mount_find(const char *mounts, const char *type, char *ret, size_t cap);

/* The word in brackets of /sys/kernel/security/lockdown: "none [integrity] confidentiality". Pure; "" if there is none. */
void lockdown_parse(const char *text, char *ret, size_t cap);
