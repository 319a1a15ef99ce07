/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - what was observed on a host at one instant, as plain data. obs/ fills it, diag/ reads it, report/
 * prints it. Nothing here knows how it was obtained; what could not be seen is said in `missing`.
 *
 * Ownership: every pointer in a struct snapshot belongs to it; snapshot_done() frees all. Texts that came from
 * outside (comm, cgroup, names) are printable ASCII already (base/text.h copy_printable).
 */
#pragma once
#include "model/counters.h"
#include "model/ip.h"
#include "model/states.h"

enum {
	KNOB_SLOTS = 128, /* at least N_KNOBS of knob/knob.h, which indexes the values; checked where both are known */
	AGE_SECONDS = 61, /* TIME_WAIT lasts 60 s and up to 2 s more; older ones are counted in the last second */
	TIME_WAIT_MS = 60000, /* TCP_TIMEWAIT_LEN, include/net/tcp.h */
	DESTS_MAX = 32768, /* destinations kept apart in one namespace; the rest is summed in dests_more */
	SUSPECTS_MAX = 65536, /* sockets whose owner is looked for in one namespace */
	FDS_SHOWN = 4,
	N_TEXT = 64,
};

/* How many TIME_WAITs entered that state s seconds ago: one dump holds a minute of history. */
struct tw_ages {
	uint32_t s[AGE_SECONDS];
};

/* Who closed the TIME_WAITs of a listener or destination, as far as the closes were watched (obs/closers.h). */
struct tw_owner {
	uint32_t known; /* how many of them: it is known who closed. 0: the rest means nothing */
	uint32_t lead; /* Boyer and Moore's: how many more were for proc than against it since it came up */
	uint32_t votes; /* for proc: it closed at least so many */
	int32_t proc; /* index into snapshot.procs */
};

/* Socket options as pidfd_getfd(2) and getsockopt(2) tell them. known is false when nobody could ask. */
struct sockopts {
	bool known;
	bool reuseaddr, reuseport, keepalive, bind_address_no_port;
	int32_t linger_s; /* SO_LINGER: -1 off, 0 reset on close, > 0 seconds */
	uint32_t user_timeout_ms; /* 0: none */
};

/* A local address and port that somebody listens on, or did: then listening is false and its sockets are leftovers. */
struct listener {
	struct ip addr;
	uint16_t port;
	bool listening;
	uint32_t sockets; /* listening sockets with this address and port (SO_REUSEPORT) */
	uint32_t queue, backlog; /* of the socket with the fullest accept queue; full when queue > backlog */
	uint64_t inode; /* of that socket; 0: unknown */
	struct state_counts states; /* sockets of every state whose local end this is */
	uint32_t fin_wait_2_orphans; /* part of states: timewait minis in FIN_WAIT_2, no process has them */
	uint32_t unaccepted; /* ESTABLISHED or CLOSE_WAIT without an inode: still in the accept queue */
	uint32_t close_wait_unaccepted; /* part of unaccepted */
	uint32_t keepalive_timers; /* connections whose running timer is keepalive */
	uint32_t leftovers_well_known; /* not listening: sockets whose remote port is below 1024 or a known service */
	struct tw_ages tw_ages;
	struct tw_owner tw_owner;
	struct sockopts opts;
	int32_t proc; /* index into snapshot.procs; -1 unknown */
};

/* Connections from this host's ports to one (source address, destination address, destination port). */
struct dest {
	struct ip src, dst;
	uint16_t dport;
	bool loopback; /* both ends on this machine by address: tcp_tw_reuse=2 applies */
	struct state_counts states;
	uint32_t fin_wait_2_orphans; /* part of states, as above */
	uint32_t ports_low_parity; /* local ports inside ip_local_port_range, same parity as its low end */
	uint32_t ports_other_parity; /* the other parity */
	uint32_t ports_outside; /* local ports outside the range, or reserved */
	uint32_t tw_in_range; /* TIME_WAITs whose local port lies inside the range: part of the two parities above */
	uint32_t tw_reusable; /* of those older than tcp_tw_reuse_delay, whether or not tcp_tw_reuse allows it */
	uint32_t keepalive_timers;
	struct tw_owner tw_owner;
	struct tw_ages tw_ages; /* of the TIME_WAITs in range only: a port outside of it is none that connect() lacks */
	uint64_t inode; /* of some live socket to this destination; 0: none seen */
	int32_t proc; /* who has or had such a socket; -1 unknown */
};

enum holder_kind {
	HOLD_CLOSE_WAIT_UNREAD, /* Recv-Q > 0: the program never read the end of file */
	HOLD_CLOSE_WAIT_READ, /* Recv-Q 0: it read the end of file and forgot close() */
	HOLD_FIN_WAIT_1_WINDOW, /* persist timer: the peer's window is zero */
	HOLD_FIN_WAIT_1_PATH, /* retransmission timer with backoff: path or peer dead */
	HOLD_FIN_WAIT_2, /* a process holds it after shutdown(SHUT_WR), no timer: waits for ever */
	HOLD_INVISIBLE, /* descriptors of TCP sockets that died but were never closed: in no dump */
	N_HOLDER_KINDS
};

/* A group of suspect sockets: one kind, one process (or none), one listener or destination. */
struct holder {
	enum holder_kind kind;
	int32_t proc; /* index into snapshot.procs; -1: no process has it (an orphan), or it could not be found */
	bool orphan; /* it certainly has no process (inode 0) */
	struct ip local;
	uint16_t lport; /* of a listener; 0 when grouped by destination */
	struct ip peer;
	uint16_t pport; /* the destination's port; 0 when grouped by listener. Then peer is one example. */
	uint32_t n;
	uint64_t queue_bytes; /* unread (CLOSE_WAIT) or unsent and unacknowledged (FIN_WAIT_1) */
	uint32_t oldest_ms; /* since the last segment came in from the peer; 0: unknown */
	uint32_t median_ms;
	int fd[FDS_SHOWN]; /* examples */
	uint32_t n_fd;
	uint64_t inode; /* of the first example descriptor; 0 unknown */
	struct sockopts opts; /* of one example */
};

struct proc {
	int32_t pid;
	uint64_t netns; /* inode of its network namespace */
	char comm[N_TEXT], cgroup[128];
	char container[N_TEXT]; /* short id found in the cgroup path; "" none */
	uint32_t fds, fd_limit; /* open descriptors and soft RLIMIT_NOFILE; fd_limit 0: unknown */
	uint32_t sockets; /* descriptors that are sockets */
};

/* What a process closed first, as far as the closes were watched (obs/closers.h). */
struct closer {
	struct proc proc;
	uint64_t fin, rst;
	double per_s; /* in the newest seconds */
};

struct port_range {
	uint16_t low, high; /* inclusive */
};

struct sockstat { /* /proc/net/sockstat */
	bool known;
	uint64_t inuse, tw; /* this namespace; tw counts both sub-states */
	uint64_t orphan, alloc, mem_pages; /* the whole machine */
};

struct conntrack {
	bool known; /* false: connection tracking is absent or could not be read */
	bool active; /* known, and it has seen a packet: entries or counters are not all zero */
	uint64_t count, max;
	uint64_t insert_failed, drop, early_drop, found; /* since boot, summed over CPUs */
};

/* Something that could not be seen. */
struct missing {
	char what[N_TEXT]; /* "socket owners" */
	char why[128]; /* "no CAP_SYS_PTRACE" */
	char lost[128]; /* "which process leaks CLOSE_WAIT" */
	bool blind; /* true: a question could not be asked; false: this kernel has no such thing */
};

struct netns {
	char name[N_TEXT]; /* "host", "ip netns" name, container id or "comm[pid]" */
	uint64_t inode;
	int32_t pid; /* some process inside; 0 none */
	bool torn; /* the dump was interrupted twice (NLM_F_DUMP_INTR): counts may be off */
	struct state_counts states;
	uint32_t fin_wait_2_orphans;
	uint32_t bound; /* local ports inside the range held by sockets that are only bound (BOUND_INACTIVE, 6.8) */
	bool bound_known;
	struct listener *listeners;
	size_t n_listeners;
	struct dest *dests; /* by ports in use, most first */
	size_t n_dests;
	struct state_counts dests_more; /* sockets to destinations beyond DESTS_MAX */
	uint32_t dests_more_n;
	struct holder *holders;
	size_t n_holders;
	uint64_t ephemeral_ports_low_parity,
		ephemeral_ports_other_parity; /* distinct local ports used by connections out */
	struct counters counters;
	struct sockstat sockstat;
	struct conntrack conntrack;
	int64_t knob[KNOB_SLOTS]; /* by enum knob_id */
	bool knob_known[KNOB_SLOTS];
	struct port_range *reserved; /* ip_local_reserved_ports, ascending */
	size_t n_reserved;
	struct missing *missing;
	size_t n_missing;
};

/* A line of /etc/sysctl.conf or sysctl.d that sets one of our knobs. */
struct config_line {
	char file[128];
	uint32_t line;
	char name[96]; /* with dots */
	char value[N_TEXT];
};

struct snapshot {
	nsec_t taken_at; /* CLOCK_MONOTONIC */
	int64_t wall_s; /* CLOCK_REALTIME */
	char kernel[N_TEXT]; /* uname -r */
	int kernel_version; /* major << 16 | minor, as KV() of knob/knob.h */
	char hostname[N_TEXT];
	struct netns *netns;
	size_t n_netns;
	struct proc *procs;
	size_t n_procs;
	struct config_line *config;
	size_t n_config;
	uint64_t ehash_entries; /* 0 unknown */
	struct missing *missing; /* of the whole host */
	size_t n_missing;
};

/* One snapshot, or two an interval apart. */
struct observation {
	struct snapshot s[2];
	unsigned n;
};

void snapshot_done(struct snapshot *s); /* also of a half-built one; leaves it zeroed */
void observation_done(struct observation *o);

/* The latest snapshot; the namespace of the earlier snapshot with this inode, or NULL. */
const struct snapshot *observation_now(const struct observation *o);
const struct netns *observation_before(const struct observation *o, uint64_t inode);
double observation_interval_s(const struct observation *o); /* 0 with one snapshot */

/* Appends a row that says what is missing; 0 or -ENOMEM. The same `what` is said once. */
int missing_add(struct missing **v, size_t *n, const struct missing *m);

/* The process, or NULL for -1. */
const struct proc *snapshot_proc(const struct snapshot *s, int32_t proc);
struct proc_text {
	char s[160];
};
bool proc_is_same(const struct proc *a, const struct proc *b); /* by pid and name: a pid may be used again */
int32_t tw_owner_most(const struct tw_owner *o); /* index of who closed more than half of those known; -1: nobody */
struct proc_text proc_text(const struct proc *p); /* "nginx[812]" or "nginx[812] in 3f2c1a..."; "" for NULL */
