// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * lastack.bpf.c - follows TCP sockets from their first state to CLOSE and writes one record for each end.
 *
 * Whose pid is it? Not that of whatever runs when a segment comes in. But CLOSE -> SYN_SENT happens in connect() alone, a
 * socket enters FIN_WAIT1 or LAST_ACK in close() or shutdown() alone, and one whose file nobody holds any more is being closed
 * by the process that let go of it: only there is the current process written down, and kernel threads never are (ADR 49).
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
#include "socks.h"

enum { PF_EXITING = 0x4, PF_KTHREAD = 0x00200000 }; /* include/linux/sched.h; both older than BTF */
enum { GROUPS_DEEP = 32 }; /* how far below the group that is looked for a socket's may lie */

const volatile struct trace_config config = {};

struct proc {
	__u64 cgroup;
	__u64 comm[TASK_COMM_LEN / 8];
};

struct latest {
	__u64 pid;
	struct proc proc;
};

struct { /* the process that this CPU told of last: as a rule it is the next one, too */
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct latest);
} lastack_latest SEC(".maps");

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

/* The reader comes by itself, many times a second: to wake it would cost more than all the rest. */
static __always_inline void *reserve(__u64 size, __u64 *lost)
{
	void *p = bpf_ringbuf_reserve(&lastack_ring, size, 0);

	if (!p)
		__sync_fetch_and_add(lost, 1);
	return p;
}

static __always_inline bool is_same(const struct proc *a, const struct proc *b)
{
	return a->cgroup == b->cgroup && a->comm[0] == b->comm[0] && a->comm[1] == b->comm[1];
}

/* A thread may have a name of its own; its process goes by that of the first thread, as in /proc. */
static __always_inline void read_comm(__u64 comm[TASK_COMM_LEN / 8])
{
	struct task_struct *task = bpf_get_current_task_btf();
	const __u64 *of;

	if (!bpf_core_field_exists(task->group_leader) || !bpf_core_field_exists(task->comm)) {
		bpf_get_current_comm(comm, TASK_COMM_LEN);
		return;
	}
	of = (const __u64 *)task->group_leader->comm;
	comm[0] = of[0];
	comm[1] = of[1];
}

/* The current process by name, for the reader. */
static __always_inline void tell_name(__u32 pid)
{
	struct proc now = {.cgroup = bpf_get_current_cgroup_id()}, *known;
	__u32 zero = 0;
	struct latest *latest = bpf_map_lookup_elem(&lastack_latest, &zero);
	struct event_proc *e;

	read_comm(now.comm);
	if (!latest || (latest->pid == pid && is_same(&latest->proc, &now)))
		return;
	known = bpf_map_lookup_elem(&lastack_procs, &pid);
	if (!known || !is_same(known, &now)) {
		e = reserve(sizeof(*e), &counts.names);
		if (!e)
			return;
		e->kind = EVENT_PROC;
		e->pid = pid;
		e->cgroup = now.cgroup;
		__builtin_memcpy(e->comm, now.comm, sizeof(e->comm));
		bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
		bpf_map_update_elem(&lastack_procs, &pid, &now, BPF_ANY);
	}
	latest->pid = pid;
	latest->proc = now;
}

static __always_inline __u32 task_flags(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->flags;
}

static __always_inline void note_opener(struct track *t)
{
	if (task_flags() & PF_KTHREAD)
		return;
	t->opener = bpf_get_current_pid_tgid() >> 32;
	tell_name(t->opener);
}

/*
 * Nobody holds the socket's file any more: we are inside its close, in the process that closed it last. While shutdown() runs
 * its caller holds it.
 */
static __always_inline bool is_released(struct sock *sk)
{
	struct file *file = sk->sk_socket->file;

	if (!file)
		return false;
	if (bpf_core_field_exists(file->f_ref)) /* 6.13: 0 is one reference, the highest bit says that there is none */
		return file->f_ref.refcnt.counter < 0;
	if (bpf_core_field_exists(((struct file___before_6_13 *)file)->f_count))
		return !((struct file___before_6_13 *)file)->f_count.counter;
	return false;
}

/* Of the process that closes or shuts down: call it only where no other can be the current one. */
static __always_inline void note_closer(struct sock *sk, struct track *t)
{
	__u32 flags = task_flags();

	if (t->closer || flags & PF_KTHREAD)
		return;
	t->closer = bpf_get_current_pid_tgid() >> 32;
	t->flags |= is_released(sk) ? TRACK_RELEASED : TRACK_SHUTDOWN;
	if (flags & PF_EXITING)
		t->flags |= TRACK_EXITING;
	if (t->closer != t->opener)
		tell_name(t->closer);
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

/* In that group, or in one that was made below it: what a program starts may be put there. */
static __always_inline bool is_of_group(struct sock *sk, __u64 id)
{
	struct cgroup *g;

	if (cgroup_of(sk) == id)
		return true;
	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup) || !bpf_core_field_exists(struct kernfs_node, id) ||
	    !bpf_core_field_exists(struct cgroup_subsys_state, parent))
		return false;
	g = sk->sk_cgrp_data.cgroup;
	for (int i = 0; i < GROUPS_DEEP; i++) {
		g = g->self.parent->cgroup; /* of the root: null, and what is read through that is 0 */
		if (!g)
			return false;
		if (g->kn->id == id)
			return true;
	}
	return false;
}

static __always_inline bool is_wanted(struct sock *sk)
{
	if (config.netns && sk->__sk_common.skc_net.net->ns.inum != config.netns)
		return false;
	return !config.cgroup || is_of_group(sk, config.cgroup);
}

/* Did data go out since the last read? Before the first read any octet counts. */
static __always_inline bool has_written(const struct track *t, struct tcp_sock *tp)
{
	return t->write_seq ? tp->write_seq != t->write_seq : tp->bytes_sent != 0;
}

/* Payload that the peer sent. Its FIN counts as an octet, and tcp_fin() comes after. */
static __always_inline __u64 received(struct tcp_sock *tp, bool fin) { return tp->bytes_received - fin; }

static __always_inline bool has_unread(struct tcp_sock *tp, bool fin) { return tp->rcv_nxt - tp->copied_seq > fin; }

static __always_inline __u32 since(__u32 then, __u32 now) { return (__s32)(now - then) > 0 ? now - then : 0; }

/*
 * The first FIN, either way: what is to be known of the time before it is settled. fin: it is the peer's. A TLS alert goes
 * before many a FIN and is no data: what was sent or had before it is as old as the peer's last acknowledgement, our last read.
 * jiffies: when it was.
 */
static __always_inline void settle(struct track *t, struct tcp_sock *tp, bool fin, __u32 jiffies)
{
	__u64 sent = tp->bytes_sent - tp->bytes_retrans, had = received(tp, fin);
	bool theirs = has_unread(tp, fin) && is_tls_alert(tp->rcv_nxt - tp->copied_seq - fin, sent, had);
	bool ours = is_tls_alert(tp->write_seq - tp->snd_una, sent, had);
	bool written = has_written(t, tp), unread = has_unread(tp, fin) && !theirs;
	__u32 read_at = t->read_at;

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
	if (had)
		t->flags |= TRACK_DATA_IN;
	t->sent_ago = since(ours ? tp->rcv_tstamp : tp->lsndtime, jiffies);
	t->read_ago = since(theirs && read_at ? read_at : tp->inet_conn.icsk_ack.lrcvtime, jiffies);
	t->bytes = fin ? sent : received(tp, false);
}

static __always_inline __u16 at_most_16_bits(__u32 v) { return v < 0xffff ? v : 0xffff; }

/* What is read from the socket itself. fin: the peer's has come. */
static __always_inline void fill(struct event_close *e, struct sock *sk, struct tcp_sock *tp, const struct track *t,
				 bool fin)
{
	bool linger = sk->__sk_common.skc_flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_LINGER);
	__u32 jiffies = bpf_jiffies64(), late;

	e->socket = (fin ? SOCKET_FIN_RECEIVED : 0) | (linger && !sk->sk_lingertime ? SOCKET_LINGER_0 : 0) |
		    (has_unread(tp, fin) ? SOCKET_UNREAD : 0) | (tp->segs_out ? SOCKET_SENT : 0);
	e->unread = has_unread(tp, fin) ? at_most_16_bits(tp->rcv_nxt - tp->copied_seq - fin) : 0;
	e->unsent = at_most_16_bits(tp->write_seq - tp->snd_una);
	e->error = sk->sk_err;
	/* The port was given back already, but the socket still has its name. None there either: it never got one. */
	e->t.lport = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	e->track = *t;
	e->now = bpf_ktime_get_ns();
	e->sent = tp->bytes_sent - tp->bytes_retrans;
	e->received = received(tp, fin);
	e->cgroup = cgroup_of(sk);
	e->retransmits = tp->total_retrans;
	e->rtt_us = tp->rtt_min.s[0].v;
	e->sent_ago = jiffies - tp->lsndtime;
	e->read_ago = jiffies - tp->inet_conn.icsk_ack.lrcvtime;
	e->ack_ago = jiffies - tp->rcv_tstamp;
	late = t->flags & TRACK_FIRST_PEER ? (__u32)e->sent : (__u32)e->received;
	e->late_ago = t->flags & TRACK_FIRST_PEER ? e->sent_ago : e->read_ago;
	if ((t->flags & (TRACK_FIRST_PEER | TRACK_FIRST_LOCAL)) && late != t->bytes)
		e->track.flags |= TRACK_LATE;
}

static __always_inline bool has_fin(struct sock *sk)
{
	return sk->__sk_common.skc_flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);
}

static __always_inline void emit(struct sock *sk, struct tcp_sock *tp, struct track *t, __u64 cookie, int from)
{
	struct event_close *e;
	bool fin = has_fin(sk);

	if (!is_wanted(sk))
		return;
	/* An end that no segment brought about: close() with a RST, or before it was connected. */
	if (!sk->sk_err && !(t->flags & TRACK_RESET) && is_released(sk))
		note_closer(sk, t);
	e = reserve(sizeof(*e), &counts.lost);
	if (!e)
		return;
	e->kind = EVENT_CLOSE;
	e->from = from;
	tuple_of(&e->t, sk, cookie);
	e->silence = t->at[2] ? 0 : t->silence;
	if (!t->at[2] && from != TCP_SYN_SENT)
		settle(t, tp, fin, bpf_jiffies64());
	fill(e, sk, tp, t, fin);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

static __always_inline int begin(struct tcp_sock *tp, __u64 cookie, bool passive)
{
	struct track t = {.flags = TRACK_SYN | (passive ? TRACK_PASSIVE : 0)};

	t.at[0] = bpf_ktime_get_ns();
	if (passive) {
		t.at[1] = t.at[0];
		t.write_seq = tp->write_seq;
	} else {
		note_opener(&t);
	}
	sock_put(cookie, &t);
	return 0;
}

/*
 * LAST_ACK, and nobody saw how it came to CLOSE_WAIT: that was before us, or missed. The peer's FIN was the last that it said,
 * or nearly.
 */
static __always_inline void catch_up(struct track *t, struct tcp_sock *tp, __u64 now)
{
	__u64 ago = (__u32)bpf_jiffies64() - tp->rcv_tstamp;

	t->flags |= TRACK_FIRST_PEER;
	t->at[2] = now - ago * config.jiffy_ns;
	t->state[0] = TCP_CLOSE_WAIT;
	settle(t, tp, true, tp->rcv_tstamp);
}

static __always_inline void half_close(struct sock *sk, struct tcp_sock *tp, struct track *t, int new)
{
	bool ours = new == TCP_FIN_WAIT1, fin = new == TCP_CLOSE_WAIT;
	__u64 now = bpf_ktime_get_ns();

	if (ours || new == TCP_LAST_ACK)
		note_closer(sk, t);
	if (new == TCP_LAST_ACK && !t->at[2])
		catch_up(t, tp, now);
	if (!t->at[2]) {
		t->flags |= ours ? TRACK_FIRST_LOCAL : fin ? TRACK_FIRST_PEER : 0;
		t->at[2] = now;
		t->state[0] = new;
		settle(t, tp, fin, bpf_jiffies64());
	} else {
		t->at[3] = now;
		t->state[1] = new;
	}
	if (new == TCP_CLOSING)
		t->flags |= TRACK_CROSSED;
}

/* Transitions that teach nothing that the socket itself will not tell later: most of them, and each costs. */
static __always_inline bool is_dull(struct sock *sk, int old, int new)
{
	if (old == TCP_LISTEN || new == TCP_LISTEN || (old == TCP_CLOSE && new != TCP_SYN_SENT))
		return true;
	/* Without a process this socket is replaced by a small one at once. */
	return new == TCP_FIN_WAIT2 &&
	       (sk->__sk_common.skc_flags & 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DEAD));
}

static __always_inline __u64 cookie_of(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	return cookie ? cookie : bpf_get_socket_cookie(sk);
}

static __always_inline int end(struct sock *sk, struct tcp_sock *tp, __u64 cookie, int from)
{
	struct track *t = sock_get(cookie), zero = {};

	emit(sk, tp, t ? t : &zero, cookie, from);
	if (t)
		sock_drop(cookie);
	return 0;
}

static __always_inline int on_change(struct sock *sk, __u64 cookie, int old, int new)
{
	struct tcp_sock *tp;
	struct track *t;

	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	/* How long it took is the round trip, unless a SYN was lost. */
	if (old == TCP_SYN_SENT && new == TCP_ESTABLISHED && !tp->total_retrans)
		return 0;
	if (new == TCP_CLOSE)
		return end(sk, tp, cookie, old);
	if (new == TCP_SYN_SENT)
		return begin(tp, cookie, false);
	t = sock_get(cookie);
	if (!t && new == TCP_ESTABLISHED)
		return old == TCP_SYN_RECV ? begin(tp, cookie, true) : 0;
	if (!t) { /* it was there before we were */
		struct track zero = {};

		t = sock_put(cookie, &zero);
	}
	if (!t)
		return 0;
	if (new == TCP_ESTABLISHED)
		t->at[1] = bpf_ktime_get_ns();
	else if (new != TCP_SYN_RECV)
		half_close(sk, tp, t, new);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	if (!is_dull(sk, old, new) && sk->sk_protocol == IPPROTO_TCP)
		on_change(sk, cookie_of(sk), old, new);
	return 0;
}

/* What a socket was in when it went to CLOSE, as far as that can still be told. */
static __always_inline int last_state(struct sock *sk, struct tcp_sock *tp, const struct track *t)
{
	int state = t->at[3] ? t->state[1] : t->state[0];

	if (!t->at[2])
		return tp->rcv_nxt ? TCP_ESTABLISHED : TCP_SYN_SENT;
	if (state == TCP_FIN_WAIT1 && !sk->sk_err && !(t->flags & (TRACK_RESET | TRACK_RST_SENT)))
		return TCP_FIN_WAIT2;
	return state;
}

/*
 * The kernel does not let a program run twice at a time on one CPU. An interrupt that comes while close() has on_state() at
 * work may have the segments that wait taken in, hundreds of them, and none of what they change is seen then. A socket that
 * is done with and still has its entry here is one of those (ADR 59).
 */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_destroy, struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;
	struct track *t = sock_get(cookie);
	struct tcp_sock *tp;

	if (!t)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	return tp ? end(sk, tp, cookie, last_state(sk, tp, t)) : 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(on_read, struct sock *sk)
{
	__u64 cookie = cookie_of(sk);
	struct track *t = sock_get(cookie);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 jiffies = bpf_jiffies64(), idle = 0;
	bool written;

	if (!t || !tp || t->at[2])
		return 0;
	written = has_written(t, tp);
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
	__u64 cookie = cookie_of(sk);
	struct track *t = sock_get(cookie);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 silence;

	if (!t || !tp || t->at[2] || sk->__sk_common.skc_state == TCP_SYN_SENT || tp->inet_conn.icsk_retransmits > 1)
		return 0;
	silence = (__u32)bpf_jiffies64() - tp->rcv_tstamp;
	t->silence = silence > tp->inet_conn.icsk_rto ? silence - tp->inet_conn.icsk_rto : 0;
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_receive_reset, struct sock *sk)
{
	__u64 cookie = cookie_of(sk);
	struct track *t = sock_get(cookie), reset = {.flags = TRACK_RESET};

	if (t)
		t->flags |= TRACK_RESET;
	else
		sock_put(cookie, &reset);
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
	return REASON_OTHER;
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
	t = sock_get(cookie);
	if (t)
		t->flags |= TRACK_RST_SENT;
	if (t || !cookie || reason == REASON_OTHER ||
	    (state != TCP_CLOSE && state != TCP_TIME_WAIT && state != TCP_FIN_WAIT2))
		return 0;
	if (config.netns && sk->__sk_common.skc_net.net->ns.inum != config.netns)
		return 0;
	if (config.cgroup && state != TCP_CLOSE) /* a small socket does not know whose it was */
		return 0;
	e = reserve(sizeof(*e), &counts.lost);
	if (!e)
		return 0;
	e->kind = EVENT_RST;
	e->reason = reason;
	tuple_of(&e->t, sk, cookie);
	e->now = bpf_ktime_get_ns();
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(on_send_reset, struct sock *sk, struct sk_buff *skb, int reason)
{
	return rst_sent(sk, reason_of(reason));
}

SEC("tp_btf/tcp_send_reset") /* before 6.10 it gives no reason */
int BPF_PROG(on_send_reset_bare, struct sock *sk) { return rst_sent(sk, REASON_OTHER); }

/* Run by the reader when it ends, once in each network namespace: what began to close and is not done; and what is there at all. */
SEC("iter/tcp")
int on_rest(struct bpf_iter__tcp *ctx)
{
	struct sock_common *c = ctx->sk_common;
	struct event_close *e;
	struct tcp_sock *tp;
	struct sock *sk;
	struct track *t;
	__u64 cookie;

	barrier_var(c); /* else it is read from ctx again, and the verifier does not know that it is the same */
	if (!c)
		return 0;
	tp = bpf_skc_to_tcp_sock(c);
	sk = (struct sock *)tp;
	if (!tp)
		return 0;
	cookie = sk->__sk_common.skc_cookie.counter;
	t = sock_get(cookie);
	if (!t)
		return 0;
	t->flags |= TRACK_THERE;
	if (!t->at[2] || sk->__sk_common.skc_state == TCP_CLOSE || !is_wanted(sk))
		return 0;
	e = reserve(sizeof(*e), &counts.lost);
	if (!e)
		return 0;
	e->kind = EVENT_CLOSING;
	e->from = sk->__sk_common.skc_state;
	tuple_of(&e->t, sk, cookie);
	e->silence = 0;
	fill(e, sk, tp, t, has_fin(sk));
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
