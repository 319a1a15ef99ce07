/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * events.h - what the programs of this folder and src/obs/trace.c share: constants set before loading, records of the ring,
 * counters. Whoever includes it has __u32 and its like from vmlinux.h or <linux/types.h>.
 */
#pragma once

enum { TRACK_STAMPS = 4 };
enum { NEAR_SOCKS = 1024 }; /* a power of two */

enum { /* struct track.flags */
       TRACK_SYN = 1 << 0, /* it began while we looked */
       TRACK_PASSIVE = 1 << 1, /* accepted by a listener; means something with TRACK_SYN only */
       TRACK_FIRST_LOCAL = 1 << 2, /* the first FIN was ours */
       TRACK_FIRST_PEER = 1 << 3,
       TRACK_CROSSED = 1 << 4, /* the peer's FIN came before the ACK of ours */
       TRACK_RESET = 1 << 5, /* tcp_reset() ran: a RST came, or data for a socket that nobody reads any more */
       TRACK_RST_SENT = 1 << 6,
       TRACK_RELEASED = 1 << 7, /* the last descriptor was closed, or its process ended */
       TRACK_EXITING = 1 << 8, /* the latter */
       TRACK_SHUTDOWN = 1 << 9, /* the FIN was sent with a descriptor still open */
       TRACK_READ = 1 << 10, /* data came in since the last that went out */
       TRACK_LATE = 1 << 11, /* the side that did not close first sent data after the FIN */
       TRACK_DATA_OUT = 1 << 12, /* data went out, came in, before the first FIN */
       TRACK_DATA_IN = 1 << 13,
       TRACK_UNANSWERED = 1 << 14,
       TRACK_THERE = 1 << 15, /* the socket was there when the trace ended */
};

/*
 * What is kept of a socket between its events: 64 octets, so that half a million fit in 64 MiB of the kernel's memory. The
 * rest is read from the socket when it ends.
 */
struct track {
	__u64 at[TRACK_STAMPS]; /* ns: begun, established (a client: if its SYN was lost), first FIN either way, the state after that */
	__u32 opener, closer; /* pids; 0: unknown */
	__u32 exchanges;
	__u32 idle; /* jiffies: the longest idle time that ended well */
	union {
		__u32 write_seq; /* when data were read last */
		__u32 sent_ago; /* from the first FIN on: jiffies between the last data out and it */
	};
	union {
		__u32 read_at; /* jiffies: when data were read last; 0: never */
		__u32 read_ago; /* as sent_ago */
	};
	union {
		__u32 silence; /* jiffies without a word from the peer when the first segment was sent again */
		__u32 bytes; /* from the first FIN on: octets that the other side had sent by then, modulo 2^32 */
	};
	__u16 flags;
	__u8 state[2]; /* kernel numbers: entered at at[2], at[3] */
};

enum event_kind { EVENT_CLOSE = 1, EVENT_PROC, EVENT_RST, EVENT_CLOSING };

/* Why a RST was sent: the kernel's sk_rst_reason as far as we tell them apart; its numbers move between versions. */
enum rst_reason { REASON_OTHER, REASON_ON_DATA, REASON_TIME_WAIT };

struct event_tuple {
	__u8 local[16], peer[16]; /* network order; IPv4 in the first four, the rest zero */
	__u16 lport, pport; /* host order */
	__u8 family; /* 4 or 6 */
	__u8 pad[3];
	__u32 netns; /* inode */
	__u64 cookie;
};

enum { /* struct event_close.socket */
       SOCKET_FIN_RECEIVED = 1, /* SOCK_DONE */
       SOCKET_LINGER_0 = 2,
       SOCKET_UNREAD = 4, /* data that nobody had read */
       SOCKET_SENT = 8, /* a segment went out, if only a SYN */
};

struct event_close { /* EVENT_CLOSE, and EVENT_CLOSING for what is not done when the trace ends */
	__u32 kind;
	__u8 from; /* the state before CLOSE, kernel number; EVENT_CLOSING: the state */
	__u8 socket;
	__u16 error; /* sk_err */
	struct event_tuple t;
	struct track track;
	__u64 now;
	__u64 sent, received; /* payload */
	__u64 cgroup; /* of the socket: who made it, or its listener */
	__u32 retransmits;
	__u32 rtt_us; /* the least that was measured lately */
	__u32 late_ago; /* jiffies since the newest data after the FIN (TRACK_LATE) */
	__u32 sent_ago, read_ago; /* jiffies since data went out, came in, now; for ends without a FIN */
	__u32 ack_ago; /* jiffies since the peer acknowledged anything */
	__u32 silence; /* as in struct track, if there was no FIN */
	__u16 unread, unsent; /* octets that nobody had read, that were not acknowledged; at most 65,535 */
};

/*
 * As long as a TLS alert, of which close_notify is one, and nothing else: 1.3 (RFC 8446 5.2), 1.2 with AES-GCM or CCM (RFC 5288,
 * 6655), 1.2 with ChaCha20 (RFC 7905). What it says is not read: it may have been a request, too. But not where either side
 * has sent, in all, less than the shortest handshake takes: one of 1.2 that is resumed, with a hello of 79, ChangeCipherSpec
 * of 6 and Finished of 37 octets (ChaCha20).
 */
enum { TLS_LEAST = 122 };
static inline int is_tls_alert(__u32 octets, __u64 sent, __u64 received)
{
	const __u32 lengths = 1U << 23 | 1U << 24 | 1U << 31; /* one branch, not three: the verifier follows all ways */

	return octets < 32 && (lengths >> octets & 1) && sent >= TLS_LEAST && received >= TLS_LEAST;
}

struct event_proc { /* comes before the first event that names the pid */
	__u32 kind;
	__u32 pid;
	__u64 cgroup;
	char comm[16];
};

struct event_rst { /* sent for a connection whose event_close is out already, or whose TIME_WAIT answers */
	__u32 kind;
	__u32 reason; /* enum rst_reason */
	struct event_tuple t;
	__u64 now;
};

struct trace_config { /* .rodata: the verifier drops what is switched off */
	__u32 netns; /* only this one; 0: all */
	__u32 jiffy_ns;
	__u64 cgroup; /* only sockets made in it or below; 0: all */
};

struct trace_counts { /* .bss */
	__u64 lost; /* records that found the ring full ... */
	__u64 names; /* ... and names of processes */
	__u64 untracked; /* sockets that found the table full */
	__u64 far; /* entries of the hash table */
};
