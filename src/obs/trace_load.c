/* SPDX-License-Identifier: MIT */
#include "obs/trace_load.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf/events.h"

#include <lastack.skel.h> /* after events.h, whose types it uses */

struct trace_load {
	struct lastack_bpf *skel;
	struct trace_parts parts;
};

/* How many arguments this kernel gives to programs on a tracepoint; -1: it has none of that name. */
static int tracepoint_args(const struct btf *btf, const char *name)
{
	char full[64];
	const struct btf_type *t;
	int id;

	snprintf(full, sizeof(full), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, full, BTF_KIND_TYPEDEF);
	t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	t = t ? btf__type_by_id(btf, t->type) : NULL; /* a pointer */
	t = t && btf_is_ptr(t) ? btf__type_by_id(btf, t->type) : NULL;
	return t && btf_is_func_proto(t) ? btf_vlen(t) - 1 : -1; /* the first is the tracepoint's own */
}

static bool has_member(const struct btf *btf, const char *type, const char *name)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (uint32_t i = 0; t && i < btf_vlen(t); i++)
		if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), name) == 0)
			return true;
	return false;
}

static bool has_iterator(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

static int choose(struct trace_load *l, struct why *w)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct trace_parts *p = &l->parts;
	int reset_args;

	if (!btf) {
		why_set(w, "no BTF of this kernel at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)");
		return -ENOENT;
	}
	reset_args = tracepoint_args(btf, "tcp_send_reset");
	p->calls = has_member(btf, "file", "f_ref") || has_member(btf, "file", "f_count");
	p->destroys = tracepoint_args(btf, "tcp_destroy_sock") >= 1;
	p->reads = tracepoint_args(btf, "tcp_rcv_space_adjust") >= 1;
	p->retransmits = tracepoint_args(btf, "tcp_retransmit_skb") >= 1;
	p->resets = reset_args >= 1 && tracepoint_args(btf, "tcp_receive_reset") >= 1;
	p->reasons = p->resets && reset_args >= 3;
	p->groups = has_member(btf, "sock_cgroup_data", "cgroup") && has_member(btf, "kernfs_node", "id");
	p->rest = has_iterator(btf, "bpf_iter_tcp");
	btf__free(btf);
	return 0;
}

static int load(struct trace_load *l, const struct trace_load_cfg *cfg, struct why *w)
{
	struct lastack_bpf *s = l->skel;
	int err;

	bpf_program__set_autoload(s->progs.on_destroy, l->parts.destroys);
	bpf_program__set_autoload(s->progs.on_read, l->parts.reads);
	bpf_program__set_autoload(s->progs.on_retransmit, l->parts.retransmits);
	bpf_program__set_autoload(s->progs.on_receive_reset, l->parts.resets);
	bpf_program__set_autoload(s->progs.on_send_reset, l->parts.reasons);
	bpf_program__set_autoload(s->progs.on_send_reset_bare, l->parts.resets && !l->parts.reasons);
	bpf_program__set_autoload(s->progs.on_rest, l->parts.rest);
	bpf_program__set_autoattach(s->progs.on_rest, false);
	s->rodata->config =
		(struct trace_config){.netns = cfg->netns, .jiffy_ns = (__u32)cfg->jiffy, .cgroup = cfg->cgroup};
	bpf_map__set_max_entries(s->maps.lastack_socks, cfg->sockets);
	bpf_map__set_max_entries(s->maps.lastack_ring, cfg->ring);
	err = lastack_bpf__load(s);
	if (err == -EPERM || err == -EACCES)
		return why_errno(w, EPERM,
				 "may not load BPF programs (needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)");
	return err ? why_errno(w, -err, "this kernel does not take the BPF programs (they need 5.12)") : 0;
}

int trace_load_new(const struct trace_load_cfg *cfg, struct trace_load **ret, struct why *w)
{
	struct trace_load *l = calloc(1, sizeof(*l));
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* libraries do not print here */
	int err = l ? 0 : -ENOMEM;

	if (!err)
		err = choose(l, w);
	if (!err && cfg->cgroup && !l->parts.groups) {
		why_set(w, "this kernel does not tell which control group a socket is of (that needs 5.15)");
		err = -ENOTSUP;
	}
	if (!err) {
		l->skel = lastack_bpf__open();
		err = l->skel ? load(l, cfg, w) : why_errno(w, errno ? errno : ENOMEM, "BPF object");
	}
	libbpf_set_print(print);
	if (err) {
		trace_load_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

int trace_load_attach(struct trace_load *l, struct why *w)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	int err = lastack_bpf__attach(l->skel);

	libbpf_set_print(print);
	return err ? why_errno(w, -err, "cannot attach BPF programs") : 0;
}

void trace_load_free(struct trace_load *l)
{
	if (!l)
		return;
	lastack_bpf__destroy(l->skel);
	free(l);
}

/* The iterator has nothing for us to read: reading is what makes it run. -EAGAIN: it rests, and wants to be asked again. */
static int run_iterator(int fd)
{
	char octet;
	ssize_t n;

	do
		n = read(fd, &octet, sizeof(octet));
	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	return n < 0 ? -errno : 0;
}

int trace_load_rest(const struct trace_load *l)
{
	struct bpf_link *link;
	int fd, err;

	if (!l->parts.rest)
		return -ENOTSUP;
	link = bpf_program__attach_iter(l->skel->progs.on_rest, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	err = fd < 0 ? fd : run_iterator(fd);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

static bool is_gone(const struct track *t, nsec_t before)
{
	nsec_t newest = 0;

	for (size_t i = 0; i < TRACK_STAMPS; i++)
		if (t->at[i] > newest)
			newest = t->at[i];
	return newest && newest < before && !(t->flags & TRACK_THERE);
}

static uint64_t near_gone(const struct lastack_bpf *s, nsec_t before)
{
	uint64_t gone = 0;

	for (size_t i = 0; i < NEAR_SOCKS; i++)
		gone += s->bss->near_cookie[i] && is_gone(&s->bss->near_track[i], before);
	return gone;
}

uint64_t trace_load_gone(const struct trace_load *l, nsec_t before)
{
	enum { BATCH = 4096 };
	struct {
		__u64 cookie[BATCH];
		struct track track[BATCH];
	} *b = calloc(1, sizeof(*b));
	int fd = bpf_map__fd(l->skel->maps.lastack_socks), err = b ? 0 : -ENOMEM;
	uint64_t at = 0, gone = near_gone(l->skel, before);
	bool first = true;

	while (!err) {
		__u32 n = BATCH;

		err = bpf_map_lookup_batch(fd, first ? NULL : &at, &at, b->cookie, b->track, &n, NULL);
		for (__u32 i = 0; i < n && (!err || err == -ENOENT); i++)
			gone += is_gone(&b->track[i], before);
		first = false;
	}
	free(b);
	return gone;
}

int trace_load_ring(const struct trace_load *l) { return bpf_map__fd(l->skel->maps.lastack_ring); }

static uint64_t misses(const struct bpf_program *p)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	return bpf_program__fd(p) >= 0 && bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len) == 0
		       ? info.recursion_misses
		       : 0;
}

struct trace_lost trace_load_lost(const struct trace_load *l)
{
	const struct lastack_bpf *s = l->skel;

	return (struct trace_lost){
		.records = s->bss->counts.lost,
		.sockets = s->bss->counts.untracked,
		.events = s->bss->counts.names + misses(s->progs.on_read) + misses(s->progs.on_retransmit) +
			  misses(s->progs.on_receive_reset) + misses(s->progs.on_send_reset) +
			  misses(s->progs.on_send_reset_bare),
	};
}

struct trace_parts trace_load_parts(const struct trace_load *l) { return l->parts; }
