/* SPDX-License-Identifier: MIT */
#include "report/closes.h"
#include "report/parts.h"
#include <time.h>

static void kv_name(struct json *j, const char *key, const char *s) { json_kv_str(j, key, s[0] ? s : NULL); }

static void kv_known(struct json *j, const char *key, bool known, uint64_t v)
{
	json_key(j, key);
	if (known)
		json_uint(j, v);
	else
		json_null(j);
}

static double seconds(nsec_t t) { return (double)t / (double)NSEC_PER_S; }

/* ---- one close ---- */

/* ISO 8601 with microseconds, UTC; null: unknown. */
static void kv_time(struct json *j, const char *key, nsec_t t, int64_t to_wall_ns)
{
	int64_t ns = (int64_t)t + to_wall_ns;
	struct wall_text w;
	time_t s = (time_t)(ns / (int64_t)NSEC_PER_S);
	struct tm tm;

	if (!t || ns <= 0 || !gmtime_r(&s, &tm)) {
		json_kv_str(j, key, NULL);
		return;
	}
	snprintf(w.s, sizeof(w.s), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ns % (int64_t)NSEC_PER_S / 1000));
	json_kv_str(j, key, w.s);
}

static void kv_proc(struct json *j, const char *key, const struct conn_proc *p)
{
	json_key(j, key);
	if (!p->pid) {
		json_null(j);
		return;
	}
	json_object(j);
	json_kv_uint(j, "pid", p->pid);
	json_kv_str(j, "comm", p->comm);
	json_kv_uint(j, "cgroup", p->cgroup);
	json_object_end(j);
}

static void json_live(struct json *j, const struct conn *c)
{
	json_kv_str(j, "local", side_name(c->local));
	json_kv_uint(j, "netns", c->netns);
	json_kv_uint(j, "cookie", c->cookie);
	kv_proc(j, "opener", &c->opener);
	kv_proc(j, "closer", &c->closer);
	json_kv_str(j, "call", close_call_name(c->call));
	json_kv_int(j, "errno", c->error);
	json_kv_bool(j, "no_syn", c->no_syn);
	json_key(j, "state_s");
	json_object(j);
	for (unsigned i = 0; i < N_STATES; i++)
		if (c->in_state[i])
			json_kv_real(j, state_descs[i].json, seconds(c->in_state[i]));
	json_object_end(j);
}

static void json_conn(struct json *j, const struct conn *c, int64_t to_wall_ns)
{
	struct conn_why why = conn_why(c);
	enum side closer = conn_closer(c);
	nsec_t gap;

	kv_time(j, "start", (c->seen & SEEN_SYN) ? c->start : 0, to_wall_ns);
	kv_time(j, "closed", conn_closed_at(c), to_wall_ns);
	kv_time(j, "end", c->end, to_wall_ns);
	json_kv_str(j, "client", ip_port_text(c->addr[SIDE_CLIENT], c->port[SIDE_CLIENT]).s);
	json_kv_str(j, "server", conn_service_text(c).s);
	json_kv_bool(j, "whole", conn_is_whole(c));
	json_kv_str(j, "how", conn_end_name(c->how));
	json_kv_str(j, "first", c->first == SIDE_NONE ? NULL : side_name(c->first));
	json_kv_str(j, "began", closer == SIDE_NONE ? NULL : side_name(closer));
	json_kv_str(j, "rst_kind", c->rst_kind == RST_NONE ? NULL : rst_kind_name(c->rst_kind));
	kv_name(j, "why", why.s);
	json_kv_bool(j, "crossed", c->crossed);
	json_kv_bool(j, "unanswered", c->unanswered);
	json_kv_bool(j, "late_data", c->late_data != 0);
	json_kv_bool(j, "half_close_data", c->half_close_data != 0);
	kv_known(j, "requests", conn_requests_known(c), conn_requests(c));
	kv_known(j, "exchanges", conn_requests_known(c), c->exchanges);
	json_key(j, "idle_s");
	if (conn_gap(c, &gap))
		json_real(j, seconds(gap));
	else
		json_null(j);
	json_kv_uint(j, "client_bytes", c->bytes[SIDE_CLIENT]);
	json_kv_uint(j, "server_bytes", c->bytes[SIDE_SERVER]);
	json_kv_uint(j, "retransmits", (uint64_t)c->retransmits[SIDE_CLIENT] + c->retransmits[SIDE_SERVER]);
	json_kv_real(j, "rtt_s", seconds(c->rtt));
	json_kv_bool(j, "tls", (c->seen & SEEN_TLS) != 0);
	json_kv_bool(j, "headers", (c->seen & SEEN_HEADERS) != 0);
	kv_known(j, "status", c->status, c->status);
}

void report_close_json(struct json *j, const struct conn *c, int64_t to_wall_ns)
{
	json_object(j);
	json_conn(j, c, to_wall_ns);
	if (c->local != SIDE_NONE)
		json_live(j, c);
	json_object_end(j);
}

/* ---- the summary ---- */

static void kv_quantiles(struct json *j, const char *key, const struct samples *s)
{
	json_key(j, key);
	json_object(j);
	json_kv_uint(j, "n", s->seen);
	json_kv_real(j, "p10", seconds(samples_quantile(s, 0.1)));
	json_kv_real(j, "p50", seconds(samples_quantile(s, 0.5)));
	json_kv_real(j, "p90", seconds(samples_quantile(s, 0.9)));
	json_object_end(j);
}

static void json_closes(struct json *j, const struct closes *k)
{
	json_object(j);
	json_kv_uint(j, "fin", k->fin);
	json_kv_uint(j, "rst", k->rst);
	json_kv_uint(j, "prompt", k->prompt);
	json_kv_uint(j, "unused", k->unused);
	json_kv_uint(j, "unanswered", k->unanswered);
	json_kv_uint(j, "fin_then_rst", k->fin_then_rst);
	json_kv_uint(j, "half_close", k->half_close);
	kv_quantiles(j, "idle_s", &k->gap);
	kv_quantiles(j, "fin_stood_s", &k->ignored);
	json_key(j, "processes");
	json_array(j);
	for (size_t i = 0; i < TALKERS && k->by.pid[i].n; i++) {
		const struct talker *t = &k->by.pid[i];

		json_object(j);
		json_kv_uint(j, "pid", t->proc.pid);
		json_kv_str(j, "comm", t->proc.comm);
		json_kv_uint(j, "cgroup", t->proc.cgroup);
		json_kv_uint(j, "closes", t->n - t->over);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void json_service(struct json *j, const struct service *v, const struct findings *f)
{
	json_object(j);
	json_kv_str(j, "service", service_text(v).s);
	json_kv_str(j, "address", ip_text(v->addr).s);
	json_kv_uint(j, "port", v->port);
	json_kv_str(j, "local", v->local == SIDE_NONE ? NULL : side_name(v->local));
	json_kv_uint(j, "netns", v->netns);
	json_kv_uint(j, "connections", v->conns);
	json_kv_uint(j, "open", v->open);
	json_kv_uint(j, "closing", v->closing);
	json_kv_uint(j, "whole", v->whole);
	json_kv_uint(j, "failed", v->failed);
	json_kv_uint(j, "refused", v->refused);
	json_kv_uint(j, "no_port", v->no_port);
	json_kv_uint(j, "no_syn", v->no_syn);
	json_kv_uint(j, "timeouts", v->timeouts);
	json_kv_uint(j, "crossed", v->crossed);
	json_kv_uint(j, "requests", v->requests);
	json_kv_uint(j, "requests_most", v->most);
	json_kv_uint(j, "connections_at_most", v->at_most);
	json_kv_uint(j, "lost_requests", v->stale);
	json_kv_uint(j, "retransmits", v->retransmits);
	kv_name(j, "server", v->server);
	kv_name(j, "agent", v->agent);
	kv_quantiles(j, "life_s", &v->life);
	json_key(j, "client_first");
	json_closes(j, &v->closes[SIDE_CLIENT]);
	json_key(j, "server_first");
	json_closes(j, &v->closes[SIDE_SERVER]);
	json_key(j, "verdicts");
	json_array(j);
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].verdict[0] && finding_is_about(&f->v[i], v))
			json_str(j, f->v[i].verdict);
	json_array_end(j);
	json_object_end(j);
}

void report_services_json(struct json *j, const struct services *s, const struct findings *f)
{
	json_kv_real(j, "window_s", services_window_s(s));
	json_kv_bool(j, "live", s->live);
	json_kv_uint(j, "connections", s->conns);
	json_kv_uint(j, "lost", s->lost);
	json_kv_uint(j, "not_judged", s->dropped);
	json_key(j, "services");
	json_array(j);
	for (size_t i = 0; i < s->n; i++)
		json_service(j, s->v[i], f);
	json_array_end(j);
	json_findings(j, f);
}
