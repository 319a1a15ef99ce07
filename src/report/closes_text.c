/* SPDX-License-Identifier: MIT */
/* One line a close, and what a service's closes say together. */
#include "base/text.h"
#include "report/closes.h"
#include "report/parts.h"
#include <time.h>

enum { LABEL_INDENT = 4, LABEL_WIDTH = 14, CLOCK_WIDTH = 13, SERVICES_SHOWN = 12, REMEDIES_SHOWN = 2 };

struct conn_why conn_why(const struct conn *c)
{
	struct conn_why w = {""};
	nsec_t gap;

	switch (c->how) {
	case END_OPEN:
		snprintf(w.s, sizeof(w.s), "%s", conn_closed_at(c) ? "the other side has not closed" : "still open");
		return w;
	case END_TIMEOUT:
		snprintf(w.s, sizeof(w.s), "the other side was silent");
		return w;
	case END_FAILED_OPEN:
		snprintf(w.s, sizeof(w.s), "%s",
			 c->rst_kind == RST_REFUSED ? "refused"
			 : c->error                 ? strerror(c->error)
			 : c->no_syn                ? "no SYN was sent"
						    : "no answer");
		return w;
	case END_FIN:
	case END_RST:
		break;
	}
	if (c->late_data)
		snprintf(w.s, sizeof(w.s), "data came after the close");
	else if (conn_closer(c) != c->first)
		snprintf(w.s, sizeof(w.s), "the %s said close_notify", side_name(conn_closer(c)));
	else if (c->how == END_RST && c->rst_kind < N_RST_KINDS && c->rst_kind != RST_OTHER)
		snprintf(w.s, sizeof(w.s), "%s", rst_words(c->rst_kind));
	else if (c->unanswered)
		snprintf(w.s, sizeof(w.s), "an answer was due");
	else if (conn_gap(c, &gap) && gap > CLOSE_IDLE)
		snprintf(w.s, sizeof(w.s), "idle for %s", seconds_text((double)gap / (double)NSEC_PER_S).s);
	else if (conn_gap(c, &gap) && gap <= CLOSE_PROMPT + c->grain && conn_requests(c))
		snprintf(w.s, sizeof(w.s), "right after the answer");
	else if (!c->bytes[SIDE_CLIENT] && !c->bytes[SIDE_SERVER] && (c->seen & SEEN_SYN))
		snprintf(w.s, sizeof(w.s), "never used");
	return w;
}

const char *rst_words(enum rst_kind kind)
{
	switch (kind) {
	case RST_UNREAD:
		return "data were unread";
	case RST_CUT:
		return "own data thrown away";
	case RST_CLEAN:
		return "nothing outstanding";
	case RST_LINGER_0:
		return "SO_LINGER with time 0";
	case RST_LATE_DATA:
		return "data came after the close";
	case RST_NO_SOCKET:
		return "connection unknown";
	case RST_REFUSED:
		return "refused";
	case RST_NONE:
	case RST_OTHER:
	case N_RST_KINDS:
		break;
	}
	return "";
}

/* "12:34:56.123", UTC */
static struct text clock_text(nsec_t t, int64_t to_wall_ns)
{
	int64_t ns = (int64_t)t + to_wall_ns;
	struct text r = {"-"};
	struct tm tm;
	time_t s = (time_t)(ns / (int64_t)NSEC_PER_S);

	if (ns > 0 && gmtime_r(&s, &tm))
		snprintf(r.s, sizeof(r.s), "%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min, tm.tm_sec,
			 (int)(ns % (int64_t)NSEC_PER_S / (int64_t)NSEC_PER_MS));
	return r;
}

struct who_text {
	char s[64];
};

/* States that take longer than they should; only live sources know. */
static void append_states(char *s, size_t cap, const struct conn *c)
{
	static const enum sock_state slow[] = {ST_FIN_WAIT_1, ST_FIN_WAIT_2, ST_CLOSE_WAIT, ST_LAST_ACK, ST_CLOSING};

	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		if (c->in_state[slow[i]] > NSEC_PER_S)
			append(s, cap, "; %s %s", state_descs[slow[i]].netstat,
			       seconds_text((double)c->in_state[slow[i]] / (double)NSEC_PER_S).s);
}

static const char *how_word(const struct conn *c)
{
	switch (c->how) {
	case END_OPEN:
		return conn_closed_at(c) ? "half" : "open";
	case END_FIN:
		return c->crossed ? "FINs" : "FIN";
	case END_RST:
		return c->first != SIDE_NONE && c->fin[c->first] ? "FIN" : "RST";
	case END_TIMEOUT:
		return "timeout";
	case END_FAILED_OPEN:
		return "failed";
	}
	must_not_reach("end of a connection");
}

/* "nginx[812] close  "; "" unknown */
static struct who_text closer_of(const struct conn *c)
{
	struct who_text w = {""};

	if (c->closer.pid)
		snprintf(w.s, sizeof(w.s), "%.16s[%u] %s  ", c->closer.comm, c->closer.pid,
			 c->call == CALL_UNKNOWN ? "" : close_call_name(c->call));
	return w;
}

/* On a terminal that is too narrow it takes two lines. */
void report_close_text(FILE *out, const struct conn *c, int64_t to_wall_ns, const struct style *st)
{
	struct lines l = lines_of(out, st);
	nsec_t at = conn_closed_at(c);
	struct conn_why why = conn_why(c);
	struct who_text who = closer_of(c);
	enum ink ink = c->how == END_FIN ? INK_PLAIN : INK_YELLOW;
	char ends[128], head[192], rest[384] = "";

	snprintf(head, sizeof(head), "%s %-6s %-7s ", clock_text(at ? at : c->end, to_wall_ns).s,
		 c->first == SIDE_NONE ? "-" : side_name(c->first), how_word(c));
	if (conn_requests_known(c))
		append(rest, sizeof(rest), "%u req", conn_requests(c));
	else
		append(rest, sizeof(rest), "? req");
	if (why.s[0])
		append(rest, sizeof(rest), "; %s", why.s);
	append_states(rest, sizeof(rest), c);
	if (c->end > c->start && (c->seen & SEEN_SYN))
		append(rest, sizeof(rest), "; lasted %s",
		       seconds_text((double)(c->end - c->start) / (double)NSEC_PER_S).s);
	if (c->opener.pid && c->opener.pid != c->closer.pid)
		append(rest, sizeof(rest), "; opened by %.16s[%u]", c->opener.comm, c->opener.pid);
	snprintf(ends, sizeof(ends), "%s > %s  ", ip_port_text(c->addr[SIDE_CLIENT], c->port[SIDE_CLIENT]).s,
		 conn_service_text(c).s);
	if (!l.cut || strlen(head) + strlen(who.s) + strlen(ends) + strlen(rest) <= l.width) {
		lines_put(&l, ink, "%s%s%s%s", head, who.s, ends, rest);
		return;
	}
	lines_put(&l, ink, "%s%s", head, ends);
	lines_put(&l, ink, "%*s%s%s", CLOCK_WIDTH, "", who.s, rest);
}

/* ---- the summary ---- */

static void put_label(struct lines *l, const char *label, const char *text, unsigned max_lines)
{
	char head[LABEL_WIDTH + 1];

	if (!text[0])
		return;
	snprintf(head, sizeof(head), "%*s%-*s", LABEL_INDENT, "", LABEL_WIDTH - LABEL_INDENT, label);
	lines_wrap(l,
		   &(struct paragraph){
			   .head = head, .text = text, .ink = INK_DIM, .indent = LABEL_WIDTH, .max_lines = max_lines});
}

static enum ink ink_of(const struct finding *f)
{
	switch (f->severity) {
	case SEV_CRIT:
		return INK_RED;
	case SEV_WARN:
		return INK_YELLOW;
	case SEV_INFO:
		return INK_BOLD;
	}
	must_not_reach("no such severity");
}

static void put_cause(struct lines *l, const struct finding *f, bool verbose)
{
	char head[160], sure[256];

	snprintf(head, sizeof(head), "  %s ", f->verdict[0] ? f->verdict : f->rule->id);
	lines_wrap(l, &(struct paragraph){.head = head,
					  .text = f->what,
					  .ink = ink_of(f),
					  .indent = LABEL_INDENT,
					  .max_lines = LINES_NO_LIMIT});
	put_label(l, "because", f->evidence, LINES_NO_LIMIT);
	if (f->confidence == CONF_CERTAIN) {
		put_label(l, "try", f->raise, LINES_NO_LIMIT);
	} else {
		snprintf(sure, sizeof(sure), "%s%s%s", confidence_name(f->confidence),
			 f->raise[0] ? "; surer with: " : "", f->raise);
		put_label(l, "certainty", sure, LINES_NO_LIMIT);
	}
	if (!strstr(f->what, f->process))
		put_label(l, "process", f->process, 1);
	for (size_t i = 0; i < f->n_remedies && (verbose || (i < REMEDIES_SHOWN && f->severity > SEV_INFO)); i++) {
		char check[256];

		put_label(l, i ? "or" : "fix", f->remedies[i].action, LINES_NO_LIMIT);
		snprintf(check, sizeof(check), "check: %s", f->remedies[i].precondition);
		if (f->remedies[i].precondition[0])
			put_label(l, "", check, LINES_NO_LIMIT);
		if (f->remedies[i].command[0])
			lines_command(l, LABEL_WIDTH, f->remedies[i].command);
	}
	for (size_t i = 0; verbose && i < NEVER_MAX && f->rule->never[i]; i++)
		put_label(l, i ? "" : "do not", f->rule->never[i], LINES_NO_LIMIT);
	if (verbose || f->severity > SEV_INFO)
		lines_put(l, INK_DIM, "    %-10slastack explain %s", "more", f->rule->id);
}

static void put_first(char *s, size_t cap, const struct service *v, enum side side)
{
	const struct closes *k = &v->closes[side];

	if (!k->fin && !k->rst)
		return;
	append(s, cap, "; %s closed first %s", side_name(side), num(k->fin + k->rst).s);
	if (k->rst)
		append(s, cap, " (%s by RST)", num(k->rst).s);
}

/* "shop[812]"; "curl" where many processes did; "" unknown, or several programs. */
static struct who_text opener_of(const struct service *v)
{
	struct conn_proc p = talkers_most(&v->opener, v->conns);
	struct who_text w = {""};

	if (v->opener.comm[1].n)
		return w;
	if (p.pid)
		snprintf(w.s, sizeof(w.s), "%.16s[%u]", p.comm, p.pid);
	else
		snprintf(w.s, sizeof(w.s), "%.16s", p.comm);
	return w;
}

static void put_service(struct lines *l, const struct service *v)
{
	char text[400], head[sizeof(struct service_text) + 2];

	snprintf(head, sizeof(head), "%s  ", service_text(v).s);
	snprintf(text, sizeof(text), "%s connection%s", num(v->conns).s, v->conns == 1 ? "" : "s");
	if (v->open > v->closing)
		append(text, sizeof(text), " (%s still open)", num(v->open - v->closing).s);
	if (v->closing)
		append(text, sizeof(text), " (%s still closing)", num(v->closing).s);
	if (v->failed)
		append(text, sizeof(text), " (%s failed to open)", num(v->failed).s);
	if (v->whole)
		append(text, sizeof(text), "; requests %.1f each, %u at most", service_mean_requests(v), v->most);
	put_first(text, sizeof(text), v, SIDE_CLIENT);
	put_first(text, sizeof(text), v, SIDE_SERVER);
	if (v->timeouts)
		append(text, sizeof(text), "; %s timed out", num(v->timeouts).s);
	if (opener_of(v).s[0])
		append(text, sizeof(text), "; opened by %s", opener_of(v).s);
	lines_wrap(l, &(struct paragraph){
			      .head = head, .text = text, .ink = INK_BOLD, .indent = 2, .max_lines = LINES_NO_LIMIT});
}

bool finding_is_about(const struct finding *f, const struct service *v)
{
	return f->netns_inode == v->netns && strcmp(f->service, service_text(v).s) == 0;
}

static const struct service *service_about(const struct services *s, const struct finding *f)
{
	for (size_t i = 0; i < s->n; i++)
		if (finding_is_about(f, s->v[i]))
			return s->v[i];
	return NULL;
}

/* Services in the order of their gravest finding, each once. What the other end tells better is told there. */
static bool told_before(const struct findings *f, size_t i)
{
	if (f->v[i].same_as[0])
		return true;
	for (size_t k = 0; k < i; k++)
		if (!f->v[k].same_as[0] && f->v[k].netns_inode == f->v[i].netns_inode &&
		    strcmp(f->v[k].service, f->v[i].service) == 0)
			return true;
	return false;
}

static bool has_own(const struct findings *f, const struct service *v)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].same_as[0] && finding_is_about(&f->v[i], v))
			return true;
	return false;
}

/* Both ends of a connection on this host are two records, and two services. */
static void put_other_end(struct lines *l, const struct services *s, const struct findings *f, const struct service *v)
{
	const struct service *w = services_other_end(s, v);
	struct who_text by = {""};

	if (!w)
		return;
	if (w->local == SIDE_CLIENT && !has_own(f, w))
		by = opener_of(w);
	lines_put(l, INK_DIM, "  the other end, %s%s, %s%s%s", service_text(w).s,
		  w->netns == v->netns ? "" : " (another netns)",
		  has_own(f, w) ? "tells more: see there" : "says the same", by.s[0] ? "; opened by " : "", by.s);
}

static void put_window(struct lines *l, const struct services *s)
{
	size_t twice = 0;

	for (size_t i = 0; i < s->n; i++)
		twice += s->v[i]->local == SIDE_CLIENT && services_other_end(s, s->v[i]);
	if (s->conns == 0)
		lines_put(l, INK_DIM, "no TCP connection %s in %s", s->live ? "ended" : "was seen",
			  seconds_text(services_window_s(s)).s);
	else
		lines_put(l, INK_DIM, "%s %s, %zu service%s, in %s", num(s->conns).s,
			  twice           ? "ends of connections"
			  : s->conns == 1 ? "connection"
					  : "connections",
			  s->n - twice, s->n - twice == 1 ? "" : "s", seconds_text(services_window_s(s)).s);
	if (twice)
		lines_put(l, INK_DIM, "%s seen from both ends: \"on\" by the server, \"to\" by its clients",
			  num(twice).s);
	if (s->lost)
		lines_put(l, INK_YELLOW, "%s more could not be followed: figures are too low", num(s->lost).s);
	if (s->unseen)
		lines_put(l, INK_DIM, "%s reads, RSTs, retransmissions or names were missed: some details may be wrong",
			  num(s->unseen).s);
	if (s->dropped)
		lines_put(l, INK_YELLOW, "%s connections of services past the first %d were not judged",
			  num(s->dropped).s, SERVICES_MAX);
}

void report_services_text(FILE *out, const struct services *s, const struct findings *f, const struct style *st)
{
	struct lines l = lines_of(out, st);
	size_t shown = 0, services = 0;

	put_window(&l, s);
	for (size_t i = 0; i < f->n; i++) {
		const struct service *v = service_about(s, &f->v[i]);

		if (!v || told_before(f, i))
			continue;
		services++;
		if (!st->verbose && shown == SERVICES_SHOWN)
			continue;
		shown++;
		lines_blank(&l);
		put_service(&l, v);
		for (size_t k = i; k < f->n; k++)
			if (!f->v[k].same_as[0] && finding_is_about(&f->v[k], v))
				put_cause(&l, &f->v[k], st->verbose);
		put_other_end(&l, s, f, v);
	}
	if (services > shown)
		lines_put(&l, INK_DIM, "... and %zu more services: -v", services - shown);
	if (f->dropped)
		lines_put(&l, INK_YELLOW, "... and %zu findings that found no room", f->dropped);
}
