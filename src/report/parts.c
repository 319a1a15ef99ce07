/* SPDX-License-Identifier: MIT */
#include "report/parts.h"

#include <time.h>

#include "base/text.h"

struct lines lines_of(FILE *out, const struct style *st)
{
	return (struct lines){.out = out, .width = st->width, .colour = st->colour, .cut = !st->verbose};
}

static struct wall_text wall(int64_t wall_s, const char *separator, const char *zone)
{
	struct wall_text t = {"unknown time"};
	time_t when = (time_t)wall_s;
	struct tm tm;

	if (gmtime_r(&when, &tm)) /* NULL for a year that does not fit, which a saved file may claim */
		snprintf(t.s, sizeof(t.s), "%04d-%02d-%02d%s%02d:%02d:%02d%s", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, separator, tm.tm_hour, tm.tm_min, tm.tm_sec, zone);
	return t;
}

struct wall_text wall_text(int64_t wall_s) { return wall(wall_s, " ", " UTC"); }

struct wall_text wall_json(int64_t wall_s) { return wall(wall_s, "T", "Z"); }

struct ip_text ip_port_cut(struct ip addr, uint16_t port, size_t columns)
{
	struct ip_text t = ip_port_text(addr, port);
	char tail[16];

	snprintf(tail, sizeof(tail), "..:%u", port);
	if (strlen(t.s) > columns && columns >= strlen(tail))
		snprintf(t.s + columns - strlen(tail), sizeof(tail), "%s", tail);
	return t;
}

bool names_matter(const struct observation *o)
{
	const struct snapshot *s = observation_now(o);

	return s->n_netns > 1 || (s->n_netns == 1 && strcmp(s->netns[0].name, "host") != 0);
}

void put_host(struct lines *l, const struct observation *o)
{
	const struct snapshot *s = observation_now(o);
	char spaces[40] = "", how[48] = "looked once";

	if (s->n_netns != 1)
		snprintf(spaces, sizeof(spaces), ", %zu namespaces", s->n_netns);
	if (o->n == 2)
		snprintf(how, sizeof(how), "over %.1f s", observation_interval_s(o));
	lines_put(l, INK_DIM, "%s, Linux %s, %s%s, %s", s->hostname[0] ? s->hostname : "?", s->kernel,
		  wall_text(s->wall_s).s, spaces, how);
}

/* Rows of the host, then of each namespace; the same `what` of several namespaces counts once. */
struct missing_iter {
	const struct snapshot *s;
	size_t ns, row; /* ns 0 is the host, i is netns[i - 1] */
};

static const struct missing *missing_next(struct missing_iter *it, const struct netns **ret_ns)
{
	while (it->ns <= it->s->n_netns) {
		const struct netns *ns = it->ns ? &it->s->netns[it->ns - 1] : NULL;

		if (it->row < (ns ? ns->n_missing : it->s->n_missing)) {
			*ret_ns = ns;
			return &(ns ? ns->missing : it->s->missing)[it->row++];
		}
		it->ns++;
		it->row = 0;
	}
	return NULL;
}

bool report_is_blind(const struct observation *obs)
{
	const struct netns *ns;
	const struct missing *m;

	if (obs->n == 0)
		return true;
	for (struct missing_iter it = {.s = observation_now(obs)}; (m = missing_next(&it, &ns));)
		if (m->blind)
			return true;
	return false;
}

enum { WHATS = 8 };

/* The first few different things that could not be seen; returns how many there are, at most WHATS. */
static size_t blind_whats(const struct observation *o, const struct missing *ret[WHATS])
{
	const struct netns *ns;
	const struct missing *m;
	size_t n = 0;

	for (struct missing_iter it = {.s = observation_now(o)}; n < WHATS && (m = missing_next(&it, &ns));) {
		bool said = !m->blind;

		for (size_t i = 0; i < n; i++)
			said |= strcmp(ret[i]->what, m->what) == 0;
		if (!said)
			ret[n++] = m;
	}
	return n;
}

static void put_missing_line(struct lines *l, const struct observation *o)
{
	const struct missing *what[WHATS];
	size_t n = blind_whats(o, what);
	char full[1024] = "not seen: ", brief[1024] = "not seen: ";

	if (!n)
		return;
	for (size_t i = 0; i < n; i++) {
		append(full, sizeof(full), "%s%s (%s)", i ? ", " : "", what[i]->what, what[i]->why);
		append(brief, sizeof(brief), "%s%s", i ? ", " : "", what[i]->what);
	}
	append(brief, sizeof(brief), "; see lastack capabilities");
	lines_put(l, INK_YELLOW, "%s", columns_of(full) <= l->width ? full : brief);
}

void put_missing(struct lines *l, const struct observation *o, bool verbose)
{
	struct missing_iter it = {.s = observation_now(o)};
	const struct missing *m;
	const struct netns *ns;

	if (!verbose) {
		put_missing_line(l, o);
		return;
	}
	while ((m = missing_next(&it, &ns))) {
		char head[160], text[320];

		snprintf(head, sizeof(head), "%s%s%s: ", m->blind ? "not seen" : "not available", ns ? " in " : "",
			 ns ? ns->name : "");
		snprintf(text, sizeof(text), "%s (%s)%s%s", m->what, m->why, m->lost[0] ? "; lost: " : "", m->lost);
		lines_wrap(l, &(struct paragraph){.head = head,
						  .text = text,
						  .ink = m->blind ? INK_YELLOW : INK_DIM,
						  .indent = 4,
						  .max_lines = LINES_NO_LIMIT});
	}
}

void json_states(struct json *j, const struct state_counts *c)
{
	json_object(j);
	for (unsigned i = 0; i < N_STATES; i++)
		json_kv_uint(j, state_descs[i].json, c->n[i]);
	json_object_end(j);
}

void json_missing(struct json *j, const struct missing *v, size_t n, const char *netns)
{
	for (size_t i = 0; i < n; i++) {
		json_object(j);
		json_kv_str(j, "what", v[i].what);
		json_kv_str(j, "why", v[i].why);
		json_kv_str(j, "lost", v[i].lost);
		json_kv_bool(j, "blind", v[i].blind);
		json_kv_str(j, "netns", netns);
		json_object_end(j);
	}
}

void json_header(struct json *j, const struct observation *o)
{
	const struct snapshot *s = observation_now(o);

	json_kv_uint(j, "schema", 1);
	json_kv_str(j, "kernel", s->kernel);
	json_kv_str(j, "hostname", s->hostname);
	json_kv_str(j, "time", wall_json(s->wall_s).s);
	json_kv_real(j, "interval_s", observation_interval_s(o));
}
