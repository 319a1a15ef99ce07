/* SPDX-License-Identifier: MIT */
/* What follows a FIN: nothing (signatures.md R11), or a RST by the same side (R22). */
#include "diag/causes.h"

enum { IGNORED_N_MIN = 5, FIN_RST_N_MIN = 5 };
#define IGNORED_LEAST NSEC_PER_S
#define FIN_RST_SHARE 0.01

static void judge_ignored(const struct cause *self, struct scene *c, enum side closer)
{
	const struct closes *k = &c->v->closes[closer];
	nsec_t median = samples_quantile(&k->ignored, 0.5);
	enum side peer = side_other(closer);
	struct finding *f;

	if (k->ignored.seen < IGNORED_N_MIN || median <= IGNORED_LEAST)
		return;
	/* a pool that looks at a connection when it needs one: KA008 has said so */
	if (closer == SIDE_SERVER && is_share(c->v->stale, k->ignored.seen, 0.5))
		return;
	f = cause_found(c, self, peer, k->ignored.seen);
	if (peer == SIDE_CLIENT)
		cause_blame_opener(f, c);
	f->stage = STAGE_LEAKING;
	SAY(f->what, "the %s does not close when the %s has: it sits in CLOSE_WAIT for %s (median of %s)",
	    side_name(peer), side_name(closer), gap_text(median).s, num(k->ignored.seen).s);
	SAY(f->evidence, "from the %s's FIN to the %s's: median %s > 1 s, p90 %s; no data came in between",
	    side_name(closer), side_name(peer), gap_text(median).s, gap_text(samples_quantile(&k->ignored, 0.9)).s);
	cause_doubt(f, CONF_HIGH, "lastack doctor where the program runs: CW001 names it and the kind of the leak");
	remedy_settings(f, CURE_EOF, peer == SIDE_CLIENT ? c->opener : c->program[peer]);
}

static void judge_KA009(const struct cause *self, struct scene *c)
{
	judge_ignored(self, c, SIDE_SERVER);
	judge_ignored(self, c, SIDE_CLIENT);
}

const struct cause cause_KA009 = {
	.rule = {.id = "KA009",
		 .title = "the peer's FIN is not answered",
		 .never = {"no sysctl ends CLOSE_WAIT: only the program can"}},
	.verdict = "PEER_IGNORES_FIN",
	.lacks = "the answer to the FIN",
	.judge = judge_KA009,
};

static void judge_fin_then_rst(const struct cause *self, struct scene *c, enum side side)
{
	const struct closes *k = &c->v->closes[side];
	struct finding *f;

	if (k->fin_then_rst < FIN_RST_N_MIN || !is_share(k->fin_then_rst, c->closed, FIN_RST_SHARE))
		return;
	f = cause_found(c, self, side, k->fin_then_rst);
	f->stage = STAGE_LOSING;
	SAY(f->what, "%s sends a FIN and at once a RST: what its peer had not read yet is lost (%s of %s closes)",
	    closer_text(c, side).s, num(k->fin_then_rst).s, num(c->closed).s);
	SAY(f->evidence, "RST of the %s within 1 ms of its own FIN, no data between: %s times (>= 5, and %s >= 1 %%)",
	    side_name(side), num(k->fin_then_rst).s, percent_text((double)k->fin_then_rst, (double)c->closed).s);
	remedy_settings(f, CURE_NO_RESET, c->program[side]);
}

static void judge_RST006(const struct cause *self, struct scene *c)
{
	judge_fin_then_rst(self, c, SIDE_SERVER);
	judge_fin_then_rst(self, c, SIDE_CLIENT);
}

const struct cause cause_RST006 = {
	.rule = {.id = "RST006",
		 .title = "a RST right after the FIN",
		 .never = {"haproxy's option nolinger on a frontend: answers are cut, 528 of 1,000 when measured"}},
	.verdict = "FIN_THEN_RST",
	.lacks = "what made it reset",
	.judge = judge_RST006,
};
