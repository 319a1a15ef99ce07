/* SPDX-License-Identifier: MIT */
/*
 * Small enough to try everything: every state, every set of five flags, every position of sequence and acknowledgment
 * number that matters, four lengths, an open and a closed window. Invariants hold in each case, and what happens is
 * compared with tests/golden/exhaustive.txt, so that a change of behaviour is a diff to look at:
 *
 *   test_exhaustive --write tests/golden/exhaustive.txt
 *
 * A line is a start and a set of flags; then, for each outcome, how many of the 224 cases end that way, and a hash that
 * says which. An outcome is the state afterwards, what was sent (S A F R: flags), and + where RCV.NXT, u where SND.UNA moved.
 */
#include "tests/unit/engine/peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 256, FLAG_SETS = 32, CASES = 7 * 4 * 4 * 2, OUTCOMES_MAX = 64, LINE_MAX_LEN = 1024 };

static const struct start {
	const char *name;
	enum state state;
	struct rig_opt opt;
} starts[] = {
	{"LISTEN", LISTEN, {.active = false}},
	{"SYN-SENT", SYN_SENT, {.active = false}},
	{"SYN-RECEIVED", SYN_RECEIVED, {.active = false}},
	{"SYN-RECEIVED/active", SYN_RECEIVED, {.active = true}},
	{"ESTABLISHED", ESTABLISHED, {.active = false}},
	{"FIN-WAIT-1", FIN_WAIT_1, {.active = false}},
	{"FIN-WAIT-1/orphan", FIN_WAIT_1, {.orphan = true}},
	{"FIN-WAIT-2", FIN_WAIT_2, {.active = false}},
	{"FIN-WAIT-2/record", FIN_WAIT_2, {.orphan = true}},
	{"CLOSE-WAIT", CLOSE_WAIT, {.active = false}},
	{"CLOSING", CLOSING, {.active = false}},
	{"LAST-ACK", LAST_ACK, {.active = false}},
	{"TIME-WAIT", TIME_WAIT, {.active = false}},
	{"LISTEN/rfc", LISTEN, {.knobs = "engine.policy = rfc9293"}}, /* where its rules are others than Linux's */
	{"SYN-RECEIVED/rfc", SYN_RECEIVED, {.knobs = "engine.policy = rfc9293"}},
	{"FIN-WAIT-2/rec/rfc", FIN_WAIT_2, {.orphan = true, .knobs = "engine.policy = rfc9293"}},
	{"TIME-WAIT/rfc", TIME_WAIT, {.knobs = "engine.policy = rfc9293"}},
};

/* ---- a copy of the engine, put back for each case ---- */

struct saved {
	uint8_t *copy;
	size_t binds_at, binds_len;
};

static struct saved save(const struct rig *r)
{
	struct saved s = {.copy = malloc(r->size)};

	assert_non_null(s.copy);
	memcpy(s.copy, r->mem, r->size);
	s.binds_at = (size_t)((const uint8_t *)r->e->binds - (const uint8_t *)r->mem);
	s.binds_len = binds_size(r->e->cfg.max_bound);
	return s;
}

/* The table of bound ports is by far the largest part, and only a change of state changes it. */
static void put_back(struct rig *r, const struct saved *s, bool binds_too)
{
	uint8_t *mem = r->mem;
	size_t after = s->binds_at + s->binds_len;

	memcpy(mem, s->copy, s->binds_at);
	if (binds_too)
		memcpy(mem + s->binds_at, s->copy + s->binds_at, s->binds_len);
	memcpy(mem + after, s->copy + after, r->size - after);
}

/* ---- a start: the connection in its state, one octet or FIN in flight where there may be, the window as wanted ---- */

struct base {
	seq_t rcv_nxt, snd_una, snd_nxt; /* as the test counts */
};

static void set_window(struct rig *r, uint32_t wnd)
{
	struct conn *c = rig_conn(r);

	if (c)
		c->rcv_adv = seq_add(c->rcv_nxt, wnd);
}

static void start_at(struct rig *r, const struct start *s, uint32_t wnd)
{
	if (s->state == TIME_WAIT ||
	    (s->state == FIN_WAIT_2 && s->opt.orphan)) { /* a record keeps the window it had before */
		rig_to(r, FIN_WAIT_1);
		set_window(r, wnd + (s->state == TIME_WAIT)); /* the FIN takes one */
		IN(r, .flags = F_ACK | (s->state == TIME_WAIT ? F_FIN : 0), .seq = seq(IRS + 1), .ack = seq(ISS + 2));
		rig_drain(r);
		return;
	}
	rig_to(r, s->state);
	if (s->state == ESTABLISHED || s->state == CLOSE_WAIT) {
		assert_int_equal(la_send(r->h, r->s, "x", 1, 0), 1);
		rig_drain(r);
	}
	set_window(r, wnd);
}

static struct base base_of(const struct rig *r)
{
	const struct conn *c = rig_conn(r);
	struct tw_rec rec;

	if (c && c->state == SYN_SENT)
		return (struct base){seq(IRS), seq(ISS), seq(ISS + 1)};
	if (c)
		return (struct base){c->rcv_nxt, seq_sub(c->snd_una, r->shift), seq_sub(c->snd_nxt, r->shift)};
	if (rig_record(r, &rec))
		return (struct base){rec.rcv_nxt, seq_sub(rec.snd_nxt, r->shift), seq_sub(rec.snd_nxt, r->shift)};
	return (struct base){seq(IRS), seq(ISS), seq(ISS)};
}

/* ---- a case and what comes of it ---- */

struct outcome {
	char text[64];
};

static uint64_t moves(const struct rig *r)
{
	uint64_t n = 0;

	for (enum edge_id i = 0; i < N_EDGES; i++)
		n += r->e->edge_count[i];
	return n;
}

static void check_gauges(const struct rig *r)
{
	uint32_t live = 0, used = 0;

	for (uint32_t n = 0; n < r->e->n_conns; n++) {
		const struct conn *c = &r->e->conns[n];

		live += c->state >= SYN_SENT && c->state <= LAST_ACK;
		used += c->state != CLOSED || c->is_open;
		assert_int_not_equal(c->state, TIME_WAIT); /* never in a block */
	}
	assert_int_equal(r->e->n_live, live);
	assert_int_equal(r->e->n_sockets, used);
}

/* Linux takes what begins in the window, and a FIN after it, as far as there is room in the ring. */
static uint32_t may_overshoot(const struct rig *r)
{
	return r->e->k.policy == POLICY_RFC9293 ? 0 : r->e->cfg.receive_buffer;
}

/* What may be said of any segment in any state. */
static void check_conn(const struct rig *r, const struct base *before, uint32_t wnd)
{
	const struct conn *c = rig_conn(r);

	if (!c)
		return;
	assert_true(seq_le(c->snd_una, c->snd_nxt));
	assert_true(seq_le(before->snd_una, seq_sub(c->snd_una, r->shift)));
	assert_true(seq_le(c->rcv_read, c->rcv_nxt));
	if (c->state >= ESTABLISHED && seq_lt(before->rcv_nxt, c->rcv_nxt))
		assert_true(seq_diff(c->rcv_nxt, before->rcv_nxt) <= (int32_t)(wnd + may_overshoot(r)) ||
			    before->rcv_nxt.v == IRS);
}

/* A reply is of the connection, or it is a RST in the terms of the segment itself (3.5.2); a RST is never answered with one. */
static void check_reply(const struct rig *r, const struct seg *in, const struct base *before)
{
	const struct seg *out = &r->out.seg;

	if (out->flags & F_RST) {
		assert_false(in->flags & F_RST);
		assert_true(in->flags & F_ACK ? seq_eq(out->seq, in->ack)
					      : seq_eq(out->ack, seq_add(in->seq, seg_span(in))));
	} else if (!(out->flags & F_SYN)) {
		assert_true(seq_le(before->snd_una, out->seq));
		assert_true(seq_le(out->seq, before->snd_nxt));
	}
}

static struct outcome try(struct rig *r, const struct seg *in, const struct base *before, uint32_t wnd)
{
	enum state was = rig_state(r);
	bool had = rig_conn(r) != NULL; /* otherwise what is there afterwards is a new one, with numbers of its own */
	uint64_t moved = moves(r);
	struct outcome o;
	struct base after;
	size_t n;
	int sent = 0;

	rig_in(r, *in);
	moved = moves(r) - moved;
	assert_true(moved <= 2);
	assert_true(moved > 0 || rig_state(r) == was);
	check_gauges(r);
	if (had)
		check_conn(r, before, wnd);
	after = base_of(r);
	n = (size_t)snprintf(o.text, sizeof(o.text), "%s", state_name(rig_state(r)));
	for (; rig_out(r); sent++) {
		check_reply(r, in, before);
		n += (size_t)snprintf(o.text + n, sizeof(o.text) - n, " %s%s%s%s", r->out.seg.flags & F_SYN ? "S" : "",
				      r->out.seg.flags & F_FIN ? "F" : "", r->out.seg.flags & F_RST ? "R" : "",
				      r->out.seg.flags & F_ACK ? "A" : "");
	}
	if (sent > 1)
		fail_msg("%s, after %s: more than one packet: %s", o.text, state_name(was), seg_text(in).s);
	had &= rig_conn(r) != NULL;
	if (had && !seq_eq(after.rcv_nxt, before->rcv_nxt))
		n += (size_t)snprintf(o.text + n, sizeof(o.text) - n, "+");
	if (had && !seq_eq(after.snd_una, before->snd_una))
		n += (size_t)snprintf(o.text + n, sizeof(o.text) - n, "u");
	assert_true(n < sizeof(o.text));
	return o;
}

/* ---- a line of the table ---- */

struct tally {
	struct outcome outcome[OUTCOMES_MAX];
	unsigned times[OUTCOMES_MAX], n;
	uint64_t hash;
};

static void tally_add(struct tally *t, const struct outcome *o)
{
	unsigned i = 0;

	while (i < t->n && strcmp(t->outcome[i].text, o->text) != 0)
		i++;
	if (i == t->n) {
		assert_true(t->n < OUTCOMES_MAX);
		t->outcome[t->n++] = *o;
		t->times[i] = 0;
	}
	t->times[i]++;
	for (const char *p = o->text; *p; p++)
		t->hash = (t->hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3); /* FNV-1a */
}

static struct seg segment(const struct base *b, unsigned flags, unsigned i)
{
	static const int32_t seq_at[] = {-2, -1, 0, 1, WINDOW - 1, WINDOW, WINDOW + 1}, ack_at[] = {-1, 0, 1, 2};
	static const uint32_t lens[] = {0, 1, WINDOW, WINDOW + 1};

	return (struct seg){
		.flags = (uint8_t)flags,
		.seq = seq_add(b->rcv_nxt, (uint32_t)seq_at[i % 7]),
		.ack = seq_add(b->snd_una, (uint32_t)ack_at[i / 7 % 4]),
		.len = lens[i / 28],
	};
}

static void try_all(const struct start *s, uint32_t wnd, struct tally tallies[FLAG_SETS])
{
	struct saved saved;
	struct base b;
	struct rig r;

	rig_init(&r, &s->opt);
	rig_knob(&r, "net.ipv4.tcp_invalid_ratelimit", "0"); /* the same answer each time */
	start_at(&r, s, wnd);
	rig_drain(&r);
	b = base_of(&r);
	saved = save(&r);
	for (unsigned flags = 0; flags < FLAG_SETS; flags++)
		for (unsigned i = 0; i < CASES / 2; i++) {
			struct seg in = segment(&b, flags, i);
			uint64_t before = moves(&r);
			struct outcome o = try(&r, &in, &b, wnd);

			tally_add(&tallies[flags], &o);
			put_back(&r, &saved, moves(&r) != before);
		}
	free(saved.copy);
	rig_done(&r);
}

static void line_of(char *line, const struct start *s, unsigned flags, const struct tally *t)
{
	static const char letters[] = "FSRPA";
	size_t n = (size_t)snprintf(line, LINE_MAX_LEN, "%-19s ", s->name);

	for (unsigned i = 0; i < 5; i++)
		line[n++] = (char)(flags >> i & 1 ? letters[i] : '.');
	for (unsigned i = 0; i < t->n; i++)
		n += (size_t)snprintf(line + n, LINE_MAX_LEN - n, "%s %u %s", i ? "," : "", t->times[i],
				      t->outcome[i].text);
	n += (size_t)snprintf(line + n, LINE_MAX_LEN - n, " #%08" PRIx32 "\n", (uint32_t)(t->hash ^ t->hash >> 32));
	assert_true(n < LINE_MAX_LEN);
}

/* Calls back with every line, in order. */
static size_t each_line(void (*fn)(const char *line, void *arg), void *arg)
{
	size_t cases = 0;

	for (size_t s = 0; s < ARRAY_LEN(starts); s++) {
		static struct tally tallies[FLAG_SETS];

		for (unsigned flags = 0; flags < FLAG_SETS; flags++) {
			tallies[flags].n = 0;
			tallies[flags].hash = UINT64_C(0xcbf29ce484222325);
		}
		try_all(&starts[s], WINDOW, tallies);
		try_all(&starts[s], 0, tallies);
		for (unsigned flags = 0; flags < FLAG_SETS; flags++) {
			char line[LINE_MAX_LEN];

			line_of(line, &starts[s], flags, &tallies[flags]);
			fn(line, arg);
			cases += CASES;
		}
	}
	return cases;
}

static void compare(const char *line, void *arg)
{
	char want[LINE_MAX_LEN];

	assert_non_null(fgets(want, sizeof(want), arg));
	assert_string_equal(line, want);
}

TEST(every_segment_in_every_state__keeps_the_invariants_and_does_what_it_did)
{
	FILE *f = fopen(GOLDEN_DIR "/exhaustive.txt", "r");

	assert_non_null(f);
	print_message("# %zu cases\n", each_line(compare, f));
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
}

static void write_line(const char *line, void *arg) { fputs(line, arg); }

static const char *write_to;

TEST(write)
{
	FILE *f = fopen(write_to, "w");

	assert_non_null(f);
	each_line(write_line, f);
	assert_int_equal(fclose(f), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		T(every_segment_in_every_state__keeps_the_invariants_and_does_what_it_did)};
	static const struct CMUnitTest writes[] = {T(write)};

	if (argc == 3 && strcmp(argv[1], "--write") == 0) {
		write_to = argv[2];
		return cmocka_run_group_tests(writes, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
