/* SPDX-License-Identifier: MIT */
/*
 * common.h - what both builds of lwIP in the churn benchmark share: no system below, pools as large as they can be,
 * checksums made and checked (lwIP's default), statistics and assertions off, all else as lwIP has it.
 */
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_UDP 0
#define LWIP_RAW 0
#define LWIP_STATS 0
#define LWIP_NOASSERT 1

#define MEM_SIZE (4 << 20)
#define TCP_MSS 1460
#define TCP_SND_BUF (8 * TCP_MSS)
#define TCP_SND_QUEUELEN 32
#define MEMP_NUM_TCP_SEG 1024
#define PBUF_POOL_SIZE 1024

/*
 * Blocks begin at cache lines: 10,000 TIME_WAITs are walked faster then. A pool's size is a uint16_t in
 * lwIP: with more TIME_WAITs than that its blocks must come from malloc().
 */
#ifdef LWIP_CHURN_MALLOC
#define MEM_ALIGNMENT 8
#define MEMP_MEM_MALLOC 1
#define MEM_LIBC_MALLOC 1
#else
#define MEM_ALIGNMENT 64
#define MEMP_NUM_TCP_PCB 65000
#endif
