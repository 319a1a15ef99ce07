/* SPDX-License-Identifier: MIT */
/* part_closings.c - each way to close of closings.def, with engine and kernel on either side, and what both make of it. */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "lab/interop/closing.h"
#include "lab/interop/octets.h"
#include "lab/interop/parts.h"

enum { PORT = 10000, KNOCK_PORT = 9, OCTETS = 1000, PATIENCE_MS = 8000, LOOK_MS = 2, CALM_MS = 4, TRIES = 4 };

struct bout { /* one closing, once */
	struct rig *r;
	const struct closing *c;
	enum side side[2]; /* of a, of b */
	unsigned opener;
	bool ipv6;
	uint16_t port, from; /* of the listener; of who connects */
	struct end listener, end[2], second;
	uint32_t unread[2]; /* octets of `send` that were not read */
	struct counts before[2], wanted[2];
	uint64_t retrans; /* of both, before */
	unsigned losses; /* on purpose */
	const char *word; /* the step that is done */
};

static const char *const side_names[N_SIDES] = {[SIDE_ENGINE] = "engine", [SIDE_KERNEL] = "kernel"};

static bool failed(struct bout *b, const char *what)
{
	return rig_fail(b->r, "%s (%s; a is the %s, %s connects, IPv%d), at %s: %s", b->c->id, b->c->what,
			side_names[b->side[0]], b->opener ? "b" : "a", b->ipv6 ? 6 : 4, b->word, what);
}

/* ---- what is seen ---- */

static bool nothing(void *arg) { return false; }

static enum sock_state only_state(const struct state_counts *c)
{
	for (unsigned i = 0; i < N_STATES; i++)
		if (c->n[i] && i != ST_LISTEN)
			return (enum sock_state)i;
	return ST_CLOSE;
}

static enum sock_state kernel_state(const struct bout *b, const struct netns *ns)
{
	const bool opens = b->side[b->opener] == SIDE_KERNEL;

	for (size_t i = 0; opens && i < ns->n_dests; i++)
		if (ns->dests[i].dport == b->port)
			return only_state(&ns->dests[i].states);
	for (size_t i = 0; !opens && i < ns->n_listeners; i++)
		if (ns->listeners[i].port == b->port)
			return only_state(&ns->listeners[i].states);
	return ST_CLOSE;
}

static enum sock_state state_named(const char *rfc)
{
	static const struct {
		const char *rfc;
		enum sock_state state;
	} names[] = {
		{"SYN-SENT", ST_SYN_SENT},     {"SYN-RECEIVED", ST_SYN_RECV}, {"ESTABLISHED", ST_ESTABLISHED},
		{"FIN-WAIT-1", ST_FIN_WAIT_1}, {"FIN-WAIT-2", ST_FIN_WAIT_2}, {"CLOSE-WAIT", ST_CLOSE_WAIT},
		{"CLOSING", ST_CLOSING},       {"LAST-ACK", ST_LAST_ACK},     {"TIME-WAIT", ST_TIME_WAIT},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].rfc, rfc) == 0)
			return names[i].state;
	return ST_CLOSE; /* LISTEN too */
}

static enum sock_state engine_state(const struct bout *b)
{
	const struct la_engine *e = b->r->d->e;
	struct la_connection c;
	struct la_time_wait tw;
	uint64_t cursor = 0;

	while (la_connection_next(e, &cursor, &c))
		if ((c.local.port == b->port || c.remote.port == b->port) && state_named(c.state) != ST_CLOSE)
			return state_named(c.state);
	cursor = 0;
	while (la_time_wait_next(e, &cursor, &tw))
		if (tw.local.port == b->port || tw.remote.port == b->port)
			return tw.fin_wait_2 ? ST_FIN_WAIT_2 : ST_TIME_WAIT;
	return ST_CLOSE;
}

struct sight {
	enum sock_state state[2]; /* of a, of b */
	struct counts counts[2];
	uint64_t retrans;
};

/*
 * On a machine that is too busy for 200 ms (or less, with a loss probe) a FIN is sent twice, and its second ACK meets nobody,
 * who resets a TIME_WAIT: then what the table says cannot hold, and nobody is to blame.
 */
static uint64_t retransmitted(const struct bout *b, const struct netns *ns)
{
	uint64_t n = 0;

	(void)counters_get(&ns->counters, "Tcp.RetransSegs", &n);
	return n + rig_engine_counter(b->r, "RetransSegs");
}

static bool look(struct bout *b, struct sight *ret)
{
	struct snapshot s = {.taken_at = 0};
	const struct netns *ns = rig_look(b->r, &s);

	for (unsigned who = 0; who < 2 && ns; who++) {
		const bool kernel = b->side[who] == SIDE_KERNEL;

		ret->state[who] = kernel ? kernel_state(b, ns) : engine_state(b);
		for (unsigned i = 0; i < N_COUNTED; i++) {
			uint64_t n = 0;

			if (kernel)
				(void)counters_get(&ns->counters, counted_names[i].kernel, &n);
			else
				n = rig_engine_counter(b->r, counted_names[i].name);
			ret->counts[who].n[i] = n - b->before[who].n[i];
		}
	}
	ret->retrans = ns ? retransmitted(b, ns) - b->retrans : 0;
	snapshot_done(&s);
	return ns != NULL;
}

static bool await_state(struct bout *b, const struct step *s)
{
	const nsec_t until = drive_clock() + PATIENCE_MS * NSEC_PER_MS;
	struct sight seen;
	char text[96];

	do {
		rig_wait(b->r, nothing, NULL, LOOK_MS); /* that a state changed is an event for nobody */
		if (!look(b, &seen))
			return false;
		if (seen.state[s->who] == s->state)
			return true;
	} while (drive_clock() < until);
	snprintf(text, sizeof(text), "the %s is in %s, %s in %s", side_names[b->side[s->who]],
		 state_descs[seen.state[s->who]].json, s->who ? "a" : "b", state_descs[seen.state[!s->who]].json);
	return failed(b, text);
}

/* ---- steps ---- */

struct awaited {
	struct bout *b;
	struct step step;
};

static bool read_on(struct bout *b, unsigned who)
{
	uint8_t buf[OCTETS], should[OCTETS];
	int64_t n;

	octets_fill(!who, 0, should, sizeof(should));
	while (b->unread[who] && (n = end_recv(&b->end[who], buf, b->unread[who], false)) > 0) {
		if (memcmp(buf, should + (OCTETS - b->unread[who]), (size_t)n) != 0)
			return false;
		b->unread[who] -= (uint32_t)n;
	}
	return b->unread[who] == 0;
}

static bool has_come(void *arg)
{
	struct awaited *w = arg;
	struct end *e = &w->b->end[w->step.who];
	char c;
	int64_t n;

	if (w->step.verb == V_READ)
		return read_on(w->b, w->step.who);
	if (w->step.verb == V_AGAIN)
		return end_accept(&w->b->listener, &w->b->end[!w->b->opener], NULL) == 0;
	if (w->step.verb == V_RESET && end_error(e))
		return true;
	n = end_recv(e, &c, 1, true);
	if (w->step.verb == V_RESET)
		return n < 0 && n != -EAGAIN;
	return w->step.verb == V_EOF ? n == 0 : n > 0;
}

static bool await(struct bout *b, const struct step *s)
{
	struct awaited w = {b, *s};

	return rig_wait(b->r, has_come, &w, PATIENCE_MS) || failed(b, "it does not come");
}

static bool connect_and_accept(struct bout *b)
{
	const struct step s = {.verb = V_AGAIN, .who = b->opener};
	const unsigned other = !b->opener;
	const struct la_endpoint to = rig_at(b->side[other], b->ipv6, b->port);
	int err;

	for (unsigned who = 0; who < 2; who++)
		b->end[who] = (struct end){.side = b->side[who], .d = b->r->d};
	err = end_connect(&b->end[b->opener], &to, b->from);
	if (err)
		return failed(b, strerror(-err));
	b->from = end_local_port(&b->end[b->opener]);
	return await(b, &s);
}

/* ---- a second connection beside it ---- */

struct second {
	struct bout *b;
	bool fails; /* awaited: it fails; or that it is connected */
};

static bool second_is(void *arg)
{
	const struct second *s = arg;
	struct end *e = &s->b->second;
	char c;

	if (s->fails)
		return end_error(e) != 0;
	return end_recv(e, &c, 1, true) == -EAGAIN && end_send(e, "", 0) == 0;
}

static bool open_second(struct bout *b, unsigned who, uint16_t port, bool fails)
{
	const struct la_endpoint to = rig_at(b->side[!who], b->ipv6, port);
	struct second s = {b, fails};
	int err;

	b->second = (struct end){.side = b->side[who], .d = b->r->d};
	err = end_connect(&b->second, &to, 0);
	if (err)
		return failed(b, strerror(-err));
	if (!rig_wait(b->r, second_is, &s, PATIENCE_MS))
		return failed(b, "it does not come");
	rig_wait(b->r, nothing, NULL, CALM_MS); /* its last ACK arrives */
	if (fails)
		end_close(&b->second);
	return true;
}

static bool lose_second(struct bout *b)
{
	struct second s = {b, true};

	if (!rig_wait(b->r, second_is, &s, PATIENCE_MS))
		return failed(b, "it does not come");
	end_close(&b->second);
	return true;
}

static int send_octets(struct bout *b, unsigned who)
{
	uint8_t buf[OCTETS];
	int64_t n;

	octets_fill(who, 0, buf, sizeof(buf));
	n = end_send(&b->end[who], buf, sizeof(buf));
	b->unread[!who] = OCTETS;
	return n == OCTETS ? 0 : n < 0 ? (int)n : -EMSGSIZE;
}

static void hold(struct bout *b, bool yes)
{
	impair_hold(b->r->d->to_kernel, yes);
	impair_hold(b->r->d->to_engine, yes);
}

static bool act(struct bout *b, const struct step *s)
{
	struct end *e = &b->end[s->who];
	int err = 0;

	switch (s->verb) {
	case V_CLOSE:
		err = end_close(e);
		break;
	case V_SHUT:
	case V_SHUTBOTH:
		err = end_shutdown(e, s->verb == V_SHUTBOTH);
		break;
	case V_LINGER0:
		err = end_linger(e, 0);
		break;
	case V_LINGER2:
	case V_LINGER2OFF:
		err = end_linger2(e, s->verb == V_LINGER2 ? 1 : -1);
		break;
	case V_UNLISTEN:
		err = end_close(&b->listener);
		break;
	case V_KNOCK:
		return open_second(b, s->who, KNOCK_PORT, true);
	case V_CALL:
		return open_second(b, s->who, b->port, false);
	case V_HANGUP:
		return lose_second(b);
	case V_SEND:
		err = send_octets(b, s->who);
		break;
	case V_LOSE:
		b->losses++;
		impair_lose_next(e->side == SIDE_ENGINE ? b->r->d->to_kernel : b->r->d->to_engine, 1);
		break;
	case V_HOLD:
	case V_FREE:
		hold(b, s->verb == V_HOLD);
		break;
	case V_AGAIN:
		return connect_and_accept(b);
	case V_STATE:
		return await_state(b, s);
	case V_EOF:
	case V_RESET:
	case V_DATA:
	case V_READ:
		return await(b, s);
	}
	return err == 0 || failed(b, strerror(-err));
}

/* ---- the whole ---- */

static bool fits(const struct bout *b, const struct sight *seen, char *diff, size_t cap)
{
	diff[0] = 0;
	for (unsigned who = 0; who < 2; who++) {
		const char *name = side_names[b->side[who]];

		if (seen->state[who] != b->c->end[who])
			append(diff, cap, "%sthe %s ends in %s, not %s", diff[0] ? "; " : "", name,
			       state_descs[seen->state[who]].json, state_descs[b->c->end[who]].json);
		for (unsigned i = 0; i < N_COUNTED; i++)
			if (seen->counts[who].n[i] != b->wanted[who].n[i])
				append(diff, cap, "%sthe %s counts %s %llu, not %llu", diff[0] ? "; " : "", name,
				       counted_names[i].name, (unsigned long long)seen->counts[who].n[i],
				       (unsigned long long)b->wanted[who].n[i]);
	}
	return !diff[0];
}

/* Twice in a row with calm in between: nothing comes late. */
static bool judge(struct bout *b)
{
	const nsec_t until = drive_clock() + PATIENCE_MS * NSEC_PER_MS;
	char diff[160];
	struct sight seen;
	unsigned right = 0;

	b->word = "the end";
	while (right < 2) {
		rig_wait(b->r, nothing, NULL, CALM_MS);
		if (!look(b, &seen))
			return false;
		right = fits(b, &seen, diff, sizeof(diff)) ? right + 1 : 0;
		if (!right && drive_clock() >= until)
			return failed(b, diff);
	}
	return true;
}

static bool begin(struct bout *b)
{
	const unsigned other = !b->opener;
	const struct la_endpoint at = rig_at(b->side[other], b->ipv6, b->port);
	struct sight seen;
	int err;

	b->word = "the beginning";
	b->listener = (struct end){.side = b->side[other], .d = b->r->d};
	err = end_listen(&b->listener, &at);
	if (err)
		return failed(b, strerror(-err));
	if (!look(b, &seen))
		return false;
	for (unsigned who = 0; who < 2; who++) {
		b->before[who] = seen.counts[who];
		must(counts_parse(b->c->counters[who], &b->wanted[who]));
	}
	b->retrans = seen.retrans;
	b->wanted[b->opener].n[COUNTED_active_opens]++;
	b->wanted[other].n[COUNTED_passive_opens]++;
	return connect_and_accept(b);
}

static bool run(struct bout *b)
{
	const char *at = b->c->steps;
	char word[STEP_TEXT_MAX];
	struct step s;
	bool ok = begin(b);

	b->word = word;
	for (int n; ok && (n = step_next(&at, &s, word)) != 0;) {
		must(n == 1);
		ok = act(b, &s);
	}
	hold(b, false);
	ok = ok && judge(b);
	end_close(&b->listener);
	end_close(&b->second);
	for (unsigned who = 0; who < 2; who++)
		end_close(&b->end[who]);
	return ok;
}

static bool was_disturbed(struct bout *b)
{
	char reason[sizeof(b->r->reason)];
	struct sight seen;
	bool yes;

	memcpy(reason, b->r->reason, sizeof(reason)); /* a failure to look must not hide it */
	yes = look(b, &seen) && seen.retrans > b->losses;
	memcpy(b->r->reason, reason, sizeof(reason));
	return yes;
}

/* i: which closing, who opens, who is who. Again, with another port, when it was disturbed. */
static bool run_one(struct rig *r, unsigned i, bool six, uint16_t *port)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		struct bout b = {.r = r, .c = &closings[i / 4], .ipv6 = six, .opener = i & 1, .port = (*port)++};

		b.side[0] = i & 2 ? SIDE_KERNEL : SIDE_ENGINE;
		b.side[1] = i & 2 ? SIDE_ENGINE : SIDE_KERNEL;
		if (run(&b))
			return true;
		if (!was_disturbed(&b))
			return false;
	}
	return false;
}

static bool is_row(unsigned i) { return closings[i / 4].opener != (i & 1 ? OPENER_A : OPENER_B); }

bool part_closings(struct rig *r, bool *ret_skip)
{
	const unsigned ways = (unsigned)n_closings * 4;
	uint16_t port = PORT;
	unsigned n = 0;

	/* Loss probes after some milliseconds: a busy machine would be full of them. */
	for (int side = 0; side < N_SIDES; side++)
		if (!rig_knob(r, (enum side)side, "net.ipv4.tcp_early_retrans", "0"))
			return false;
	for (int six = rig_family(r, -1); six >= 0; six = rig_family(r, six))
		for (unsigned i = 0; i < ways; i++) {
			if (!is_row(i))
				continue;
			if (!run_one(r, i, six, &port))
				return false;
			rig_progress(r, ++n, (uint64_t)ways * 2);
		}
	r->sums->closings = n;
	snprintf(r->note, sizeof(r->note), "%u: %zu ways, engine and kernel in either place, either side connecting", n,
		 n_closings);
	return true;
}
