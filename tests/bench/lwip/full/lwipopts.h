/* SPDX-License-Identifier: MIT */
/* lwipopts.h of the full build: IPv6 too, timestamps, SACK, window scale, keepalive; lwIP has no PAWS and no keyed ISN. */
#pragma once
#include "lwip/common.h"

#define LWIP_IPV6 1
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 2
#define TCP_WND (128 << 10)
