/* SPDX-License-Identifier: MIT */
/* Closes by RST instead of FIN (signatures.md R20, R21). */
#include "diag/causes.h"

enum { RST_N_MIN = 5, CLIENT_RST_N_MIN = 10 };
#define CLIENT_RST_SHARE 0.1 /* of closes; fewer are cancelled downloads and programs that end */
#define SERVER_RST_SHARE 0.01
#define CUT_SHARE 0.1 /* of them: answers that were not complete */

/* Closes that the side decided: not those that answer what an unknown connection sent, nor refused opens. */
static uint64_t aborts(const struct closes *k)
{
	return k->rst - k->rst_kind[RST_NO_SOCKET] - k->rst_kind[RST_REFUSED] - k->rst_kind[RST_LATE_DATA];
}

static uint64_t lossy(const struct closes *k)
{
	uint64_t n = k->rst_kind[RST_UNREAD] + k->rst_kind[RST_CUT];

	return n > k->unanswered ? n : k->unanswered;
}

/* Prompt after the answer: nothing but SO_LINGER with time 0 does that to a server's connection. */
static uint64_t lingers(const struct closes *k) { return k->rst_kind[RST_LINGER_0] + k->rst_prompt; }

static void judge_RST003(const struct cause *self, struct scene *c)
{
	const struct closes *k = &c->v->closes[SIDE_CLIENT];
	uint64_t n = aborts(k), cut = lossy(k);
	struct finding *f;

	if (c->mass || n < CLIENT_RST_N_MIN || !is_share(n, c->closed, CLIENT_RST_SHARE))
		return;
	if (is_share(k->rst_kind[RST_LINGER_0], n, 0.5)) /* RST005 knows */
		return;
	f = cause_found(c, self, SIDE_CLIENT, n);
	f->severity = SEV_INFO;
	SAY(f->evidence,
	    "%s of %s closes are a RST of the client without a FIN (>= 10, and %s >= 10 %%); %s with data unread or due",
	    num(n).s, num(c->closed).s, percent_text((double)n, (double)c->closed).s, num(cut).s);
	if (is_share(cut, n, CUT_SHARE)) {
		f->severity = SEV_WARN;
		SAY(f->what, "%s resets connections with the answer unread%s: the server's work is thrown away",
		    closer_text(c, SIDE_CLIENT).s, rate_of(c, n).s);
		cause_doubt(f, CONF_HIGH, "the client's code: cancelled downloads and time limits are meant so");
		remedy_settings(f, CURE_READ, c->program[SIDE_CLIENT]);
		return;
	}
	SAY(f->what,
	    "%s ends connections by RST after complete answers%s: nothing is lost on the way; whether the program had "
	    "read them cannot be seen",
	    closer_text(c, SIDE_CLIENT).s, rate_of(c, n).s);
	cause_doubt(f, CONF_MEDIUM,
		    "lastack trace on the client: haproxy does so with idle connections to servers; "
		    "unread data that were acknowledged look the same");
}

const struct cause cause_RST003 = {
	.rule = {.id = "RST003",
		 .title = "the client closes with a RST",
		 .never = {"resets after complete answers need no cure"}},
	.verdict = "CLIENT_ABORT_RST",
	.lacks = "a FIN before the RST",
	.judge = judge_RST003,
};

static bool is_linger(const struct closes *k)
{
	return lingers(k) >= RST_N_MIN && is_share(lingers(k), aborts(k), 0.5);
}

/* Nothing was on its way either way: a RST in place of a FIN. */
static void judge_idle_rst(const struct cause *self, struct scene *c)
{
	const struct samples *idle = &c->v->closes[SIDE_SERVER].rst_idle;
	struct finding *f;

	if (idle->seen < RST_N_MIN || !is_share(idle->seen, c->closed, SERVER_RST_SHARE))
		return;
	f = cause_found(c, self, SIDE_SERVER, idle->seen);
	f->severity = SEV_INFO;
	SAY(f->what,
	    "%s ends idle connections by RST%s: nothing was on its way; harmless as long as clients drop them sooner",
	    closer_text(c, SIDE_SERVER).s, rate_of(c, idle->seen).s);
	SAY(f->evidence,
	    "%s of %s closes are a RST of the server after > 0.5 s of silence, no FIN, nothing due (>= 5, and %s >= 1 %%); "
	    "idle p10 %s, median %s, p90 %s",
	    num(idle->seen).s, num(c->closed).s, percent_text((double)idle->seen, (double)c->closed).s,
	    gap_text(samples_quantile(idle, 0.1)).s, gap_text(samples_quantile(idle, 0.5)).s,
	    gap_text(samples_quantile(idle, 0.9)).s);
	cause_doubt(f, CONF_MEDIUM, "lastack trace on the server: something in between may have sent the RST");
	remedy_settings(f, CURE_SERVER_IDLE, c->program[SIDE_SERVER]);
}

/* A FIN, but what the client still sends is answered with a RST, which may overtake its reading of the answer. */
static void judge_cut_short(const struct cause *self, struct scene *c)
{
	uint64_t n = c->v->closes[SIDE_SERVER].cut_short;
	struct finding *f;

	if (n < RST_N_MIN || !is_share(n, c->closed, SERVER_RST_SHARE))
		return;
	f = cause_found(c, self, SIDE_SERVER, n);
	f->stage = STAGE_LOSING;
	SAY(f->what, "%s closes while the client is still sending%s: the RST that follows may cost it the answer",
	    closer_text(c, SIDE_SERVER).s, rate_of(c, n).s);
	SAY(f->evidence,
	    "server's FIN within 2 ms of the last data, then more data of the client within 100 ms and a round trip, "
	    "answered with a RST: %s times (>= 5, and %s >= 1 %% of closes)",
	    num(n).s, percent_text((double)n, (double)c->closed).s);
	cause_doubt(f, CONF_MEDIUM, "the client's log: whether it got these answers");
	remedy_settings(f, CURE_LINGER, c->program[SIDE_SERVER]);
	if (cause_errors(f, c))
		remedy_settings(f, CURE_ERRORS, c->program[SIDE_SERVER]);
}

static void judge_RST004(const struct cause *self, struct scene *c)
{
	const struct closes *k = &c->v->closes[SIDE_SERVER];
	uint64_t n = aborts(k) - k->rst_idle.seen;
	struct finding *f;

	judge_idle_rst(self, c);
	judge_cut_short(self, c);
	if (n < RST_N_MIN || !is_share(n, c->closed, SERVER_RST_SHARE) || is_linger(k))
		return;
	f = cause_found(c, self, SIDE_SERVER, n);
	f->stage = STAGE_LOSING;
	SAY(f->what, "%s ends connections by RST%s: answers on their way may be lost", closer_text(c, SIDE_SERVER).s,
	    rate_of(c, n).s);
	SAY(f->evidence,
	    "%s of %s closes are a RST of the server without a FIN (>= 5, and %s >= 1 %%); %s with data unread, %s with an answer due",
	    num(n).s, num(c->closed).s, percent_text((double)n, (double)c->closed).s, num(k->rst_kind[RST_UNREAD]).s,
	    num(k->unanswered).s);
	cause_doubt(f, k->rst_kind[RST_UNREAD] * 2 >= n ? CONF_HIGH : CONF_MEDIUM,
		    "lastack trace on the server: the kernel's reason and the process");
	remedy_settings(f, CURE_LINGER, c->program[SIDE_SERVER]);
	if (cause_errors(f, c))
		remedy_settings(f, CURE_ERRORS, c->program[SIDE_SERVER]);
}

const struct cause cause_RST004 = {
	.rule = {.id = "RST004",
		 .title = "the server closes with a RST",
		 .never = {"SO_LINGER does not help: close() with unread data sends a RST whatever it says"}},
	.verdict = "SERVER_ABORT_RST",
	.lacks = "a FIN before the RST",
	.judge = judge_RST004,
};

static void say_linger(const struct cause *self, struct scene *c, enum side side, uint64_t n)
{
	const struct closes *k = &c->v->closes[side];
	bool sure = is_share(k->rst_kind[RST_LINGER_0], n, 0.5),
	     haproxy = side == SIDE_CLIENT && c->program[SIDE_CLIENT].software == SW_HAPROXY;
	struct finding *f = cause_found(c, self, side, n);
	f->severity = haproxy ? SEV_INFO : SEV_WARN;

	f->stage = haproxy ? STAGE_CHURN : STAGE_LOSING;
	if (haproxy)
		SAY(f->what, "%s ends idle connections to its servers by RST%s, as haproxy does: nothing is lost",
		    closer_text(c, side).s, rate_of(c, n).s);
	else
		SAY(f->what, "%s closes with SO_LINGER and time 0: each close is a RST that throws unsent data away%s",
		    closer_text(c, side).s, rate_of(c, n).s);
	if (sure)
		SAY(f->evidence,
		    "SO_LINGER with time 0 was set and nothing was unread in %s closes by RST, of %s closes",
		    num(k->rst_kind[RST_LINGER_0]).s, num(c->closed).s);
	else
		SAY(f->evidence,
		    "%s of %s closes are a RST within 100 ms of the last data, no FIN, nothing of the peer's outstanding "
		    "(>= 5, and >= half of the server's %s RSTs)",
		    num(n).s, num(c->closed).s, num(aborts(k)).s);
	if (!sure)
		cause_doubt(f, CONF_MEDIUM,
			    "lastack trace on the server: the kernel's reason; a request that was "
			    "acknowledged but not read looks the same");
	remedy_settings(f, CURE_NO_RESET, c->program[side]);
}

static void judge_RST005(const struct cause *self, struct scene *c)
{
	const struct closes *s = &c->v->closes[SIDE_SERVER], *k = &c->v->closes[SIDE_CLIENT];

	if (is_linger(s) && is_share(lingers(s), c->closed, SERVER_RST_SHARE))
		say_linger(self, c, SIDE_SERVER, lingers(s));
	/* a client that has its answer may reset: only the kernel knows what it was */
	if (k->rst_kind[RST_LINGER_0] >= RST_N_MIN && is_share(k->rst_kind[RST_LINGER_0], c->closed, CLIENT_RST_SHARE))
		say_linger(self, c, SIDE_CLIENT, k->rst_kind[RST_LINGER_0]);
}

const struct cause cause_RST005 = {
	.rule = {.id = "RST005",
		 .title = "closes that reset: SO_LINGER with time 0, seen",
		 .never = {"SO_LINGER with time 0 is no cure for TIME_WAIT: 27 to 57 % of 400 kB arrived"}},
	.verdict = "LINGER0",
	.lacks = "a FIN before the RST",
	.judge = judge_RST005,
};
