// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * lastack.bpf.c - follows TCP sockets from their first state to CLOSE and writes one record for each end.
 *
 * Whose pid is it? Not that of whatever runs when a segment comes in. But CLOSE -> SYN_SENT happens in connect() alone, a
 * socket enters FIN_WAIT1 or LAST_ACK in close() or shutdown() alone, and sock_release runs in the process that closes:
 * only there is the current process written down, and kernel threads never are (ADR 49).
 *
 * Nothing runs for each segment sent or received: the socket itself remembers when data went out and came in, in jiffies.
 * Only a read() that copies data leads here, for the number of exchanges.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "events.h"

enum { PF_EXITING = 0x4, PF_KTHREAD = 0x00200000 }; /* include/linux/sched.h; both older than BTF */

const volatile struct trace_config config = {};
struct trace_counts counts = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 19); /* set before loading */
	__type(key, __u64); /* cookie */
	__type(value, struct track);
} lastack_socks SEC(".maps");

struct proc {
	__u64 cgroup;
	__u64 comm[TASK_COMM_LEN / 8];
};

struct { /* which processes the reader has been told of */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32); /* pid */
	__type(value, struct proc);
} lastack_procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* set before loading */
} lastack_ring SEC(".maps");

static __always_inline __u64 wakeup(void)
{
	return bpf_ringbuf_query(&lastack_ring, BPF_RB_AVAIL_DATA) >= config.wake_at ? BPF_RB_FORCE_WAKEUP
										     : BPF_RB_NO_WAKEUP;
}

static __always_inline void *reserve(__u64 size)
{
	void *p = bpf_ringbuf_reserve(&lastack_ring, size, 0);

	if (!p)
		__sync_fetch_and_add(&counts.lost, 1);
	return p;
}

/* The pid of the current process, known to the reader by name; 0 for a thread of the kernel. */
static __always_inline __u32 current_pid(__u32 *ret_flags)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct proc now = {.cgroup = bpf_get_current_cgroup_id()}, *known;
	struct event_proc *e;

	*ret_flags = BPF_CORE_READ(task, flags);
	if (*ret_flags & PF_KTHREAD)
		return 0;
	bpf_get_current_comm(now.comm, sizeof(now.comm));
	known = bpf_map_lookup_elem(&lastack_procs, &pid);
	if (known && known->cgroup == now.cgroup && known->comm[0] == now.comm[0] && known->comm[1] == now.comm[1])
		return pid;
	e = reserve(sizeof(*e));
	if (!e)
		return pid;
	e->kind = EVENT_PROC;
	e->pid = pid;
	e->cgroup = now.cgroup;
	__builtin_memcpy(e->comm, now.comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, wakeup());
	bpf_map_update_elem(&lastack_procs, &pid, &now, BPF_ANY);
	return pid;
}

static __always_inline void tuple_of(struct event_tuple *t, struct sock *sk, __u64 cookie)
{
	struct sock_common *c = &sk->__sk_common;

	__builtin_memset(t, 0, sizeof(*t));
	if (c->skc_family == AF_INET) {
		t->family = 4;
		*(__be32 *)t->local = c->skc_rcv_saddr;
		*(__be32 *)t->peer = c->skc_daddr;
	} else {
		t->family = 6;
		for (int i = 0; i < 4; i++) {
			((__be32 *)t->local)[i] = c->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
			((__be32 *)t->peer)[i] = c->skc_v6_daddr.in6_u.u6_addr32[i];
		}
	}
	t->lport = c->skc_num;
	t->pport = bpf_ntohs(c->skc_dport);
	t->netns = c->skc_net.net->ns.inum;
	t->cookie = cookie;
}

static __always_inline __u64 cgroup_of(struct sock *sk)
{
	/* Before 5.15 the pointer shares its place with a number of the first cgroup version. */
	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup) || !bpf_core_field_exists(struct kernfs_node, id))
		return 0;
	return sk->sk_cgrp_data.cgroup->kn->id;
}

static __always_inline bool is_wanted(struct sock *sk)
{
	if (config.netns && sk->__sk_common.skc_net.net->ns.inum != config.netns)
		return false;
	return !config.cgroup || cgroup_of(sk) == config.cgroup;
}

/* Payload that the peer sent. Its FIN counts as an octet, and tcp_fin() comes after. */
static __always_inline __u64 received(struct tcp_sock *tp, bool fin) { return tp->bytes_received - fin; }

static __always_inline bool has_unread(struct tcp_sock *tp, bool fin) { return tp->rcv_nxt - tp->copied_seq > fin; }

/* The first FIN, either way: what is to be known of the time before it is settled. fin: it is the peer's. */
static __always_inline void settle(struct track *t, struct tcp_sock *tp, bool fin)
{
	bool written = tp->write_seq != t->write_seq, unread = has_unread(tp, fin);
	__u64 sent = tp->bytes_sent - tp->bytes_retrans;
	__u32 jiffies = bpf_jiffies64();

	if (t->flags & TRACK_PASSIVE) {
		t->exchanges += (t->flags & TRACK_READ) && written;
		if (unread || ((t->flags & TRACK_READ) && !written))
			t->flags |= TRACK_UNANSWERED;
	} else {
		t->exchanges += written && unread;
		if (written && !unread)
			t->flags |= TRACK_UNANSWERED;
	}
	if (sent)
		t->flags |= TRACK_DATA_OUT;
	if (received(tp, fin))
		t->flags |= TRACK_DATA_IN;
	t->sent_ago = jiffies - tp->lsndtime;
	t->read_ago = jiffies - tp->inet_conn.icsk_ack.lrcvtime;
	t->bytes = fin ? sent : received(tp, false);
}

/* Of the process that closes or shuts down. */
static __always_inline void note_closer(struct track *t)
{
	__u32 flags;

	if (t->closer)
		return;
	t->closer = current_pid(&flags);
	if (!(t->flags & TRACK_RELEASED))
		t->flags |= TRACK_SHUTDOWN;
}

static __always_inline void emit(struct sock *sk, struct tcp_sock *tp, struct track *t, int from)
{
	struct event_close *e;
	bool fin = sk->__sk_common.skc_flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	bool linger = sk->__sk_common.skc_flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_LINGER);
	__u32 jiffies = bpf_jiffies64(), late;

	if (!is_wanted(sk))
		return;
	e = reserve(sizeof(*e));
	if (!e)
		return;
	e->kind = EVENT_CLOSE;
	e->from = from;
	e->socket = (fin ? SOCKET_FIN_RECEIVED : 0) | (linger && !sk->sk_lingertime ? SOCKET_LINGER_0 : 0) |
		    (has_unread(tp, fin) ? SOCKET_UNREAD : 0) | (tp->snd_una != tp->write_seq ? SOCKET_UNSENT : 0);
	e->error = sk->sk_err;
	tuple_of(&e->t, sk, bpf_get_socket_cookie(sk));
	e->silence = t->at[2] ? 0 : t->silence;
	if (t->at[1] && !t->at[2])
		settle(t, tp, false);
	e->track = *t;
	e->now = bpf_ktime_get_ns();
	e->sent = tp->bytes_sent - tp->bytes_retrans;
	e->received = received(tp, fin);
	e->cgroup = cgroup_of(sk);
	e->retransmits = tp->total_retrans;
	e->srtt_us = tp->srtt_us;
	e->sent_ago = jiffies - tp->lsndtime;
	e->read_ago = jiffies - tp->inet_conn.icsk_ack.lrcvtime;
	e->ack_ago = jiffies - tp->rcv_tstamp;
	late = t->flags & TRACK_FIRST_PEER ? (__u32)e->sent : (__u32)e->received;
	e->late_ago = t->flags & TRACK_FIRST_PEER ? e->sent_ago : e->read_ago;
	if ((t->flags & (TRACK_FIRST_PEER | TRACK_FIRST_LOCAL)) && late != t->bytes)
		e->track.flags |= TRACK_LATE;
	bpf_ringbuf_submit(e, wakeup());
}

static __always_inline struct track *track_new(__u64 cookie)
{
	struct track zero = {};
	struct track *t;

	if (bpf_map_update_elem(&lastack_socks, &cookie, &zero, BPF_ANY) == 0) {
		t = bpf_map_lookup_elem(&lastack_socks, &cookie);
		if (t)
			return t;
	}
	__sync_fetch_and_add(&counts.untracked, 1);
	return NULL;
}

/* The two transitions that tell of a new connection. */
static __always_inline void begin(struct sock *sk, struct track *t, int old, int new)
{
	__u32 flags;

	if (new == TCP_SYN_SENT) {
		t->at[0] = bpf_ktime_get_ns();
		t->flags |= TRACK_SYN;
		t->opener = current_pid(&flags);
		return;
	}
	t->at[1] = bpf_ktime_get_ns();
	if (old == TCP_SYN_RECV && !t->at[0]) {
		t->at[0] = t->at[1];
		t->flags |= TRACK_SYN | TRACK_PASSIVE;
	}
}

static __always_inline void half_close(struct tcp_sock *tp, struct track *t, int new)
{
	bool ours = new == TCP_FIN_WAIT1, fin = new == TCP_CLOSE_WAIT;

	if (ours || new == TCP_LAST_ACK)
		note_closer(t);
	if (!t->at[2]) {
		t->flags |= ours ? TRACK_FIRST_LOCAL : fin ? TRACK_FIRST_PEER : 0;
		t->at[2] = bpf_ktime_get_ns();
		t->state[0] = new;
		settle(t, tp, fin);
	} else {
		t->at[3] = bpf_ktime_get_ns();
		t->state[1] = new;
	}
	if (new == TCP_CLOSING)
		t->flags |= TRACK_CROSSED;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	struct track *t, zero = {};
	struct tcp_sock *tp;
	__u64 cookie;

	if (sk->sk_protocol != IPPROTO_TCP || old == TCP_LISTEN || new == TCP_LISTEN)
		return 0;
	if (old == TCP_CLOSE && new != TCP_SYN_SENT)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	cookie = bpf_get_socket_cookie(sk);
	t = bpf_map_lookup_elem(&lastack_socks, &cookie);
	if (new == TCP_CLOSE) {
		emit(sk, tp, t ? t : &zero, old);
		if (t)
			bpf_map_delete_elem(&lastack_socks, &cookie);
		return 0;
	}
	if (!t)
		t = track_new(cookie);
	if (!t)
		return 0;
	if (new == TCP_SYN_SENT || new == TCP_ESTABLISHED) {
		begin(sk, t, old, new);
		t->write_seq = tp->write_seq;
	} else if (new != TCP_SYN_RECV) {
		half_close(tp, t, new);
	}
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(on_read, struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct track *t = bpf_map_lookup_elem(&lastack_socks, &cookie);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 jiffies = bpf_jiffies64(), idle = 0;
	bool written;

	if (!t || !tp || t->at[2] || !t->at[1])
		return 0;
	written = tp->write_seq != t->write_seq;
	if (t->flags & TRACK_PASSIVE) {
		t->exchanges += (t->flags & TRACK_READ) && written;
		if (written || !(t->flags & TRACK_READ))
			idle = jiffies - tp->lsndtime;
	} else if (written) {
		t->exchanges++;
		idle = t->read_at ? tp->lsndtime - t->read_at : 0;
	}
	if ((__s32)idle > (__s32)t->idle)
		t->idle = idle;
	t->flags |= TRACK_READ;
	t->write_seq = tp->write_seq;
	t->read_at = jiffies;
	return 0;
}

/* How long nothing had come from the peer when its acknowledgement was waited for in vain. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct track *t = bpf_map_lookup_elem(&lastack_socks, &cookie);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 silence;

	if (!t || !tp || t->at[2] || !t->at[1] || tp->inet_conn.icsk_retransmits > 1)
		return 0;
	silence = (__u32)bpf_jiffies64() - tp->rcv_tstamp;
	t->silence = silence > tp->inet_conn.icsk_rto ? silence - tp->inet_conn.icsk_rto : 0;
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_receive_reset, struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct track *t = bpf_map_lookup_elem(&lastack_socks, &cookie);

	if (!t && sk->__sk_common.skc_state != TCP_CLOSE)
		t = track_new(cookie);
	if (t)
		t->flags |= TRACK_RESET;
	return 0;
}

#define REASON(reason, name)                                                                                           \
	(bpf_core_enum_value_exists(enum sk_rst_reason, name) &&                                                       \
	 (reason) == bpf_core_enum_value(enum sk_rst_reason, name))

static __always_inline __u32 reason_of(__u64 reason)
{
	if (REASON(reason, SK_RST_REASON_TCP_ABORT_ON_DATA))
		return REASON_ON_DATA;
	if (REASON(reason, SK_RST_REASON_TCP_TIMEWAIT_SOCKET))
		return REASON_TIME_WAIT;
	if (REASON(reason, SK_RST_REASON_TCP_ABORT_ON_CLOSE))
		return REASON_ON_CLOSE;
	if (REASON(reason, SK_RST_REASON_TCP_ABORT_ON_LINGER))
		return REASON_LINGER;
	if (REASON(reason, SK_RST_REASON_NO_SOCKET))
		return REASON_NO_SOCKET;
	return REASON_UNKNOWN;
}

/* A socket in CLOSE has its record out already, one in TIME_WAIT (or FIN_WAIT2 without a process) long since. */
static __always_inline int rst_sent(struct sock *sk, __u32 reason)
{
	struct event_rst *e;
	struct track *t;
	__u64 cookie;
	int state;

	if (!sk)
		return 0;
	cookie = sk->__sk_common.skc_cookie.counter;
	state = sk->__sk_common.skc_state;
	t = bpf_map_lookup_elem(&lastack_socks, &cookie);
	if (t)
		t->flags |= TRACK_RST_SENT;
	if (t || !cookie || (state != TCP_CLOSE && state != TCP_TIME_WAIT && state != TCP_FIN_WAIT2))
		return 0;
	if (config.netns && sk->__sk_common.skc_net.net->ns.inum != config.netns)
		return 0;
	e = reserve(sizeof(*e));
	if (!e)
		return 0;
	e->kind = EVENT_RST;
	e->reason = reason;
	tuple_of(&e->t, sk, cookie);
	e->now = bpf_ktime_get_ns();
	bpf_ringbuf_submit(e, wakeup());
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(on_send_reset, struct sock *sk, struct sk_buff *skb, int reason)
{
	return rst_sent(sk, reason_of(reason));
}

SEC("tp_btf/tcp_send_reset") /* before 6.10 it gives no reason */
int BPF_PROG(on_send_reset_bare, struct sock *sk) { return rst_sent(sk, REASON_UNKNOWN); }

/* The one place that runs in the process that closes whatever the state, and before anything is sent. */
SEC("cgroup/sock_release")
int on_release(struct bpf_sock *sk)
{
	__u32 state = sk->state, flags;
	struct track *t;
	__u64 cookie;

	if (sk->protocol != IPPROTO_TCP || state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_SENT)
		return 1;
	cookie = bpf_get_socket_cookie(sk);
	t = bpf_map_lookup_elem(&lastack_socks, &cookie);
	if (!t)
		t = track_new(cookie);
	if (!t)
		return 1;
	t->flags |= TRACK_RELEASED;
	if (t->flags & TRACK_SHUTDOWN)
		return 1;
	t->closer = current_pid(&flags);
	if (flags & PF_EXITING)
		t->flags |= TRACK_EXITING;
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
