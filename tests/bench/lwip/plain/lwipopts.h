/* SPDX-License-Identifier: MIT */
/* lwipopts.h of the plain build: IPv4 alone, no TCP option but the MSS. lwIP at its fastest. */
#pragma once
#include "lwip/common.h"

#define LWIP_IPV6 0
#define TCP_WND (8 * TCP_MSS)
