/* SPDX-License-Identifier: MIT */
/* Runs with real engines and applications, about which the rules are told something false: each rule that needs a whole run is seen to fail. */
#include "tests/unit/t.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "sim/path.h"
#include "sim/work.h"

#define FIRST_FLOW ((uint64_t)HOSTS_MAX * HOST_LISTENERS) /* what an event says of whose socket it is */

enum { STEPS_MAX = 200000 };

static struct world {
	struct verdict v;
	struct watch w;
	struct net n;
	struct work k;
	void (*event)(void *arg, unsigned host, const struct la_event *ev);
	void (*sent)(void *arg, unsigned host, const struct seg *s);
	unsigned lies;
} * x;

static const struct knob_setting knobs[] = {
	{"net.ipv4.ip_local_port_range", "40000 40003"},
	{"net.ipv4.tcp_tw_reuse", "0"},
	{"net.core.somaxconn", "4096"},
	{"engine.time_wait_ms", "60000"},
	{"net.ipv4.tcp_max_tw_buckets", "10000"},
	{"net.ipv4.tcp_max_orphans", "10000"},
};

/* Two hosts, a good network, twenty polite connections of up to 4,000 octets within a second. */
static void begin(double rude)
{
	struct setup_wishes wishes = {.hosts = 2,
				      .policy = POLICY_LINUX_6_18,
				      .faults = SIM_FAULTS_NONE,
				      .set = knobs,
				      .n_set = ARRAY_LEN(knobs)};
	struct setup *s;
	struct rng rng;

	if (!x)
		x = calloc(1, sizeof(*x));
	x->lies = 0;
	x->v = (struct verdict){0};
	rng_seed(&rng, 7);
	watch_init(&x->w, &x->v);
	net_init(&x->n, &x->w, &x->v, 1);
	memset(&x->k, 0, sizeof(x->k));
	s = &x->k.setup;
	setup_draw(s, &x->n, &rng, &wishes);
	for (unsigned h = 0; h < 2; h++) {
		x->n.host[h].mem = aligned_alloc(64, HOST_MEMORY);
		x->n.host[h].size = HOST_MEMORY;
		s->host[h].cfg = (struct la_config){.max_sockets = 64,
						    .max_time_wait4 = 512,
						    .max_time_wait6 = 16,
						    .send_buffer = 16384,
						    .receive_buffer = 16384};
		s->host[h].backlog = 64;
		s->host[h].accept_delay = 0;
	}
	s->n_starts = 20;
	s->span = NSEC_PER_S;
	s->patience = 30 * NSEC_PER_S;
	s->bytes_max = 4000;
	s->rude = rude;
	s->v6 = s->bound = s->simultaneous = s->refused = 0;
	s->n_listener_closes = s->n_cuts = s->n_restarts = s->n_floods = s->n_forged = 0;
	assert_int_equal(work_begin(&x->k, &x->n, 5), 0);
	x->event = x->n.ops.event;
	x->sent = x->n.ops.sent;
}

static void finish(void)
{
	for (unsigned i = 0; i < STEPS_MAX && net_step(&x->n); i++)
		continue;
	for (unsigned h = 0; h < 2; h++)
		free(x->n.host[h].mem);
}

static void says(enum checker_id id)
{
	finish();
	if (!x->v.failed || x->v.checker != id)
		fail_msg("wanted %s, got %s: %s", checkers[id].name,
			 x->v.failed ? checkers[x->v.checker].name : "nothing", x->v.why.text);
}

TEST(the_truth__breaks_no_rule)
{
	begin(0);
	finish();
	if (x->v.failed)
		fail_msg("%s: %s", checkers[x->v.checker].name, x->v.why.text);
	assert_true(x->k.connects > 5 && x->k.octets > 10000);
}

/* NOLINTNEXTLINE(performance-no-int-to-ptr): it points into a buffer of ours */
static uint8_t *text_of(const struct seg *s) { return (uint8_t *)(uintptr_t)s->text; }

/* Two words change places: the checksum does not see it. */
static bool swap_words(void *arg, unsigned from, const struct seg *s)
{
	uint8_t *t = text_of(s), word[2];

	if (s->len >= 8) {
		memcpy(word, t, 2);
		memcpy(t, t + 4, 2);
		memcpy(t + 4, word, 2);
	}
	return true;
}

TEST(octets_changed_on_the_way__are_a_broken_stream)
{
	begin(0);
	x->n.ops.filter = swap_words;
	says(CHECK_STREAM);
}

/* The end comes with the first text that is not all. */
static bool end_early(void *arg, unsigned from, const struct seg *s)
{
	uint8_t *tcp, *csum;

	if (s->len == 0 || s->flags & (F_PSH | F_FIN) || x->lies++)
		return true;
	tcp = text_of(s) - (packet_header_len(s) - IPV4_HEADER_LEN);
	csum = tcp + 16;
	tcp[13] |= F_FIN;
	must(csum[1] > 0);
	csum[1]--;
	return true;
}

TEST(an_end_that_nobody_sent__is_seen)
{
	begin(0);
	x->n.ops.filter = end_early;
	says(CHECK_END_OF_STREAM);
}

/* Whatever ended a connection, it is said that the other's SYN did. */
static void blame(void *arg, unsigned host, const struct la_event *ev)
{
	must(x);
	struct flow *f = ev->user >= FIRST_FLOW ? &x->k.flow[ev->user - FIRST_FLOW] : NULL;

	if (f && f->inc && ev->events & LA_ERR)
		x->w.inc[f->inc].ended_by = F5_19_LAST_ACK_ACKED;
	x->event(arg, host, ev);
}

TEST(an_error_without_its_reason__is_seen)
{
	begin(1);
	x->n.ops.event = blame;
	says(CHECK_ERROR);
}

TEST(a_port_refused_while_some_are_free__is_seen)
{
	begin(0);
	for (unsigned h = 0; h < 2; h++)
		x->w.rules[h].port_high = 40100;
	says(CHECK_PORTS);
}

TEST(a_packet_from_the_address_of_another_host__is_seen)
{
	struct la_endpoint a = net_address(0, false, 1), b = net_address(1, false, 2);
	struct seg s = {.src = addr_from_v6(a.addr), .dst = addr_from_v6(b.addr), .flags = F_ACK};
	struct packet_slot *p;

	begin(0);
	p = path_slot(&x->n);
	p->len = (uint16_t)packet_write(p->octets, sizeof(p->octets), &s, 0);
	path_send(&x->n, 1, p);
	says(CHECK_WIRE);
	begin(0);
	p = path_slot(&x->n);
	p->len = (uint16_t)packet_write(p->octets, sizeof(p->octets), &s, 0);
	p->octets[p->len - 1] ^= 1;
	path_send(&x->n, 0, p);
	says(CHECK_WIRE);
}

/* The windows are said to be smaller than they are. */
static void belittle(void *arg, unsigned host, const struct seg *s)
{
	struct engine *e = engine_of(x->n.host[host].e);
	uint32_t cwnd[64];

	must(e->n_conns <= ARRAY_LEN(cwnd));
	for (uint32_t i = 0; i < e->n_conns; i++) {
		cwnd[i] = e->conns[i].cc.cwnd;
		e->conns[i].cc.cwnd = 1;
	}
	x->sent(arg, host, s);
	for (uint32_t i = 0; i < e->n_conns; i++)
		e->conns[i].cc.cwnd = cwnd[i];
}

TEST(more_in_flight_than_the_window_allows__is_seen)
{
	begin(0);
	x->k.setup.bytes_max = 16000;
	x->n.ops.sent = belittle;
	says(CHECK_FLIGHT);
}

static void keep_from_host_1(void *arg, unsigned host, const struct la_event *ev)
{
	if (host == 0 || ev->user < FIRST_FLOW)
		x->event(arg, host, ev);
}

TEST(an_application_that_nobody_wakes__is_seen)
{
	begin(0);
	x->k.setup.host[1].accept_delay = NSEC_PER_S; /* accepts, and hears no more */
	x->n.path[0][1].delay = 2 * NSEC_PER_S;
	x->n.ops.event = keep_from_host_1;
	says(CHECK_WAKEUP);
}

TEST(a_run_without_end__is_seen)
{
	begin(0);
	x->n.events_max = 100;
	says(CHECK_PROGRESS);
}

TEST(a_record_that_lasts_too_short__is_seen)
{
	begin(0);
	for (unsigned h = 0; h < 2; h++)
		x->w.rules[h].tw_len = 61 * NSEC_PER_S;
	says(CHECK_TW_STORED);
}

RUN(T(the_truth__breaks_no_rule), T(octets_changed_on_the_way__are_a_broken_stream),
    T(an_end_that_nobody_sent__is_seen), T(an_error_without_its_reason__is_seen),
    T(a_port_refused_while_some_are_free__is_seen), T(a_packet_from_the_address_of_another_host__is_seen),
    T(an_application_that_nobody_wakes__is_seen), T(more_in_flight_than_the_window_allows__is_seen),
    T(a_run_without_end__is_seen), T(a_record_that_lasts_too_short__is_seen))
