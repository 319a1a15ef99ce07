/* SPDX-License-Identifier: MIT */
#include "knob/knob.h"
#include "obs/saved.h"
#include "obs/saved_fields.h"
#include "tests/unit/t.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "{\"schema\":1,\"kind\":\"lastack-observation\",\"snapshots\":["

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	assert_non_null(p);
	return p;
}

static struct ip ip(const char *s)
{
	struct ip a = {0};

	assert_true(ip_parse(s, &a));
	return a;
}

static void fill_opts(struct sockopts *o) { *o = (struct sockopts){true, true, false, true, true, -1, 30000}; }

static void fill_listeners(struct netns *ns)
{
	struct listener *l = ns->listeners = zeroed(ns->n_listeners = 2, sizeof(*l));

	l->addr = ip("0.0.0.0");
	l->port = 8080;
	l->listening = true;
	l->sockets = 4;
	l->queue = 129;
	l->backlog = 128;
	l->inode = 4711;
	for (int s = 0; s < N_STATES; s++)
		l->states.n[s] = 100 + (uint32_t)s;
	l->fin_wait_2_orphans = 7;
	l->unaccepted = 129;
	l->close_wait_unaccepted = 3;
	l->keepalive_timers = 5;
	l->tw_ages.s[0] = 50;
	l->tw_owner.known = 49;
	l->tw_ages.s[AGE_SECONDS - 1] = 55;
	fill_opts(&l->opts);
	l->opts.linger_s = 0;
	l->proc = 1;
	l[1].addr = ip("fe80::1");
	l[1].port = 65535;
	l[1].leftovers_well_known = 2;
	l[1].proc = -1;
}

static void fill_dests(struct netns *ns)
{
	struct dest *d = ns->dests = zeroed(ns->n_dests = 2, sizeof(*d));

	d->src = ip("127.0.0.1");
	d->dst = ip("127.0.0.2");
	d->dport = 443;
	d->loopback = true;
	d->states.n[ST_TIME_WAIT] = 14116;
	d->fin_wait_2_orphans = 1;
	d->ports_low_parity = 14116;
	d->ports_other_parity = 2;
	d->ports_outside = 3;
	d->tw_in_range = 14000;
	d->tw_reusable = 9000;
	d->keepalive_timers = 6;
	d->tw_ages.s[3] = 9;
	d->tw_owner.known = 8;
	d->inode = UINT64_MAX;
	d->proc = 0;
	d[1].src = ip("2001:db8::1");
	d[1].dst = ip("2001:db8::2");
	d[1].proc = -1;
}

static void fill_holders(struct netns *ns)
{
	struct holder *h = ns->holders = zeroed(ns->n_holders = N_HOLDER_KINDS, sizeof(*h));

	for (int i = 0; i < N_HOLDER_KINDS; i++) {
		h[i].kind = (enum holder_kind)i;
		h[i].proc = i - 1 > 1 ? -1 : i - 1;
		h[i].orphan = i == 0;
		h[i].local = ip("10.0.0.1");
		h[i].lport = 80;
		h[i].peer = ip("10.0.0.2");
		h[i].pport = 5432;
		h[i].n = 20;
		h[i].queue_bytes = 20;
		h[i].oldest_ms = UINT32_MAX;
		h[i].median_ms = 61000;
		h[i].inode = 4711 + (uint64_t)i;
		h[i].n_fd = (uint32_t)i % (FDS_SHOWN + 1);
		for (uint32_t k = 0; k < h[i].n_fd; k++)
			h[i].fd[k] = (int)k + 7;
		fill_opts(&h[i].opts);
	}
}

static void fill_counters(struct netns *ns)
{
	static const struct counter rows[] = {{"TCPTimeWaitOverflow", UINT64_MAX}, {"TW", 12}, {"Tcp.OutRsts", 0}};

	ns->counters.v = zeroed(ns->counters.n = ns->counters.cap = ARRAY_LEN(rows), sizeof(rows[0]));
	memcpy(ns->counters.v, rows, sizeof(rows));
}

static void fill_netns(struct netns *ns)
{
	strcpy(ns->name, "host");
	ns->inode = 4026531840;
	ns->pid = 1;
	ns->torn = true;
	ns->states.n[ST_LISTEN] = 6;
	ns->fin_wait_2_orphans = 8;
	ns->bound = 2;
	ns->bound_known = true;
	fill_listeners(ns);
	fill_dests(ns);
	ns->dests_more.n[ST_TIME_WAIT] = 11;
	ns->dests_more_n = 10;
	fill_holders(ns);
	ns->ephemeral_ports_low_parity = 14116;
	ns->ephemeral_ports_other_parity = 12;
	fill_counters(ns);
	ns->sockstat = (struct sockstat){true, 1, 2, 3, 4, 5};
	ns->conntrack = (struct conntrack){true, true, 1, 2, 3, 4, 5, 6};
	for (int i = 0; i < N_HOST_KNOBS; i++) {
		ns->knob[i] = i ? i : INT32_MIN;
		ns->knob_known[i] = i % 3 != 1;
	}
	ns->reserved = zeroed(ns->n_reserved = 2, sizeof(*ns->reserved));
	ns->reserved[0] = (struct port_range){8080, 8080};
	ns->reserved[1] = (struct port_range){40000, 40100};
	ns->missing = zeroed(ns->n_missing = 1, sizeof(*ns->missing));
	ns->missing[0] = (struct missing){"sockopts", "no pidfd_getfd", "RESTART001", true};
}

static void fill_snapshot(struct snapshot *s, nsec_t at)
{
	s->taken_at = at;
	s->wall_s = 1760000000;
	strcpy(s->kernel, "6.18.44");
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): observation_done() frees it, out of the analyzer's sight */
	s->kernel_version = KV(6, 18);
	strcpy(s->hostname, "web\"1\"");
	s->netns = zeroed(s->n_netns = 2, sizeof(*s->netns));
	fill_netns(&s->netns[0]);
	strcpy(s->netns[1].name, "empty");
	s->procs = zeroed(s->n_procs = 2, sizeof(*s->procs));
	s->procs[0] = (struct proc){1, 4026531840, "init", "/", "", 10, 1024, 5};
	s->procs[1] = (struct proc){812, 4026531840, "nginx", "/docker/3f2c", "3f2c1a", 20, 0, 6};
	s->config = zeroed(s->n_config = 1, sizeof(*s->config));
	s->config[0] = (struct config_line){"/etc/sysctl.conf", 3, "net.ipv4.tcp_tw_recycle", "1"};
	s->ehash_entries = 262144;
	s->missing = zeroed(s->n_missing = 1, sizeof(*s->missing));
	s->missing[0] = (struct missing){"owners", "not root", "who", false};
}

struct bytes {
	char *data;
	size_t len;
};

static struct bytes written(const struct observation *o)
{
	struct bytes b = {0};
	FILE *f = open_memstream(&b.data, &b.len);

	assert_non_null(f);
	assert_int_equal(saved_write(f, o, NULL), 0);
	fclose(f);
	return b;
}

static struct bytes filled(unsigned n)
{
	struct observation o = {.n = n};
	struct bytes b;

	for (unsigned i = 0; i < n; i++)
		fill_snapshot(&o.s[i], 1000 + i);
	b = written(&o);
	observation_done(&o);
	return b;
}

/* Asserts that reading fails with this code, one line that holds `part`, and an untouched result. */
static void refused(const char *json, size_t len, int err, const char *part)
{
	struct observation o, before;
	struct why w = {""};

	memset(&o, 0x5a, sizeof(o));
	memcpy(&before, &o, sizeof(o));
	assert_int_equal(saved_read(json, len, &o, &w), err);
	if (!strstr(w.text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, w.text);
	for (const char *p = w.text; *p; p++)
		assert_in_range(*p, ' ', '~');
	assert_memory_equal(&o, &before, sizeof(o));
}

/* The same for a document around one snapshot. */
static void snapshot_refused(const char *snapshot, const char *part)
{
	char *json;

	assert_true(asprintf(&json, HEAD "%s]}", snapshot) > 0);
	refused(json, strlen(json), -EINVAL, part);
	free(json);
}

/* And around one namespace. */
static void netns_refused(const char *netns, const char *part)
{
	char *json;

	assert_true(asprintf(&json, "{\"procs\":[{},{}],\"netns\":[{},%s]}", netns) > 0);
	snapshot_refused(json, part);
	free(json);
}

static void same_knobs(const struct netns *a, const struct netns *b)
{
	for (int i = 0; i < N_HOST_KNOBS; i++) {
		assert_int_equal(a->knob_known[i], b->knob_known[i]);
		if (a->knob_known[i])
			assert_int_equal(a->knob[i], b->knob[i]);
	}
}

static void same_netns(const struct netns *a, const struct netns *b)
{
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->n_listeners, b->n_listeners);
	assert_memory_equal(a->listeners, b->listeners, a->n_listeners * sizeof(*a->listeners));
	assert_int_equal(a->n_dests, b->n_dests);
	assert_memory_equal(a->dests, b->dests, a->n_dests * sizeof(*a->dests));
	assert_int_equal(a->n_holders, b->n_holders);
	for (size_t i = 0; i < a->n_holders; i++)
		assert_memory_equal(&a->holders[i].opts.known, &b->holders[i].opts.known, 5);
	assert_int_equal(a->holders[1].inode, b->holders[1].inode);
	assert_memory_equal(a->holders[1].fd, b->holders[1].fd, sizeof(a->holders[1].fd));
	assert_int_equal(a->counters.n, b->counters.n);
	assert_memory_equal(a->counters.v, b->counters.v, a->counters.n * sizeof(*a->counters.v));
	assert_memory_equal(&a->dests_more, &b->dests_more, sizeof(a->dests_more));
	assert_memory_equal(&a->sockstat.inuse, &b->sockstat.inuse, 5 * sizeof(uint64_t));
	assert_memory_equal(a->reserved, b->reserved, a->n_reserved * sizeof(*a->reserved));
	assert_memory_equal(a->missing, b->missing, a->n_missing * sizeof(*a->missing));
	same_knobs(a, b);
}

TEST(written_then_read__gives_back_every_value)
{
	struct observation in = {.n = 2}, out = {0};
	struct bytes b;

	fill_snapshot(&in.s[0], 1000);
	fill_snapshot(&in.s[1], 2000);
	b = written(&in);
	assert_int_equal(saved_read(b.data, b.len, &out, NULL), 0);
	assert_int_equal(out.n, 2);
	assert_int_equal(out.s[1].taken_at, 2000);
	assert_string_equal(out.s[0].hostname, "web\"1\"");
	assert_int_equal(out.s[0].kernel_version, KV(6, 18));
	assert_memory_equal(in.s[0].procs, out.s[0].procs, 2 * sizeof(struct proc));
	assert_memory_equal(in.s[0].config, out.s[0].config, sizeof(struct config_line));
	same_netns(&in.s[0].netns[0], &out.s[0].netns[0]);
	same_netns(&in.s[1].netns[0], &out.s[1].netns[0]);
	assert_string_equal(out.s[1].netns[1].name, "empty");
	free(b.data);
	observation_done(&in);
	observation_done(&out);
}

TEST(written_read_and_written_again__gives_identical_bytes)
{
	struct bytes a = filled(2), b;
	struct observation o = {0};

	assert_int_equal(saved_read(a.data, a.len, &o, NULL), 0);
	b = written(&o);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	free(a.data);
	free(b.data);
	observation_done(&o);
}

/* Bytes of the struct that no row of the table stands for. */
static size_t not_in_table(const struct field_table *t)
{
	size_t n = t->size;

	for (size_t i = 0; i < t->n; i++) {
		n -= t->v[i].size;
		if (t->v[i].type == F_VEC)
			n -= sizeof(size_t);
		if (t->v[i].type == F_FDS)
			n -= sizeof(uint32_t);
		if (t->v[i].type == F_KNOBS)
			n -= KNOB_SLOTS * sizeof(bool);
	}
	return n;
}

/*
 * A member added to the model and forgotten in the tables changes one of these numbers. What remains is padding, and the
 * `known` of a struct that is only written when it is true, and three working values of tw_owner. (As on every 64-bit Linux.)
 */
TEST(field_tables__name_every_member_of_the_model)
{
	static const struct {
		const struct field_table *table;
		size_t size, rest;
	} t[] = {
		{&sockopts_fields, 16, 4},  {&sockstat_fields, 48, 8},   {&conntrack_fields, 56, 7},
		{&port_range_fields, 4, 0}, {&missing_fields, 321, 0},   {&config_line_fields, 292, 0},
		{&proc_fields, 288, 8},     {&listener_fields, 392, 20}, {&dest_fields, 392, 23},
		{&holder_fields, 120, 9},   {&netns_fields, 1560, 6},    {&snapshot_fields, 224, 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(t[i].table->size, t[i].size);
		assert_int_equal(not_in_table(t[i].table), t[i].rest);
	}
}

TEST(not_an_observation__is_refused_with_a_clear_line)
{
	static const struct {
		const char *json, *part;
	} t[] = {
		{"", "empty"},
		{"nonsense", "not JSON: line 1"},
		{"\177ELF[[[[[[[[[[[[[[[[[[[[", "not JSON: line 1"},
		{" \n[[[[[[[[[[[[[[[[[[[[", "nested deeper"},
		{"[]", "not a saved lastack observation"},
		{"{}", "not a saved lastack observation"},
		{"{\"findings\":[]}", "not a saved lastack observation"},
		{"{\"schema\":2,\"kind\":\"lastack-observation\",\"snapshots\":[{}]}", "schema 1"},
		{"{\"kind\":\"lastack-observation\",\"snapshots\":[{}]}", "schema 1"},
		{"{\"schema\":\"1\",\"kind\":\"lastack-observation\"}", "schema 1"},
		{"{\"schema\":1,\"kind\":7}", "not a saved lastack observation"},
		{"{\"schema\":1,\"kind\":\"lastack-observation\"}", "snapshots: must be an array of one or two"},
		{HEAD "]}", "snapshots: must be an array of one or two"},
		{HEAD "{},{},{}]}", "snapshots: must be an array of one or two"},
		{HEAD "7]}", "snapshots[0]: must be an object"},
		{HEAD "{}]}", "snapshots[0].netns: is missing"},
		{HEAD "{\"netns\":[]}]}", "snapshots[0].netns: has 0 elements"},
		{HEAD "{\"netns\":[{}]},{}]}", "snapshots[1].netns: is missing"},
		{HEAD "{\"netns\":[{}],\"taken_at_ns\":2},{\"netns\":[{}],\"taken_at_ns\":1}]}", "before the first"},
		{HEAD "{\"netns\":[{}]}]} trailing", "not JSON"},
		{"{\"schema\":1,\"schema\":1}", "duplicate"},
		{"[[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper"},
		{"{\"a\":\"\x1b[2J\"}", "not JSON"},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		refused(t[i].json, strlen(t[i].json), -EINVAL, t[i].part);
	refused(HEAD "\0]}", sizeof(HEAD) + 2, -EINVAL, "cut off");
}

TEST(hostile_numbers__are_refused_with_their_place)
{
	static const struct {
		const char *netns, *part;
	} t[] = {
		{"{\"destinations\":[{},{\"dport\":70000}]}",
		 "snapshots[0].netns[1].destinations[1].dport: 70000 is above 65535"},
		{"{\"destinations\":[{\"dport\":-1}]}", "dport: -1 is below 0"},
		{"{\"destinations\":[{\"dport\":80.5}]}", "dport: must be a whole number"},
		{"{\"destinations\":[{\"dport\":\"80\"}]}", "dport: must be a whole number"},
		{"{\"destinations\":[{\"dport\":null}]}", "dport: must be a whole number"},
		{"{\"destinations\":[{\"ports_low_parity\":99999}]}", "ports_low_parity: 99999 is above"},
		{"{\"destinations\":[{\"inode\":-1}]}", "inode: -1 is below 0"},
		{"{\"destinations\":[{\"inode\":\"12x\"}]}", "inode: must be a whole number"},
		{"{\"destinations\":[{\"inode\":\"99999999999999999999999\"}]}", "inode: must be a whole number"},
		{"{\"destinations\":[{\"inode\":\"\"}]}", "inode: must be a whole number"},
		{"{\"destinations\":[{\"loopback\":1}]}", "loopback: must be true or false"},
		{"{\"destinations\":[{\"dst\":\"1.2.3\"}]}", "dst: must be an IP address"},
		{"{\"destinations\":[{\"dst\":5}]}", "dst: must be an IP address"},
		{"{\"destinations\":[{\"proc\":2}]}", "proc: there is no process 2, the file has 2"},
		{"{\"listeners\":[{\"proc\":2147483647}]}", "listeners[0].proc: there is no process"},
		{"{\"holders\":[{\"kind\":\"invisible\",\"proc\":-2}]}", "proc: -2 is below -1"},
		{"{\"holders\":[{\"kind\":\"fin_wait_3\"}]}", "holders[0].kind: is no kind"},
		{"{\"holders\":[{\"kind\":3}]}", "holders[0].kind: is no kind"},
		{"{\"holders\":[{}]}", "holders[0].kind: is missing"},
		{"{\"holders\":[{\"kind\":\"invisible\",\"fd\":[1,2,3,4,5]}]}", "5 descriptors are more than 4"},
		{"{\"holders\":[{\"kind\":\"invisible\",\"fd\":[1,-2]}]}", "fd[1]: -2 is below 0"},
		{"{\"holders\":[{\"kind\":\"invisible\",\"fd\":3}]}", "fd: must be an array"},
		{"{\"holders\":[{\"kind\":\"invisible\",\"opts\":{\"linger_s\":-2}}]}",
		 "opts.linger_s: -2 is below -1"},
		{"{\"states\":{\"time_wait\":4294967296}}", "states.time_wait: 4294967296 is above"},
		{"{\"states\":[1]}", "states: must be an object"},
		{"{\"listeners\":[{\"tw_ages\":[1,2,-3]}]}", "tw_ages[2]: -3 is below 0"},
		{"{\"listeners\":[{\"tw_ages\":[90000000,90000000]}]}", "tw_ages: the sum 180000000 is above"},
		{"{\"listeners\":[{\"tw_ages\":{}}]}", "tw_ages: must be an array"},
		{"{\"listeners\":{}}", "listeners: must be an array"},
		{"{\"listeners\":[[]]}", "listeners[0]: must be an object"},
		{"{\"counters\":{\"TW\":-5}}", "counters.TW: -5 is below 0"},
		{"{\"counters\":{\"T\\u001bW\\n\":true}}", "counters.T?W?: must be a whole number"},
		{"{\"counters\":[]}", "counters: must be an object"},
		{"{\"knobs\":{\"port_low\":65536}}", "knobs.port_low: 65536 is above 65535"},
		{"{\"knobs\":{\"fin_timeout_s\":9223372036854775807}}", "knobs.fin_timeout_s"},
		{"{\"knobs\":{\"fin_timeout_s\":99999999999999999999}}", "not JSON"},
		{"{\"knobs\":3}", "knobs: must be an object"},
		{"{\"reserved\":[{\"low\":9,\"high\":8}]}", "reserved[0]: port ranges must ascend"},
		{"{\"reserved\":[{\"low\":1,\"high\":8},{\"low\":8,\"high\":9}]}",
		 "reserved[1]: port ranges must ascend"},
		{"{\"name\":7}", "name: must be a string"},
		{"{\"sockstat\":[]}", "sockstat: must be an object"},
		{"{\"pid\":1e3}", "pid: must be a whole number"},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		netns_refused(t[i].netns, t[i].part);
}

TEST(too_many_elements__are_refused)
{
	const size_t n = 65537;
	char *json = zeroed(1, 3 * n + 64), *p = json;

	p += sprintf(p, "{\"holders\":[");
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, i ? ",{}" : "{}");
	strcpy(p, "]}");
	netns_refused(json, "holders: has 65537 elements, not 0 to 65536");
	free(json);

	json = zeroed(1, 1024);
	p = json + sprintf(json, "{\"listeners\":[{\"tw_ages\":[0");
	for (int i = 0; i < AGE_SECONDS; i++)
		p += sprintf(p, ",0");
	strcpy(p, "]}]}");
	netns_refused(json, "tw_ages: 62 seconds are more than 61");
	free(json);

	json = zeroed(COUNTERS_MAX + 4, 16);
	p = json + sprintf(json, "{\"counters\":{\"first\":0");
	for (int i = 0; i < COUNTERS_MAX; i++)
		p += sprintf(p, ",\"c%d\":0", i);
	strcpy(p, "}}");
	netns_refused(json, "counters: 4097 counters are more than 4096");
	free(json);
}

TEST(more_values_than_any_host_has__are_refused_before_they_take_memory)
{
	const size_t n = (8 << 20) + 16;
	char *json = zeroed(1, 2 * n);

	memset(json, ',', 2 * n);
	for (size_t i = 0; i < n; i++)
		json[2 * i + 1] = '0';
	json[0] = '[';
	refused(json, 2 * n, -EFBIG, "values");
	free(json);
}

TEST(absent_and_unknown_fields__are_zero_and_ignored)
{
	static const char json[] = HEAD
		"{\"netns\":[{\"listeners\":[{}],\"destinations\":[{\"future\":{\"x\":[1]}}],\"knobs\":{\"new_one\":1},"
		"\"holders\":[{\"kind\":\"invisible\",\"opts\":{}}]}],\"more\":1}],\"x\":2}";
	struct observation o = {0};

	assert_int_equal(saved_read(json, strlen(json), &o, NULL), 0);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.s[0].netns[0].listeners[0].proc, -1);
	assert_int_equal(o.s[0].netns[0].dests[0].proc, -1);
	assert_int_equal(o.s[0].netns[0].listeners[0].port, 0);
	assert_false(o.s[0].netns[0].listeners[0].opts.known);
	assert_true(o.s[0].netns[0].holders[0].opts.known);
	assert_int_equal(o.s[0].netns[0].holders[0].opts.linger_s, -1);
	assert_false(o.s[0].netns[0].sockstat.known);
	observation_done(&o);
}

TEST(text_from_the_file__is_made_printable_and_cut)
{
	static const char json[] =
		HEAD "{\"netns\":[{\"name\":\"a\\u001b[31mb\\u00e9\\n\"}],\"procs\":[{\"comm\":\"0123456789"
		     "012345678901234567890123456789012345678901234567890123456789END\"}]}]}";
	struct observation o = {0};

	assert_int_equal(saved_read(json, strlen(json), &o, NULL), 0);
	assert_string_equal(o.s[0].netns[0].name, "a?[31mb???");
	assert_int_equal(strlen(o.s[0].procs[0].comm), N_TEXT - 1);
	observation_done(&o);
}

TEST(counters__are_sorted_whatever_the_file_says)
{
	static const char json[] = HEAD "{\"netns\":[{\"counters\":{\"b\":2,\"a\":\"18446744073709551615\"}}]}]}";
	struct observation o = {0};
	uint64_t v = 0;

	assert_int_equal(saved_read(json, strlen(json), &o, NULL), 0);
	assert_string_equal(o.s[0].netns[0].counters.v[0].name, "a");
	assert_true(counters_get(&o.s[0].netns[0].counters, "a", &v));
	assert_true(v == UINT64_MAX);
	observation_done(&o);
}

TEST(file_cut_at_any_byte__is_a_clear_error)
{
	struct observation small = {.n = 1}, o = {0};
	struct bytes b;

	fill_snapshot(&small.s[0], 1);
	b = written(&small);
	observation_done(&small);
	for (size_t len = 0; len < b.len - 1; len++) { /* the last byte is the newline */
		struct why w = {""};

		assert_int_equal(saved_read(b.data, len, &o, &w), -EINVAL);
		assert_true(w.text[0] != '\0');
		assert_int_equal(o.n, 0);
	}
	refused(b.data, b.len / 2, -EINVAL, "cut off after");
	free(b.data);
}

/* Every byte of a valid file is replaced by hostile ones: whatever comes out, it is an answer and not a crash. */
TEST(file_with_any_byte_changed__is_read_or_refused)
{
	struct bytes b = filled(1);
	static const char hostile[] = "\0-9\"{]";

	for (size_t i = 0; i < b.len; i++) {
		struct observation o = {0};
		struct why w = {""};
		char was = b.data[i];

		b.data[i] = hostile[i % (sizeof(hostile) - 1)];
		if (saved_read(b.data, b.len, &o, &w) == 0)
			observation_done(&o);
		else
			assert_true(w.text[0] != '\0');
		b.data[i] = was;
	}
	free(b.data);
}

struct scratch {
	char dir[64], file[96];
};

static struct scratch scratch(void)
{
	struct scratch s;

	strcpy(s.dir, "/tmp/lastack-saved.XXXXXX");
	assert_non_null(mkdtemp(s.dir));
	snprintf(s.file, sizeof(s.file), "%s/o.json", s.dir);
	return s;
}

static void scratch_done(const struct scratch *s)
{
	unlink(s->file);
	assert_int_equal(rmdir(s->dir), 0); /* and nothing temporary was left in it */
}

TEST(written_file__is_private_and_replaces_the_old_one_whole)
{
	struct scratch s = scratch();
	struct observation o = {.n = 1}, back = {0};
	struct stat st;
	FILE *f = fopen(s.file, "w");

	assert_non_null(f);
	fputs("old contents", f);
	fclose(f);
	fill_snapshot(&o.s[0], 7);
	assert_int_equal(saved_write_file(s.file, &o, NULL), 0);
	assert_int_equal(stat(s.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(saved_read_file(s.file, &back, NULL), 0);
	assert_int_equal(back.s[0].taken_at, 7);
	observation_done(&o);
	observation_done(&back);
	scratch_done(&s);
}

TEST(write_to_a_link__keeps_the_link)
{
	struct scratch s = scratch();
	struct observation o = {.n = 1};
	char link[128];
	struct stat st;

	fill_snapshot(&o.s[0], 7);
	snprintf(link, sizeof(link), "%s/link", s.dir);
	assert_int_equal(saved_write_file(s.file, &o, NULL), 0);
	assert_int_equal(symlink("o.json", link), 0);
	assert_int_equal(saved_write_file(link, &o, NULL), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(link);
	observation_done(&o);
	scratch_done(&s);
}

TEST(write_to_a_device__does_not_replace_it)
{
	struct observation o = {.n = 1};
	struct why w = {""};
	struct stat st;

	fill_snapshot(&o.s[0], 7);
	assert_int_equal(saved_write_file("/dev/null", &o, &w), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(saved_write_file("/dev/full", &o, &w), -ENOSPC);
	assert_non_null(strstr(w.text, "/dev/full: cannot write: No space left"));
	observation_done(&o);
}

TEST(write_where_nothing_can_be_written__says_where)
{
	struct observation o = {.n = 1};
	struct why w = {""};

	fill_snapshot(&o.s[0], 7);
	assert_int_equal(saved_write_file("/nowhere/at/all.json", &o, &w), -ENOENT);
	assert_non_null(strstr(w.text, "beside /nowhere/at/all.json: No such file"));
	assert_int_equal(saved_write_file("/tmp", &o, &w), -EISDIR);
	observation_done(&o);
}

TEST(read_of_a_file_that_cannot_be_read__says_which)
{
	struct observation o = {0};
	struct why w = {""};

	assert_int_equal(saved_read_file("/nowhere.json", &o, &w), -ENOENT);
	assert_non_null(strstr(w.text, "cannot open /nowhere.json: No such file"));
	assert_int_equal(saved_read_file("/tmp", &o, &w), -EISDIR);
	assert_non_null(strstr(w.text, "/tmp: cannot read: Is a directory"));
	assert_int_equal(saved_read_file("/dev/null", &o, &w), -EINVAL);
	assert_non_null(strstr(w.text, "/dev/null: the file is empty"));
}

RUN(T(written_then_read__gives_back_every_value), T(written_read_and_written_again__gives_identical_bytes),
    T(field_tables__name_every_member_of_the_model), T(not_an_observation__is_refused_with_a_clear_line),
    T(hostile_numbers__are_refused_with_their_place), T(too_many_elements__are_refused),
    T(more_values_than_any_host_has__are_refused_before_they_take_memory),
    T(absent_and_unknown_fields__are_zero_and_ignored), T(text_from_the_file__is_made_printable_and_cut),
    T(counters__are_sorted_whatever_the_file_says), T(file_cut_at_any_byte__is_a_clear_error),
    T(file_with_any_byte_changed__is_read_or_refused), T(written_file__is_private_and_replaces_the_old_one_whole),
    T(write_to_a_link__keeps_the_link), T(write_to_a_device__does_not_replace_it),
    T(write_where_nothing_can_be_written__says_where), T(read_of_a_file_that_cannot_be_read__says_which))
