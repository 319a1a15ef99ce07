/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "diag/held.h"
#include "diag/rules.h"
#include "diag/worst.h"
#include <math.h>

/* signatures.md R20, R21 */
#define RESET_PER_S_MIN 1.0
#define UNREAD_SHARE_MIN 0.01 /* of all closes: below it are cancelled downloads and clients that exit */
#define LINGER_SHARE_MIN 0.5 /* of the closes this host begins */
#define LINGER_RST_SHARE_MIN 0.8 /* of the RSTs sent: else they come from somewhere else (closed ports) */
/*
 * Of those aborts, how many connections went from ESTABLISHED or CLOSE_WAIT to CLOSE (RFC 4022 tcpEstabResets): a linger-0
 * close does. What answers a TLS client's close_notify after the server's FIN is counted as TCPAbortOnData, too, and does not.
 */
#define LINGER_ESTAB_SHARE_MIN 0.5

static double rate_or_0(const struct view *v, const char *counter)
{
	double per_s = 0;

	view_rate(v, counter, &per_s);
	return per_s;
}

/*
 * Closes per second of either side. No counter tells a passive close, so this is the greater of what ended visibly
 * (TIME_WAITs made, connections reset) and of what began: in the long run as many connections end as begin.
 */
static double closes_per_s(const struct view *v)
{
	double ended = rate_or_0(v, "TW") + rate_or_0(v, "Tcp.EstabResets");
	double begun = rate_or_0(v, "Tcp.ActiveOpens") + rate_or_0(v, "Tcp.PassiveOpens");

	return fmax(ended, begun);
}

static uint32_t live(const struct state_counts *c)
{
	return c->n[ST_ESTABLISHED] + c->n[ST_CLOSE_WAIT] + c->n[ST_FIN_WAIT_1] + c->n[ST_FIN_WAIT_2] +
	       c->n[ST_LAST_ACK];
}

enum { SUSPECTS_SHOWN = 3 };

/* Counters name no process. Who accepts connections here may be it; the one with most of them is named first. */
static void add_listeners(struct worst *w, const struct netns *ns, bool with_connections)
{
	for (size_t i = 0; i < ns->n_listeners; i++) {
		uint64_t n = live(&ns->listeners[i].states);

		if (ns->listeners[i].listening && (n > 0) == with_connections)
			worst_add(w, i, (double)n);
	}
}

static void say_suspects(struct finding *f, const struct view *v)
{
	const struct netns *ns = v->now;
	struct worst w = {0};

	add_listeners(&w, ns, true);
	if (!w.n) /* short connections are over before anybody looks: then it is whoever listens */
		add_listeners(&w, ns, false);
	for (size_t k = 0; k < w.n && k < SUSPECTS_SHOWN; k++) {
		const struct listener *l = &ns->listeners[w.v[k].row];

		append(f->evidence, sizeof(f->evidence), "%s%s on %s (%s open)",
		       k ? ", " : "; suspects: ", held_who(v, l->proc).s, ip_port_text(l->addr, l->port).s,
		       num(live(&l->states)).s);
	}
	if (w.n == 1 && !w.more)
		SAY(f->process, "%s", proc_text(snapshot_proc(v->host, ns->listeners[w.v[0].row].proc)).s);
}

static void eval_RST001(const struct rule *self, const struct view *v, struct findings *out)
{
	double unread, all = closes_per_s(v);
	struct finding *f;
	struct remedy *m;

	if (!view_rate(v, "TCPAbortOnClose", &unread))
		return;
	all = fmax(all, unread);
	if (unread < RESET_PER_S_MIN || unread < all * UNREAD_SHARE_MIN)
		return;
	f = findings_add(out, self, v, SEV_WARN, STAGE_LOSING);
	f->weight = unread;
	SAY(f->what,
	    "%s closes/s with unread data, %s of all: each sends a RST instead of a FIN, which can destroy the answer "
	    "on its way (of 400 kB clients got 25 to 60 %%)",
	    rate_text(unread).s, percent_text(unread, all).s);
	SAY(f->evidence, "TCPAbortOnClose %s/s >= %.0f/s and >= %.0f %% of %s closes/s", rate_text(unread).s,
	    RESET_PER_S_MIN, UNREAD_SHARE_MIN * 100, rate_text(all).s);
	say_suspects(f, v);
	f->confidence = CONF_MEDIUM;
	SAY(f->raise, "the process: perf trace -e tcp:tcp_send_reset (reason 11, TCP_ABORT_ON_CLOSE); a client that "
		      "cancels or exits is harmless");
	m = finding_remedy(f,
			   "Close lingering in the server: shutdown(fd, SHUT_WR), read until 0 with a time limit, then "
			   "close()");
	SAY(m->precondition, "a server answers before it has read the whole request: early 4xx, 413, failed login");
	SAY(m->risk, "a client that never stops sending: keep the time limit");
	m = finding_remedy(f, "Where a proxy does it, switch its draining on: nginx lingering_close on");
	SAY(m->precondition, "the suspect is nginx and lingering_close was switched off");
}

const struct rule rule_RST001 = {
	.id = "RST001",
	.title = "connections closed with unread data",
	.never = {"SO_LINGER does not help: close() with unread data sends a RST whatever it says",
		  "a sleep before close() only makes the loss rarer"},
	.eval = eval_RST001,
};

static bool is_haproxy(const struct view *v, int32_t proc)
{
	const struct proc *p = snapshot_proc(v->host, proc);

	return p && strcmp(p->comm, "haproxy") == 0;
}

static bool haproxy_is_here(const struct view *v)
{
	for (size_t i = 0; i < v->now->n_listeners; i++)
		if (is_haproxy(v, v->now->listeners[i].proc))
			return true;
	for (size_t i = 0; i < v->now->n_dests; i++)
		if (is_haproxy(v, v->now->dests[i].proc))
			return true;
	return false;
}

static void remedy_no_linger(struct finding *f, const struct view *v, int32_t proc)
{
	struct remedy *m;

	if (is_haproxy(v, proc)) {
		finding_remedy(f, "Remove \"option nolinger\" from the frontend; "
				  "against TIME_WAIT towards servers it may stay in that backend alone");
		return;
	}
	m = finding_remedy(f, "Remove SO_LINGER with time 0; close() alone sends what is left and a FIN");
	SAY(m->precondition, "PORT001 and TW002 are silent, if it was put there against TIME_WAIT");
	SAY(m->risk, "its TIME_WAITs come back; on a listening port they are harmless");
}

static bool is_linger_0(const struct sockopts *o) { return o->known && o->linger_s == 0; }

/* Proof: the option is set on the socket itself, and accepted sockets inherit it. */
static struct finding *say_linger(const struct rule *self, const struct view *v, int32_t proc, const char *place,
				  struct findings *out)
{
	struct finding *f = findings_add(out, self, v, SEV_WARN, STAGE_LOSING);

	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, proc)).s);
	SAY(f->what,
	    "%s%s has SO_LINGER on with time 0: every close() is a RST that throws unsent data away, of 400 kB "
	    "clients got 27 to 57 %%",
	    held_who(v, proc).s, place);
	SAY(f->evidence, "getsockopt(SO_LINGER) of its socket = {1, 0}");
	remedy_no_linger(f, v, proc);
	return f;
}

/* One finding for a process and side of it is enough; w holds listeners, then holders. */
static bool is_told(const struct netns *ns, const struct worst *w, const struct holder *h)
{
	for (size_t k = 0; k < w->n; k++) {
		size_t i = w->v[k].row;

		if (i < ns->n_listeners ? ns->listeners[i].port == h->lport && ns->listeners[i].proc == h->proc
					: ns->holders[i - ns->n_listeners].proc == h->proc &&
						  !ns->holders[i - ns->n_listeners].lport == !h->lport)
			return true;
	}
	return false;
}

static size_t tell_linger(const struct rule *self, const struct view *v, struct findings *out)
{
	const struct netns *ns = v->now;
	struct finding *f = NULL;
	struct worst w = {0};

	for (size_t i = 0; i < ns->n_listeners; i++)
		if (is_linger_0(&ns->listeners[i].opts))
			worst_add(&w, i, (double)state_counts_sum(&ns->listeners[i].states));
	for (size_t i = 0; i < ns->n_holders; i++)
		if (is_linger_0(&ns->holders[i].opts) && !is_told(ns, &w, &ns->holders[i]))
			worst_add(&w, ns->n_listeners + i, ns->holders[i].n);
	for (size_t k = 0; k < w.n; k++) {
		size_t i = w.v[k].row;
		char place[sizeof(struct held_text) + 1]; /* with a blank before it; "" unknown, as of a dead socket */

		if (i < ns->n_listeners) {
			const struct listener *l = &ns->listeners[i];

			SAY(place, " on %s", ip_port_text(l->addr, l->port).s);
			f = say_linger(self, v, l->proc, place, out);
		} else {
			const struct holder *h = &ns->holders[i - ns->n_listeners];

			SAY(place, "%s%s", held_place(h).s[0] ? " " : "", held_place(h).s);
			f = say_linger(self, v, h->proc, place, out);
			if (is_haproxy(v, h->proc) && !h->lport) {
				f->severity = SEV_INFO;
				SAY(f->what,
				    "%s%s resets its connections (SO_LINGER with time 0), as it does towards "
				    "servers after the whole answer",
				    held_who(v, h->proc).s, place);
			}
		}
		f->weight = w.v[k].weight;
	}
	if (f)
		finding_more(f, w.more, "socket group");
	return w.n;
}

static void eval_RST002(const struct rule *self, const struct view *v, struct findings *out)
{
	double aborts, rsts, begun, torn;
	bool benign = haproxy_is_here(v);
	struct finding *f;

	if (tell_linger(self, v, out))
		return;
	if (!view_rate(v, "TCPAbortOnData", &aborts) || !view_rate(v, "Tcp.OutRsts", &rsts))
		return;
	begun = aborts + rate_or_0(v, "TW") + rate_or_0(v, "TCPTimeWaitOverflow") + rate_or_0(v, "TCPAbortOnClose");
	if (aborts < RESET_PER_S_MIN || aborts < rsts * LINGER_RST_SHARE_MIN || aborts < begun * LINGER_SHARE_MIN)
		return;
	if (view_rate(v, "Tcp.EstabResets", &torn) && torn < aborts * LINGER_ESTAB_SHARE_MIN)
		return;
	f = findings_add(out, self, v, benign ? SEV_INFO : SEV_WARN, STAGE_LOSING);
	f->weight = aborts;
	SAY(f->what,
	    "%s closes/s are resets without TIME_WAIT, as SO_LINGER with time 0 makes them: unsent data is lost%s",
	    rate_text(aborts).s, benign ? "; haproxy does so towards servers, after the whole answer" : "");
	SAY(f->evidence,
	    "TCPAbortOnData %s/s >= %.0f/s, >= %.0f %% of OutRsts %s/s and >= %.0f %% of %s closes/s begun here",
	    rate_text(aborts).s, RESET_PER_S_MIN, LINGER_RST_SHARE_MIN * 100, rate_text(rsts).s, LINGER_SHARE_MIN * 100,
	    rate_text(begun).s);
	say_suspects(f, v);
	f->confidence = benign ? CONF_LOW : CONF_MEDIUM;
	SAY(f->raise, "the process: perf trace -e tcp:tcp_send_reset (reason 14, TCP_STATE); health checkers reset on "
		      "purpose");
	remedy_no_linger(f, v, -1);
}

const struct rule rule_RST002 = {
	.id = "RST002",
	.title = "closes that reset: SO_LINGER with time 0",
	.never = {"SO_LINGER with time 0 is no cure for TIME_WAIT: 27 to 57 % of 400 kB arrived, and 0 % of 1 kB at "
		  "event-driven clients",
		  "haproxy's option nolinger in defaults or on a frontend truncates answers"},
	.eval = eval_RST002,
};
