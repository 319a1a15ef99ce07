/* SPDX-License-Identifier: MIT */
/* arch/cc.h - what lwIP asks of a compiler and a machine: this one is a 64-bit Linux with gcc or clang. */
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define LWIP_NO_UNISTD_H 1
#define LWIP_RAND() ((uint32_t)random())
#define LWIP_PLATFORM_DIAG(args)
#define LWIP_PLATFORM_ASSERT(what) abort()
