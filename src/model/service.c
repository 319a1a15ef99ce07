/* SPDX-License-Identifier: MIT */
#include "model/service.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/pairs.h"

void services_init(struct services *s, uint64_t seed)
{
	*s = (struct services){0};
	rng_seed(&s->rng, seed);
	s->key = (struct hash_key){rng_u64(&s->rng), rng_u64(&s->rng)};
}

void services_done(struct services *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	pairs_free(s->pairs);
	*s = (struct services){0};
}

/* ---- which service ---- */

enum { FAILED_FEW = 10, ROOM_TRIES = 32 };

static bool is_of(const struct service *v, const struct conn *c)
{
	return v->port == c->port[SIDE_SERVER] && ip_eq(v->addr, c->addr[SIDE_SERVER]) && v->local == c->local &&
	       v->netns == c->netns;
}

static size_t hash_of(const struct services *s, struct ip addr, uint16_t port, enum side local, uint64_t netns)
{
	struct {
		uint64_t netns;
		uint8_t addr[16];
		uint16_t port;
		uint8_t family, local;
		uint32_t zero;
	} k = {.netns = netns, .port = port, .family = addr.family, .local = (uint8_t)local};

	memcpy(k.addr, addr.b, sizeof(k.addr));
	return (size_t)(hash_bytes(s->key, &k, sizeof(k)) % SERVICE_SLOTS);
}

/* Nothing but a few failed opens, such as a port scan leaves: it has no verdict, and no other service refers to it. */
static bool may_go(const struct service *v)
{
	return v->conns == v->failed && v->failed < FAILED_FEW && !v->no_port && !v->late_alone;
}

/* Takes a service out of the table; what follows it there closes the gap (Knuth's algorithm R). */
static void unlink_service(struct services *s, const struct service *v)
{
	size_t gap = hash_of(s, v->addr, v->port, v->local, v->netns);

	while (s->slot[gap] != v->index + 1)
		gap = (gap + 1) % SERVICE_SLOTS;
	for (size_t at = (gap + 1) % SERVICE_SLOTS; s->slot[at]; at = (at + 1) % SERVICE_SLOTS) {
		const struct service *w = s->v[s->slot[at] - 1];
		size_t home = hash_of(s, w->addr, w->port, w->local, w->netns);

		if ((at + SERVICE_SLOTS - home) % SERVICE_SLOTS < (at + SERVICE_SLOTS - gap) % SERVICE_SLOTS)
			continue;
		s->slot[gap] = s->slot[at];
		gap = at;
	}
	s->slot[gap] = 0;
}

/* A service that made room for another, zeroed; NULL: none of the next few may go. */
static struct service *make_room(struct services *s)
{
	for (unsigned i = 0; i < ROOM_TRIES; i++) {
		struct service *v = s->v[s->hand];

		s->hand = (s->hand + 1) % SERVICES_MAX;
		if (!may_go(v))
			continue;
		unlink_service(s, v);
		s->dropped += v->conns;
		*v = (struct service){.index = v->index};
		return v;
	}
	return NULL;
}

/* One more; *ret NULL: there is no room. 0 or -ENOMEM. */
static int service_new(struct services *s, struct service **ret)
{
	struct service *v;

	if (s->n == SERVICES_MAX) {
		*ret = make_room(s);
		return 0;
	}
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->index = (uint16_t)s->n;
	s->v[s->n++] = v;
	*ret = v;
	return 0;
}

/* *ret: the service of c, made if need be; NULL if there is no room for one more. 0 or -ENOMEM. */
static int service_of(struct services *s, const struct conn *c, struct service **ret)
{
	const size_t home = hash_of(s, c->addr[SIDE_SERVER], c->port[SIDE_SERVER], c->local, c->netns);
	size_t at = home;
	int err;

	for (; s->slot[at]; at = (at + 1) % SERVICE_SLOTS) {
		*ret = s->v[s->slot[at] - 1];
		if (is_of(*ret, c))
			return 0;
	}
	err = service_new(s, ret);
	if (err || !*ret)
		return err;
	(*ret)->addr = c->addr[SIDE_SERVER];
	(*ret)->port = c->port[SIDE_SERVER];
	(*ret)->local = c->local;
	(*ret)->netns = c->netns;
	for (at = home; s->slot[at];) /* whoever made room may have moved others */
		at = (at + 1) % SERVICE_SLOTS;
	s->slot[at] = (uint16_t)((*ret)->index + 1);
	return 0;
}

/* ---- counting ---- */

/*
 * Counts of the most frequent in a fixed table (Metwally's "space saving"): a stranger takes the place, and the count,
 * of the least frequent one, so a frequent one is never missed.
 */
static bool is_talker(const struct talker *t, const struct conn_proc *p, bool by_name)
{
	return by_name ? strncmp(t->proc.comm, p->comm, CONN_COMM) == 0 : t->proc.pid == p->pid;
}

static void talker_add(struct talker t[TALKERS], const struct conn_proc *p, bool by_name)
{
	size_t i = 0;

	while (i < TALKERS - 1 && t[i].n && !is_talker(&t[i], p, by_name))
		i++;
	if (t[i].n && !is_talker(&t[i], p, by_name))
		t[i].over = t[i].n;
	t[i].proc = *p;
	t[i].n++;
	for (; i > 0 && t[i].n > t[i - 1].n; i--) {
		struct talker swap = t[i];

		t[i] = t[i - 1];
		t[i - 1] = swap;
	}
}

static void talkers_add(struct talkers *t, const struct conn_proc *p)
{
	if (!p->pid)
		return;
	talker_add(t->pid, p, false);
	talker_add(t->comm, p, true);
}

/* Who certainly did the most of them, as often as that; NULL: nobody is known. */
static const struct talker *surest(const struct talker t[TALKERS], uint64_t *ret_n)
{
	const struct talker *most = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < TALKERS; i++) {
		if (t[i].n - t[i].over <= *ret_n)
			continue;
		most = &t[i];
		*ret_n = t[i].n - t[i].over;
	}
	return most;
}

struct conn_proc talkers_most(const struct talkers *t, uint64_t of)
{
	struct conn_proc r = {0};
	uint64_t n, n_pid;
	const struct talker *name = surest(t->comm, &n), *pid = surest(t->pid, &n_pid);

	if (!name || n * 2 <= of)
		return r;
	memcpy(r.comm, name->proc.comm, sizeof(r.comm));
	if (pid && n_pid * 2 >= of && strncmp(pid->proc.comm, r.comm, CONN_COMM) == 0)
		r.pid = pid->proc.pid;
	return r;
}

static void client_add(struct service *v, struct ip addr)
{
	struct client *t = v->client;
	size_t i = 0;

	while (i < CLIENTS - 1 && t[i].n && !ip_eq(t[i].addr, addr))
		i++;
	if (t[i].n && !ip_eq(t[i].addr, addr))
		t[i].over = t[i].n;
	t[i].addr = addr;
	t[i].n++;
	for (; i > 0 && t[i].n > t[i - 1].n; i--) {
		struct client swap = t[i];

		t[i] = t[i - 1];
		t[i - 1] = swap;
	}
}

uint64_t service_top_client(const struct service *s)
{
	uint64_t most = 0;

	for (size_t i = 0; i < CLIENTS; i++)
		if (s->client[i].n - s->client[i].over > most)
			most = s->client[i].n - s->client[i].over;
	return most;
}

static void vote(char most[CONN_TOKEN], int64_t *lead, const char said[CONN_TOKEN])
{
	if (!said[0])
		return;
	if (strncmp(most, said, CONN_TOKEN) == 0) {
		(*lead)++;
	} else if (*lead == 0) {
		memcpy(most, said, CONN_TOKEN);
		most[CONN_TOKEN - 1] = '\0';
		*lead = 1;
	} else {
		(*lead)--;
	}
}

static size_t request_bucket(uint32_t n)
{
	size_t b = n < 3 ? n : 3;

	for (uint64_t top = 4; b >= 3 && b < REQUEST_BUCKETS - 1 && n > top; top *= 2)
		b++;
	return b;
}

static void count_requests(struct service *v, const struct conn *c)
{
	uint32_t n = conn_requests(c);

	v->requests_whole += n;
	v->by_requests[request_bucket(n)]++;
	if (n > v->most) {
		v->most = n;
		v->at_most = 0;
	}
	v->at_most += n == v->most;
}

/* A client of HTTP/1.0 that does not say keep-alive has asked for the close (RFC 9112 section 9.3). */
static void count_words(struct service *v, const struct conn *c)
{
	v->tls += (c->seen & SEEN_TLS) != 0;
	v->http2 += (c->seen & SEEN_HTTP2) != 0;
	if (!(c->seen & SEEN_HEADERS))
		return;
	vote(v->server, &v->server_lead, c->server);
	vote(v->agent, &v->agent_lead, c->agent);
	if (c->keep_alive_s)
		v->keep_alive_s = c->keep_alive_s;
	if (c->http & HTTP_REQUEST_CLOSE)
		v->ask_request++;
	else if (c->http & HTTP_REQUEST_10 && !(c->http & (HTTP_REQUEST_KEEP | HTTP_REQUEST_CUT)))
		v->ask_request_10++;
	else if (c->http & (HTTP_REQUEST_CUT | HTTP_RESPONSE_CUT)) /* what was not said may have been */
		return;
	else if ((c->http & HTTP_RESPONSE_CLOSE) || ((c->http & HTTP_RESPONSE_10) && !(c->http & HTTP_RESPONSE_KEEP)))
		v->ask_response++;
	v->headers++;
}

/* The server had answered everything and was idle when it closed; then a request came, and met a RST (RFC 9112 9.3.1). */
static bool is_stale(const struct conn *c)
{
	nsec_t gap;

	return c->first == SIDE_SERVER && c->fin[SIDE_SERVER] && c->late_data && !c->unanswered && conn_gap(c, &gap) &&
	       gap > CLOSE_PROMPT + c->grain;
}

/* Who decided, and when. */
static void count_begun(struct service *v, const struct conn *c, struct rng *rng)
{
	struct closes *k = &v->closes[conn_closer(c)], *first = &v->closes[c->first];
	nsec_t gap, closed = conn_closed_at(c), last = c->last_data[side_other(conn_closer(c))];
	bool known = conn_gap(c, &gap), used = conn_requests(c) > 0 || !(c->seen & SEEN_SYN);

	k->fin++;
	k->single += conn_is_whole(c) && conn_requests(c) == 1;
	k->unused += !used;
	k->notified += k != first;
	k->prompt += known && used && gap <= CLOSE_PROMPT + c->grain;
	/* live the closer's own last data may have been a TLS alert, just before its FIN */
	if (c->local != SIDE_NONE && last && closed > last + CLOSE_IDLE && !c->unanswered && used)
		samples_add(&k->after, closed - last, rng);
	if (known && used) {
		samples_add(&k->gap, gap, rng);
		if (gap > CLOSE_IDLE && !c->unanswered) /* who gives up waiting was not idle */
			samples_add(&k->idle, gap, rng);
	}
}

/*
 * The peer was in the middle of sending, such as an upload that is answered early. Who can be read only: through TLS what
 * comes after a FIN may be a farewell.
 */
static bool is_cut_short(const struct conn *c)
{
	nsec_t gap, fin = c->fin[c->first];

	return c->late_data >= fin && c->late_data - fin <= RST_PROMPT + c->rtt + c->grain &&
	       (c->seen & SEEN_HEADERS) && conn_gap(c, &gap) && gap <= CLOSE_PROMPT + c->grain;
}

/* What followed the FIN. */
static void count_fin(struct closes *k, const struct conn *c, struct rng *rng)
{
	nsec_t ignored, fin = c->fin[c->first], rst = c->rst[c->first];

	k->cut_short += is_cut_short(c);
	k->half_close += c->half_close_data != 0;
	k->fin_then_rst += rst >= fin && rst - fin <= FIN_THEN_RST && !c->late_data && c->rst_kind != RST_LATE_DATA &&
			   !(c->seen & SEEN_VAGUE);
	/* a client that shut down its half awaits the answer: nobody ignores it */
	if (!c->half_close_data && !c->late_data && !(c->first == SIDE_CLIENT && c->unanswered) &&
	    conn_fin_ignored(c, &ignored))
		samples_add(&k->ignored, ignored, rng);
}

static void count_rst(struct closes *k, const struct conn *c, struct rng *rng)
{
	nsec_t gap;
	bool known = conn_gap(c, &gap);

	k->rst++;
	k->rst_kind[c->rst_kind < N_RST_KINDS ? c->rst_kind : RST_OTHER]++;
	/* with an answer due, or an error said (before all of the request was read), it is the kernel that resets */
	k->rst_prompt += (c->rst_kind == RST_CUT || (c->rst_kind == RST_CLEAN && !c->unanswered && c->status < 400)) &&
			 known && gap <= RST_PROMPT;
	if (c->rst_kind == RST_CLEAN && known && gap > CLOSE_IDLE && !c->unanswered)
		samples_add(&k->rst_idle, gap, rng);
}

/* Boyer and Moore's majority vote. */
static void count_error(struct closes *k, uint16_t status)
{
	k->errors++;
	if (k->error_lead == 0)
		k->error = status;
	k->error_lead += k->error == status ? 1 : -1;
}

/* A RST to a peer that has said that it will say no more, and so to whoever had its answer: as good as a FIN. */
static bool was_told(const struct conn *c)
{
	nsec_t told = c->notify[side_other(c->first)];

	return told && told <= c->rst[c->first];
}

static void count_close(struct services *s, struct service *v, const struct conn *c)
{
	struct closes *k = &v->closes[c->first];

	if (c->fin[c->first] && (!c->rst[c->first] || c->fin[c->first] <= c->rst[c->first])) {
		count_begun(v, c, &s->rng);
		count_fin(k, c, &s->rng);
	} else if (c->rst[c->first] && was_told(c)) {
		count_begun(v, c, &s->rng);
	} else if (c->rst[c->first]) {
		count_rst(k, c, &s->rng);
	} else {
		return;
	}
	k->unanswered += c->unanswered;
	if (c->status >= 400)
		count_error(k, c->status);
	if (c->first == c->local)
		talkers_add(&k->by, &c->closer);
	v->crossed += c->crossed;
	v->stale += is_stale(c);
}

static void count_whole(struct services *s, struct service *v, const struct conn *c)
{
	nsec_t closed = conn_closed_at(c);

	v->whole++;
	v->silent += !c->bytes[SIDE_CLIENT] && !c->bytes[SIDE_SERVER];
	count_requests(v, c);
	if (c->end >= c->start) {
		v->life_s += (double)(c->end - c->start) / (double)NSEC_PER_S;
		samples_add(&v->life, c->end - c->start, &s->rng);
	}
	if (closed >= c->start && closed) {
		uint64_t at = v->spans.seen++;

		if (at >= SAMPLES)
			at = rng_u64(&s->rng) % v->spans.seen;
		if (at < SAMPLES) {
			v->spans.v[at].start = c->start;
			v->spans.v[at].closed = closed;
		}
	}
}

static void count_failed(struct service *v, const struct conn *c)
{
	v->failed++;
	v->refused += c->rst_kind == RST_REFUSED;
	v->no_syn += c->no_syn && c->error != EADDRNOTAVAIL && c->rst_kind != RST_REFUSED;
	if (c->error != EADDRNOTAVAIL)
		return;
	v->no_port++;
	talkers_add(&v->no_port_by, &c->opener);
}

static void stretch(nsec_t *from, nsec_t *to, const struct conn *c)
{
	if (c->start && (!*from || c->start < *from))
		*from = c->start;
	if (c->end > *to)
		*to = c->end;
}

/*
 * Late data that met a kernel's TIME_WAIT or FIN_WAIT_2 entry: the RST is a record of its own, since the connection's was
 * handed over when its socket went.
 */
static bool is_reset_alone(const struct conn *c)
{
	return c->rst_kind == RST_LATE_DATA && c->late_data && !(c->seen & SEEN_SYN) && c->first != SIDE_NONE &&
	       !c->fin[c->first];
}

/* Boyer and Moore's majority vote. */
static void vote_partner(struct service *v, uint16_t partner)
{
	if (v->paired == 0)
		v->partner = partner;
	v->paired += v->partner == partner ? 1 : -1;
}

/* Looks for the other end in another namespace, as soon as there is a second one. 0 or -ENOMEM. */
static int pair(struct services *s, struct service *v, const struct conn *c)
{
	int other;

	if (c->local == SIDE_NONE || !c->netns || !conn_is_whole(c))
		return 0;
	if (!s->netns)
		s->netns = c->netns;
	if (!s->pairs && s->netns != c->netns) {
		s->pairs = pairs_new(s->key);
		if (!s->pairs)
			return -ENOMEM;
	}
	if (!s->pairs)
		return 0;
	other = pairs_match(s->pairs, c, v->index);
	if (other >= 0) {
		vote_partner(v, (uint16_t)other);
		vote_partner(s->v[other], v->index);
	}
	return 0;
}

int services_add(struct services *s, const struct conn *c)
{
	struct service *v;
	int err = service_of(s, c, &v);

	if (err)
		return err;
	must(c->first <= SIDE_NONE && c->local <= SIDE_NONE);
	s->conns++;
	stretch(&s->from, &s->to, c);
	if (!v) {
		s->dropped++;
		return 0;
	}
	if (is_reset_alone(c)) {
		v->late_alone += c->first == SIDE_SERVER;
		return 0;
	}
	v->conns++;
	if (c->grain > v->grain)
		v->grain = c->grain;
	client_add(v, c->addr[SIDE_CLIENT]);
	if (c->local == SIDE_CLIENT || c->local == SIDE_NONE)
		talkers_add(&v->opener, &c->opener);
	if (c->how == END_FAILED_OPEN) {
		count_failed(v, c);
		return 0;
	}
	v->open += !(c->seen & SEEN_END);
	v->closing += !(c->seen & SEEN_END) && conn_closed_at(c);
	v->timeouts += c->how == END_TIMEOUT;
	v->holes += (c->seen & SEEN_HOLES) != 0;
	v->requests += conn_requests(c);
	if (conn_requests(c) > v->most_seen)
		v->most_seen = conn_requests(c);
	v->retransmits += (uint64_t)c->retransmits[SIDE_CLIENT] + c->retransmits[SIDE_SERVER];
	count_words(v, c);
	if (conn_is_whole(c))
		count_whole(s, v, c);
	if (c->first != SIDE_NONE)
		count_close(s, v, c);
	if (c->rtt)
		samples_add(&v->rtt, c->rtt, &s->rng);
	if (c->idle_failed) {
		if (!v->idle_failed++ || c->idle_failed < v->idle_failed_min)
			v->idle_failed_min = c->idle_failed;
	}
	if (c->idle_survived > v->idle_survived)
		v->idle_survived = c->idle_survived;
	return pair(s, v, c);
}

void services_window(struct services *s, nsec_t from, nsec_t to)
{
	must(from <= to);
	s->from = from;
	s->to = to;
}

double services_window_s(const struct services *s)
{
	return s->to > s->from ? (double)(s->to - s->from) / (double)NSEC_PER_S : 0;
}

struct service_text service_text(const struct service *s)
{
	struct service_text t;

	snprintf(t.s, sizeof(t.s), "%s%s",
		 s->local == SIDE_CLIENT   ? "to "
		 : s->local == SIDE_SERVER ? "on "
					   : "",
		 ip_port_text(s->addr, s->port).s);
	return t;
}

enum { PAIRS_MIN = 3 };
#define PAIRED_SHARE 0.8 /* of whole connections: some wait for the other end when the trace ends, or were pushed out */

const struct service *services_other_end(const struct services *s, const struct service *v)
{
	if (v->paired >= PAIRS_MIN && (double)v->paired >= PAIRED_SHARE * (double)v->whole)
		return s->v[v->partner];
	for (size_t i = 0; i < s->n && v->local != SIDE_NONE; i++)
		if (s->v[i]->local == side_other(v->local) && s->v[i]->port == v->port && s->v[i]->netns == v->netns &&
		    ip_eq(s->v[i]->addr, v->addr))
			return s->v[i];
	return NULL;
}

uint64_t service_closed(const struct service *s)
{
	return s->closes[SIDE_CLIENT].fin + s->closes[SIDE_CLIENT].rst + s->closes[SIDE_SERVER].fin +
	       s->closes[SIDE_SERVER].rst;
}

uint64_t service_used(const struct service *s) { return s->whole - s->by_requests[0]; }

double service_mean_requests(const struct service *s)
{
	return s->whole ? (double)s->requests_whole / (double)s->whole : 0;
}
