/* SPDX-License-Identifier: MIT */
/* Connections that were idle: timeouts (signatures.md R9), requests lost on closed ones (R10), middleboxes (R27). */
#include "diag/causes.h"

enum { IDLE_N_MIN = 5, TICK_N_MIN = 10, CLUSTER_N_MIN = 20 };
#define HIDDEN_SHARE 0.5 /* of a side's FINs */
#define IDLE_SHARE 0.1 /* of all closes */
#define IDLE_SPREAD 0.03 /* (p90 - p10) / p50: people are not that regular */
#define CLUSTER_SHARE 0.6 /* of idle closes within that spread, when the rest has other reasons */
#define IDLE_AT_ONCE 2.0 /* of one client: it could have used one of them again */
#define TICK (NSEC_PER_S + NSEC_PER_S / 10) /* a server that looks once a second */
#define TICK_LEAST_SERVER (2 * NSEC_PER_S)
#define TICK_LEAST_CLIENT (3 * NSEC_PER_S) /* people think for so long */

enum shape { SHAPE_NONE, SHAPE_TIMER, SHAPE_CLUSTER, SHAPE_TICK };

struct idle {
	enum shape shape;
	nsec_t p10, p50, p90;
	nsec_t t; /* the timeout: what most waited; of a tick, the shortest */
	size_t within; /* samples of the cluster */
};

/* The most samples within IDLE_SPREAD of each other; *ret_at: the one in their middle. */
static size_t densest(const nsec_t v[], size_t n, nsec_t *ret_at)
{
	size_t first = 0, most = 0;

	*ret_at = 0;
	for (size_t i = 0; i < n; i++) {
		while ((double)(v[i] - v[first]) > IDLE_SPREAD * (double)v[i])
			first++;
		if (i + 1 - first > most) {
			most = i + 1 - first;
			*ret_at = v[first + most / 2];
		}
	}
	return most;
}

static struct idle idle_of(const struct samples *s, nsec_t tick_least)
{
	nsec_t v[SAMPLES], middle;
	size_t n = samples_sorted(s, v), within = densest(v, n, &middle);
	struct idle r = {.within = within};

	if (n < IDLE_N_MIN)
		return r;
	r.p10 = samples_quantile(s, 0.1);
	r.p50 = r.t = samples_quantile(s, 0.5);
	r.p90 = samples_quantile(s, 0.9);
	if ((double)(r.p90 - r.p10) < IDLE_SPREAD * (double)r.p50) {
		r.shape = SHAPE_TIMER;
	} else if (n >= CLUSTER_N_MIN && is_share(within, n, CLUSTER_SHARE)) {
		r.shape = SHAPE_CLUSTER;
		r.t = middle;
	} else if (n >= TICK_N_MIN && r.p10 >= tick_least && r.p90 - r.p10 <= TICK) {
		r.shape = SHAPE_TICK;
		r.t = v[0];
	}
	return r;
}

/* Both ends of an idle time may be wrong by the grain: of 2 s, gunicorn's, live ones are seen as 1.992 s. */
static nsec_t tick_least(const struct scene *c, enum side side)
{
	return (side == SIDE_SERVER ? TICK_LEAST_SERVER : TICK_LEAST_CLIENT) - 2 * c->v->grain;
}

bool hides_idle(const struct scene *c, enum side side)
{
	const struct closes *k = &c->v->closes[side];
	enum shape shape = idle_of(&k->after, tick_least(c, side)).shape;

	return c->may_be_tls && is_share(k->after.seen, k->fin, HIDDEN_SHARE) &&
	       (shape == SHAPE_TIMER || shape == SHAPE_CLUSTER); /* a busy machine's are late now and then */
}

/* The idle times themselves where most of them are known. */
static bool is_guessed(const struct scene *c, enum side side)
{
	const struct closes *k = &c->v->closes[side];

	return c->hides_idle[side] && !is_share(k->idle.seen, k->fin, HIDDEN_SHARE);
}

static const struct samples *idle_samples(const struct scene *c, enum side side)
{
	return is_guessed(c, side) ? &c->v->closes[side].after : &c->v->closes[side].idle;
}

static struct finding *say_timeout(const struct cause *self, struct scene *c, enum side side, const struct idle *t)
{
	const struct samples *s = idle_samples(c, side);
	struct finding *f = cause_found(c, self, side, s->seen);
	f->severity = SEV_INFO;

	SAY(f->verdict, "%s %.2fs", self->verdict, (double)t->t / (double)NSEC_PER_S);
	SAY(f->what, "%s closes connections that were idle for %s%s: %s of %s closes", closer_text(c, side).s,
	    gap_text(t->t).s, t->shape == SHAPE_TICK ? " and up to a second more" : "", num(s->seen).s,
	    num(c->closed).s);
	SAY(f->evidence,
	    "%s closed after > 0.5 s of silence (>= 5, and >= 10 %% of %s closes); idle p10 %s, median %s, p90 %s",
	    num(s->seen).s, num(c->closed).s, gap_text(t->p10).s, gap_text(t->p50).s, gap_text(t->p90).s);
	if (t->shape == SHAPE_TIMER)
		append(f->evidence, sizeof(f->evidence), ": (p90 - p10) / median < 3 %%");
	if (t->shape == SHAPE_CLUSTER) {
		append(f->evidence, sizeof(f->evidence), "; %.0f %% of them within 3 %% of each other (>= 60 %%)",
		       (double)t->within * 100 / (double)samples_n(s));
		cause_doubt(f, CONF_MEDIUM, "a longer look: some idle connections were closed for other reasons");
	}
	if (t->shape == SHAPE_TICK) {
		append(f->evidence, sizeof(f->evidence), ": p90 - p10 <= 1.1 s, as of a timer looked at once a second");
		cause_doubt(f, CONF_MEDIUM, "the configuration: a timer that is looked at once a second spreads so");
	}
	if (is_guessed(c, side)) {
		append(f->evidence, sizeof(f->evidence),
		       "; since the other side's data: what was sent last may have been a TLS alert");
		cause_doubt(f, CONF_LOW, "lastack pcap, which tells TLS alerts from data");
	}
	return f;
}

static bool is_timeout(const struct scene *c, enum side side, struct idle *ret)
{
	const struct samples *s = idle_samples(c, side);

	*ret = idle_of(s, tick_least(c, side));
	/*
	 * Closed together: by timers if the idle times lie closer together than the closes do, which then follow requests
	 * that came together. Else by something that happened just then.
	 */
	if (c->mass && (ret->p90 - ret->p10) * 2 > spans_spread(&c->v->spans) + 2 * c->v->grain)
		return false;
	return ret->shape != SHAPE_NONE && is_share(s->seen, c->closed, IDLE_SHARE);
}

/* Connections of one client address that would idle at a time, if each stays for t. */
static double idle_at_once(const struct scene *c, nsec_t t)
{
	return c->window_s > 0 ? (double)service_top_client(c->v) * (double)t / (double)NSEC_PER_S / c->window_s : 0;
}

/* Requests that came too late show that the client did mean to use them again. */
static bool is_left_idle(const struct scene *c, nsec_t t)
{
	bool late = c->v->stale || c->v->late_alone || (c->other && (c->other->stale || c->other->late_alone));

	return !late && c->unit == 1 && is_per_request(c) && idle_at_once(c, t) >= IDLE_AT_ONCE;
}

static void judge_KA006(const struct cause *self, struct scene *c)
{
	struct idle t;
	struct finding *f;

	if (!is_timeout(c, SIDE_SERVER, &t))
		return;
	f = say_timeout(self, c, SIDE_SERVER, &t);
	if (c->v->keep_alive_s)
		append(f->evidence, sizeof(f->evidence), "; it announces Keep-Alive: timeout=%u", c->v->keep_alive_s);
	if (is_left_idle(c, t.t)) {
		append(f->what, sizeof(f->what),
		       "; each carried one request: %s opens another instead (a client object for each request, or "
		       "answers never read)",
		       closer_text(c, SIDE_CLIENT).s);
		append(f->evidence, sizeof(f->evidence),
		       "; one request in at least 90 %%; %s by one address in %s: %.0f idle at once (>= 2)",
		       num(service_top_client(c->v)).s, seconds_text(c->window_s).s, idle_at_once(c, t.t));
		remedy_settings(f, CURE_REUSE, c->program[SIDE_CLIENT]);
		return;
	}
	append(f->what, sizeof(f->what), "%s", likely_server_idle(t.t, c->program[SIDE_SERVER]).s);
	if (!c->v->stale)
		append(f->what, sizeof(f->what), "; harmless as long as clients drop them sooner");
	remedy_settings(f, CURE_SERVER_IDLE, c->program[SIDE_SERVER]);
}

const struct cause cause_KA006 = {
	.rule = {.id = "KA006",
		 .title = "the server closes idle connections",
		 .never = {"a server's timeout shorter than the pool's loses requests: KA008"}},
	.verdict = "SERVER_IDLE_TIMEOUT",
	.judge = judge_KA006,
};

static void judge_KA007(const struct cause *self, struct scene *c)
{
	struct idle t;
	struct finding *f;
	struct remedy *m;

	if (!is_timeout(c, SIDE_CLIENT, &t))
		return;
	f = say_timeout(self, c, SIDE_CLIENT, &t);
	append(f->what, sizeof(f->what), "%s", likely_client_idle(t.t, c->program[SIDE_CLIENT]).s);
	cause_doubt(f, CONF_MEDIUM, "the client's code: a program that waits so long before it closes looks the same");
	m = finding_remedy(
		f, "None needed; a longer idle timeout of the pool saves connections that are soon opened again");
	SAY(m->precondition, "it stays below the server's idle timeout, by more than 1 s and a round trip");
}

const struct cause cause_KA007 = {
	.rule = {.id = "KA007",
		 .title = "the client closes idle connections",
		 .never = {"a pool's timeout longer than the server's loses requests: KA008"}},
	.verdict = "CLIENT_IDLE_TIMEOUT",
	.judge = judge_KA007,
};

/* Live, late data may have met a TIME_WAIT: they are lost requests where the server closes idle connections anyway. */
static uint64_t stale_live(const struct service *v)
{
	const struct closes *k = &v->closes[SIDE_SERVER];

	return is_share(k->idle.seen, k->fin, 0.5) ? v->late_alone : 0;
}

/* Its clients are here, too, and what they sent late were no requests. */
static bool is_cleared(const struct scene *c)
{
	return c->v->local == SIDE_SERVER && c->other && !c->other->stale && c->other->conns * 2 >= c->v->conns;
}

static void judge_KA008(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	uint64_t n = v->stale + stale_live(v);
	struct finding *f;
	struct idle t;

	if (!n || is_cleared(c))
		return;
	f = cause_found(c, self, SIDE_CLIENT, n);
	cause_blame_opener(f, c);
	f->stage = STAGE_LOSING;
	f->confidence = CONF_HIGH;
	f->raise[0] = '\0';
	if (v->local == SIDE_SERVER && c->may_be_tls)
		cause_doubt(f, CONF_LOW,
			    "lastack trace where the client runs, or a capture: through TLS a client that is done says "
			    "close_notify, which looks the same from here");
	if (!v->stale)
		cause_doubt(f, CONF_MEDIUM, "a capture: how long the connection had been idle is not known here");
	SAY(f->what, "%s request%s lost (%s of %s): sent on a connection that the server had closed while it was idle",
	    num(n).s, n == 1 ? "" : "s", percent_text((double)n, (double)(v->requests + n)).s, num(v->requests + n).s);
	SAY(f->evidence, "server's FIN after an idle time, then data of the client, answered with a RST: %s times",
	    num(n).s);
	if (is_timeout(c, SIDE_SERVER, &t))
		append(f->evidence, sizeof(f->evidence), "; the server closes after %s, the pool keeps longer",
		       gap_text(t.t).s);
	remedy_settings(f, CURE_CLIENT_IDLE, c->opener);
	if (f->n_remedies < REMEDIES_MAX)
		finding_remedy(
			f,
			"In the client: look for the end of file before a reuse, and retry idempotent requests once");
}

const struct cause cause_KA008 = {
	.rule = {.id = "KA008",
		 .title = "requests lost on connections the server had closed",
		 .never = {"retrying everything repeats what must happen once (POST)",
			   "a lower keepalive_timeout at the server makes it worse"}},
	.verdict = "STALE_REUSE",
	.judge = judge_KA008,
};

/* ---- somebody in between forgets ---- */

enum { DROP_N_MIN = 3 };

static void judge_KA010(const struct cause *self, struct scene *c)
{
	const struct service *v = c->v;
	nsec_t least = v->idle_failed_min;
	struct finding *f;

	/* a limit lets pass what is shorter and stops what is longer; a restarted server does not care */
	if (v->idle_failed < DROP_N_MIN || v->idle_survived >= least)
		return;
	f = cause_found(c, self, SIDE_NONE, v->idle_failed);
	f->stage = STAGE_LOSING;
	SAY(f->what,
	    "data after an idle time met a RST or silence %s times, and nobody had closed: something in between forgets",
	    num(v->idle_failed).s);
	SAY(f->evidence, "no FIN before; shortest idle time that failed %s > longest that survived %s; >= 3 times",
	    gap_text(least).s, v->idle_survived ? gap_text(v->idle_survived).s : "(none seen)");
	append(f->what, sizeof(f->what), " idle connections after at most %s", gap_text(least).s);
	SAY(f->verdict, "%s %.0fs", self->verdict, (double)least / (double)NSEC_PER_S);
	cause_doubt(f, CONF_MEDIUM,
		    "a capture on each side of the middlebox; idle times between the two bounds. A server "
		    "that was restarted looks the same once");
	remedy_settings(f, CURE_PROBE, (struct program){.software = SW_ANY});
}

const struct cause cause_KA010 = {
	.rule = {.id = "KA010",
		 .title = "something in between forgets idle connections",
		 .never = {"tcp_keepalive_time alone does nothing: programs must set SO_KEEPALIVE"}},
	.verdict = "MIDDLEBOX_IDLE_DROP",
	.lacks = "a FIN",
	.judge = judge_KA010,
};
