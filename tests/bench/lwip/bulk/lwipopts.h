/* SPDX-License-Identifier: MIT */
/*
 * lwipopts.h of the bulk build: what makes lwIP's bulk transfers fast is on. Windows and buffers of BULK_WINDOW octets with
 * window scaling, the quickest of its checksums, taken while copying; no option but MSS and scale, IPv4 alone.
 */
#pragma once
#include "lwip/common.h"

#undef TCP_SND_BUF
#undef TCP_SND_QUEUELEN
#undef MEMP_NUM_TCP_PCB
#undef MEMP_NUM_TCP_SEG
#undef PBUF_POOL_SIZE
#undef MEM_SIZE

#define LWIP_IPV6 0
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND BULK_WINDOW
#define TCP_SND_BUF BULK_WINDOW
#define TCP_SNDLOWAT 32768
#define TCP_SND_QUEUELEN (4 * (BULK_WINDOW / TCP_MSS + 1))
#define MEMP_NUM_TCP_PCB 16
#define MEMP_NUM_TCP_SEG (2 * TCP_SND_QUEUELEN)
#define MEMP_NUM_PBUF (2 * TCP_SND_QUEUELEN)
#define PBUF_POOL_SIZE (4 * (BULK_WINDOW / TCP_MSS + 64))
#define PBUF_POOL_BUFSIZE 1536
#define MEM_SIZE (8 << 20)
#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_CHKSUM_ALGORITHM 3
