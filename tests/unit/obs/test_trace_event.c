/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include <errno.h>

#include "obs/trace_event.h"

#define MS NSEC_PER_MS
#define JIFFY (4 * MS)

static struct trace_names names;
static struct trace_ports ports;

static const struct trace_source source = {
	.jiffy = JIFFY,
	.parts = {.calls = true, .reads = true, .resets = true, .reasons = true, .retransmits = true},
	.names = &names,
	.ports = &ports,
};

/* A client's connection, one request, closed by the client after 100 ms: 10.0.0.1:40000 > 10.0.0.2:80. */
static struct event_close usual(void)
{
	memset(&ports, 0, sizeof(ports));
	return (struct event_close){
		.kind = EVENT_CLOSE,
		.from = 5, /* FIN_WAIT2 */
		.socket = SOCKET_FIN_RECEIVED,
		.t = {.local = {10, 0, 0, 1},
		      .peer = {10, 0, 0, 2},
		      .lport = 40000,
		      .pport = 80,
		      .family = 4,
		      .netns = 7,
		      .cookie = 9},
		.track = {.at = {1000 * MS, 0, 1100 * MS, 0},
			  .opener = 100,
			  .closer = 200,
			  .exchanges = 1,
			  .sent_ago = 10,
			  .read_ago = 5,
			  .flags = TRACK_SYN | TRACK_FIRST_LOCAL | TRACK_RELEASED | TRACK_DATA_OUT | TRACK_DATA_IN,
			  .state = {4, 0}},
		.now = 1200 * MS,
		.sent = 50,
		.received = 500,
		.cgroup = 77,
		.rtt_us = 2000,
	};
}

static struct conn made(const struct event_close *e)
{
	struct conn c;

	assert_true(trace_close(&source, e, &c));
	return c;
}

TEST(client__closes_first_with_close__everything_is_told)
{
	const struct event_proc curl = {.kind = EVENT_PROC, .pid = 100, .cgroup = 5, .comm = "curl"};
	struct event_close e = usual();
	struct conn c;

	trace_names_put(&names, &curl);
	c = made(&e);
	assert_int_equal(c.local, SIDE_CLIENT);
	assert_int_equal(c.port[SIDE_CLIENT], 40000);
	assert_int_equal(c.port[SIDE_SERVER], 80);
	assert_string_equal(ip_text(c.addr[SIDE_SERVER]).s, "10.0.0.2");
	assert_int_equal(c.netns, 7);
	assert_int_equal(c.cookie, 9);
	assert_int_equal(c.seen, SEEN_SYN | SEEN_END);
	assert_int_equal(c.how, END_FIN);
	assert_int_equal(c.first, SIDE_CLIENT);
	assert_int_equal(c.call, CALL_CLOSE);
	assert_int_equal(c.start, 1000 * MS);
	assert_int_equal(c.fin[SIDE_CLIENT], 1100 * MS);
	assert_int_equal(c.fin[SIDE_SERVER], 1200 * MS);
	assert_int_equal(c.end, 1200 * MS);
	assert_int_equal(c.last_data[SIDE_CLIENT], 1060 * MS);
	assert_int_equal(c.last_data[SIDE_SERVER], 1080 * MS);
	assert_int_equal(c.bytes[SIDE_CLIENT], 50);
	assert_int_equal(c.bytes[SIDE_SERVER], 500);
	assert_int_equal(c.exchanges, 1);
	assert_int_equal(c.rtt, 2 * MS);
	assert_int_equal(c.grain, JIFFY);
	assert_int_equal(c.in_state[ST_SYN_SENT], 2 * MS);
	assert_int_equal(c.in_state[ST_ESTABLISHED], 98 * MS);
	assert_int_equal(c.in_state[ST_FIN_WAIT_1], 100 * MS);
	assert_string_equal(c.opener.comm, "curl");
	assert_int_equal(c.closer.pid, 200);
	assert_string_equal(c.closer.comm, "");
}

TEST(server__peer_closes_first__closer_is_who_answered_the_fin)
{
	struct event_close e = usual();
	struct conn c;

	e.from = 9; /* LAST_ACK */
	e.track.flags = TRACK_SYN | TRACK_PASSIVE | TRACK_FIRST_PEER | TRACK_RELEASED | TRACK_EXITING;
	e.track.opener = 0;
	e.track.at[1] = 1000 * MS;
	e.track.at[3] = 1150 * MS;
	e.track.state[0] = 8; /* CLOSE_WAIT */
	e.track.state[1] = 9;
	c = made(&e);
	assert_int_equal(c.local, SIDE_SERVER);
	assert_int_equal(c.port[SIDE_SERVER], 40000);
	assert_int_equal(c.how, END_FIN);
	assert_int_equal(c.first, SIDE_CLIENT);
	assert_int_equal(c.fin[SIDE_CLIENT], 1100 * MS);
	assert_int_equal(c.fin[SIDE_SERVER], 1150 * MS);
	assert_int_equal(c.call, CALL_EXIT);
	assert_int_equal(c.opener.pid, 0);
	assert_int_equal(c.opener.cgroup, 77);
	assert_int_equal(c.last_data[SIDE_SERVER], 0);
	assert_int_equal(c.in_state[ST_CLOSE_WAIT], 50 * MS);
	assert_int_equal(c.in_state[ST_LAST_ACK], 50 * MS);
}

TEST(orphan__goes_to_a_small_socket__the_peers_fin_is_unknown)
{
	struct event_close e = usual();
	struct conn c;

	e.socket = 0;
	c = made(&e);
	assert_int_equal(c.how, END_FIN);
	assert_int_equal(c.fin[SIDE_SERVER], 0);
}

TEST(both__fin_at_once__crossed)
{
	struct event_close e = usual();
	struct conn c;

	e.from = 11; /* CLOSING */
	e.track.at[3] = 1110 * MS;
	e.track.state[1] = 11;
	e.track.flags |= TRACK_CROSSED;
	c = made(&e);
	assert_true(c.crossed);
	assert_int_equal(c.how, END_FIN);
	assert_int_equal(c.fin[SIDE_SERVER], 1110 * MS);
}

static struct event_close cut(void)
{
	struct event_close e = usual();

	e.from = 1;
	e.socket = 0;
	e.track.at[2] = 0;
	e.track.state[0] = 0;
	e.track.flags = TRACK_SYN | TRACK_RELEASED | TRACK_DATA_OUT;
	return e;
}

TEST(close__with_linger_0__rst_of_ours)
{
	struct event_close e = cut();
	struct conn c;

	e.socket = SOCKET_LINGER_0;
	c = made(&e);
	assert_int_equal(c.how, END_RST);
	assert_int_equal(c.first, SIDE_CLIENT);
	assert_int_equal(c.rst[SIDE_CLIENT], 1200 * MS);
	assert_int_equal(c.rst_kind, RST_LINGER_0);
	assert_int_equal(c.call, CALL_CLOSE);
	e.socket = SOCKET_UNREAD;
	assert_int_equal(made(&e).rst_kind, RST_UNREAD);
	e.socket = SOCKET_UNREAD | SOCKET_LINGER_0; /* unread data reset it, whatever the option */
	assert_int_equal(made(&e).rst_kind, RST_UNREAD);
	e.socket = 0;
	assert_int_equal(made(&e).rst_kind, RST_OTHER);
}

TEST(established__rst_from_the_peer__nobody_here_closed)
{
	struct event_close e = cut();
	struct conn c;

	e.track.flags = TRACK_SYN | TRACK_RESET;
	e.track.closer = 0;
	e.error = ECONNRESET;
	c = made(&e);
	assert_int_equal(c.how, END_RST);
	assert_int_equal(c.first, SIDE_SERVER);
	assert_int_equal(c.rst_kind, RST_OTHER);
	assert_int_equal(c.call, CALL_UNKNOWN);
	assert_int_equal(c.closer.pid, 0);
}

TEST(close_wait__rst_after_we_wrote__late_data)
{
	struct event_close e = usual();
	struct conn c;

	e.from = 8;
	e.track.flags = TRACK_SYN | TRACK_FIRST_PEER | TRACK_RESET | TRACK_LATE;
	e.late_ago = 2;
	c = made(&e);
	assert_int_equal(c.how, END_RST);
	assert_int_equal(c.first, SIDE_SERVER);
	assert_int_equal(c.rst_kind, RST_LATE_DATA);
	assert_int_equal(c.late_data, 1192 * MS);
	e.late_ago = 1000; /* a jiffy is coarse: not before the FIN */
	assert_int_equal(made(&e).late_data, 1100 * MS + 1);
}

/* TLS 1.3, 1.2 with ChaCha20 or AES-GCM: so long is a close_notify. */
static const uint8_t alerts[] = {24, 23, 31};

TEST(close_wait__rst_after_we_wrote_an_alert__no_late_data)
{
	struct event_close e = usual();

	e.from = 8;
	e.track.flags = TRACK_SYN | TRACK_FIRST_PEER | TRACK_RESET | TRACK_LATE;
	e.track.bytes = 1000;
	for (size_t i = 0; i < ARRAY_LEN(alerts); i++) {
		e.sent = 1000 + alerts[i];
		assert_int_equal(made(&e).rst_kind, RST_LATE_DATA);
		assert_int_equal(made(&e).late_data, 0);
	}
	e.sent = 1000 + 25;
	assert_true(made(&e).late_data);
}

/* It was on its way when the FIN came, and meets nobody. */
TEST(close_wait__rst_while_data_of_ours_were_not_acknowledged__answers_them)
{
	struct event_close e = usual();

	e.from = 8;
	e.track.flags = TRACK_SYN | TRACK_FIRST_PEER | TRACK_RESET;
	assert_int_equal(made(&e).rst_kind, RST_OTHER);
	e.unsent = 80;
	assert_int_equal(made(&e).rst_kind, RST_LATE_DATA);
	assert_int_equal(made(&e).late_data, 0);
	e.from = 9; /* nothing but our FIN */
	e.unsent = 1;
	assert_int_equal(made(&e).rst_kind, RST_OTHER);
	e.unsent = 24 + 1;
	assert_int_equal(conn_closer(&(struct conn[]){made(&e)}[0]), SIDE_SERVER);
}

TEST(rst__alert_unread_or_on_its_way__who_sent_it_began_to_close)
{
	struct event_close ours = cut(), theirs = cut();
	struct conn c;

	ours.socket = SOCKET_UNREAD;
	ours.sent = theirs.sent = 122;
	ours.track.flags |= TRACK_UNANSWERED;
	theirs.track.flags = TRACK_SYN | TRACK_RESET;
	for (size_t i = 0; i < ARRAY_LEN(alerts); i++) {
		ours.unread = theirs.unsent = alerts[i];
		c = made(&ours);
		assert_int_equal(c.first, SIDE_CLIENT);
		assert_int_equal(conn_closer(&c), SIDE_SERVER);
		assert_false(c.unanswered);
		c = made(&theirs);
		assert_int_equal(c.first, SIDE_SERVER);
		assert_int_equal(conn_closer(&c), SIDE_CLIENT);
	}
	for (unsigned few = 0; few < 3; few++) { /* no alert: too long; no room for a handshake before it */
		ours.unread = theirs.unsent = few ? 24 : 25;
		ours.sent = theirs.sent = few == 1 ? 121 : 122;
		ours.received = theirs.received = few == 2 ? 121 : 122;
		c = made(&ours);
		assert_int_equal(conn_closer(&c), SIDE_CLIENT);
		assert_true(c.unanswered);
		c = made(&theirs);
		assert_int_equal(conn_closer(&c), SIDE_SERVER);
	}
}

TEST(half_close__data_after_the_fin__taken)
{
	struct event_close e = usual();

	e.sent = 122;
	e.track.flags |= TRACK_LATE | TRACK_SHUTDOWN;
	e.track.bytes = (uint32_t)e.received - 24; /* an alert */
	assert_int_equal(made(&e).half_close_data, 0);
	e.track.bytes = (uint32_t)e.received - 100;
	e.late_ago = 3;
	assert_int_equal(made(&e).half_close_data, 1188 * MS);
	assert_int_equal(made(&e).call, CALL_SHUTDOWN);
}

TEST(half_close__close_with_the_answer_unread__rst_of_ours)
{
	struct event_close e = usual();
	struct conn c;

	e.track.flags |= TRACK_LATE | TRACK_SHUTDOWN;
	e.socket = SOCKET_UNREAD;
	for (unsigned from = 4; from <= 5; from++) { /* FIN_WAIT1, FIN_WAIT2 */
		e.from = (__u8)from;
		c = made(&e);
		assert_int_equal(c.how, END_RST);
		assert_int_equal(c.first, SIDE_CLIENT);
		assert_int_equal(c.fin[SIDE_CLIENT], 1100 * MS);
		assert_int_equal(c.rst[SIDE_CLIENT], 1200 * MS);
		assert_int_equal(c.rst_kind, RST_UNREAD);
		assert_int_equal(c.half_close_data, 0);
	}
	e.socket = SOCKET_LINGER_0;
	assert_int_equal(made(&e).rst_kind, RST_LINGER_0);
	e.socket = SOCKET_UNREAD | SOCKET_FIN_RECEIVED; /* TIME_WAIT; what nobody reads by then meets no RST */
	assert_int_equal(made(&e).how, END_FIN);
}

TEST(data__for_an_orphan__the_rst_of_ours_that_follows_amends_it)
{
	const struct event_rst rst = {.kind = EVENT_RST, .reason = REASON_ON_DATA, .now = 1201 * MS};
	const struct event_rst other = {.kind = EVENT_RST, .reason = REASON_OTHER, .now = 1201 * MS};
	struct event_close e = usual();
	struct conn c;

	assert_false(trace_close_is_open(&e));
	e.track.flags |= TRACK_RESET;
	assert_true(trace_close_is_open(&e));
	c = made(&e);
	assert_int_equal(c.rst[SIDE_SERVER], 1200 * MS);
	trace_close_amend(&c, &other);
	assert_int_equal(c.rst[SIDE_SERVER], 1200 * MS);
	trace_close_amend(&c, &rst);
	assert_int_equal(c.rst[SIDE_SERVER], 0);
	assert_int_equal(c.rst[SIDE_CLIENT], 1201 * MS);
	assert_int_equal(c.rst_kind, RST_LATE_DATA);
	assert_int_equal(c.late_data, 1201 * MS);
}

TEST(time_wait__answers_data__a_record_of_its_own)
{
	struct event_close e = usual();
	struct event_rst rst = {.kind = EVENT_RST, .reason = REASON_TIME_WAIT, .t = e.t, .now = 9000 * MS};
	struct conn c;

	assert_true(trace_late_rst(&source, &rst, &c));
	assert_int_equal(c.first, SIDE_CLIENT); /* by its port */
	assert_int_equal(c.late_data, 9000 * MS);
	assert_false(conn_is_whole(&c));
	rst.reason = REASON_OTHER;
	assert_false(trace_late_rst(&source, &rst, &c));
}

TEST(connect__refused__failed_open)
{
	struct event_close e = cut();
	struct conn c;

	e.from = 2;
	e.error = ECONNREFUSED;
	e.track.flags = TRACK_SYN | TRACK_RESET;
	e.rtt_us = UINT32_MAX;
	c = made(&e);
	assert_int_equal(c.how, END_FAILED_OPEN);
	assert_int_equal(c.error, ECONNREFUSED);
	assert_int_equal(c.rst_kind, RST_REFUSED);
	assert_int_equal(c.first, SIDE_SERVER);
	assert_int_equal(c.rtt, 0);
	assert_int_equal(c.in_state[ST_SYN_SENT], 200 * MS);
}

TEST(connect__no_port_left__eaddrnotavail)
{
	struct event_close e = cut();

	e.from = 2;
	e.t.lport = 0;
	e.track.flags = TRACK_SYN;
	assert_int_equal(made(&e).error, EADDRNOTAVAIL);
	assert_int_equal(made(&e).opener.pid, 100);
	e.t.lport = 40000; /* bound, and taken towards that address */
	assert_int_equal(made(&e).error, 0);
	assert_true(made(&e).no_syn);
	e.socket = SOCKET_SENT; /* closed while connecting */
	assert_int_equal(made(&e).error, 0);
	assert_false(made(&e).no_syn);
}

TEST(established__gave_up__timeout_with_its_silence)
{
	struct event_close e = cut();

	e.error = ETIMEDOUT;
	e.silence = 90000; /* jiffies */
	e.track.flags = TRACK_SYN;
	assert_int_equal(made(&e).how, END_TIMEOUT);
	assert_int_equal(made(&e).first, SIDE_NONE);
	assert_int_equal(made(&e).idle_failed, 360 * NSEC_PER_S);
}

TEST(old_connection__its_syn_was_not_seen__higher_port_is_the_client)
{
	struct event_close e = usual();
	struct conn c;

	e.track.flags &= ~TRACK_SYN;
	e.track.at[0] = 0;
	e.t.lport = 80;
	e.t.pport = 40000;
	c = made(&e);
	assert_int_equal(c.local, SIDE_SERVER);
	assert_int_equal(c.seen, SEEN_END | SEEN_HOLES);
	assert_int_equal(c.exchanges, 0);
	assert_int_equal(c.start, 1100 * MS);
}

TEST(no_syn__the_port_was_served_before__that_end_is_the_server)
{
	struct event_close served = usual(), e = usual();

	served.track.flags |= TRACK_PASSIVE;
	served.t.lport = 50000;
	assert_int_equal(made(&served).local, SIDE_SERVER);
	e.track.flags &= ~TRACK_SYN;
	e.t.lport = 50000;
	e.t.pport = 45000;
	assert_int_equal(made(&e).local, SIDE_SERVER);
	e.t.lport = 45000;
	e.t.pport = 50000;
	assert_int_equal(made(&e).local, SIDE_CLIENT);
}

TEST(child__dropped_before_it_was_established__is_no_connection)
{
	struct event_close e = cut();
	struct conn c;

	e.from = 3;
	assert_false(trace_close(&source, &e, &c));
}

TEST(kernel__cannot_tell_close_from_shutdown__call_is_unknown)
{
	struct trace_source old = source;
	struct event_close e = usual();
	struct conn c;

	old.parts.calls = false;
	assert_true(trace_close(&old, &e, &c));
	assert_int_equal(c.call, CALL_UNKNOWN);
	assert_int_equal(c.closer.pid, 200);
	old.parts.reads = false;
	assert_true(trace_close(&old, &e, &c));
	assert_true(c.seen & SEEN_HOLES);
}

TEST(fin_wait_2__when_the_trace_ends__is_open_with_its_fin)
{
	struct event_close e = usual();
	struct conn c;

	e.kind = EVENT_CLOSING;
	e.socket = 0;
	e.track.at[3] = 1101 * MS;
	e.track.state[1] = 5;
	c = made(&e);
	assert_int_equal(c.how, END_OPEN);
	assert_int_equal(c.first, SIDE_CLIENT);
	assert_int_equal(c.seen & SEEN_END, 0);
	assert_int_equal(conn_closed_at(&c), 1100 * MS);
	assert_int_equal(c.fin[SIDE_SERVER], 0);
	assert_int_equal(c.in_state[ST_FIN_WAIT_2], 99 * MS);
	assert_int_equal(c.closer.pid, 200);
	assert_int_equal(c.half_close_data, 0);
	e.track.flags |= TRACK_LATE;
	assert_true(made(&e).half_close_data > 0);
}

TEST(close_wait__when_the_trace_ends__the_peer_waits)
{
	struct event_close e = usual();
	struct conn c;
	nsec_t ignored;

	e.kind = EVENT_CLOSING;
	e.from = 8;
	e.track.flags = TRACK_SYN | TRACK_PASSIVE | TRACK_FIRST_PEER;
	e.track.state[0] = 8;
	e.track.closer = 0;
	c = made(&e);
	assert_int_equal(c.how, END_OPEN);
	assert_int_equal(c.first, SIDE_CLIENT);
	assert_true(conn_fin_ignored(&c, &ignored));
	assert_int_equal(ignored, 100 * MS);
}

TEST(names__hostile_comm__is_printable)
{
	const struct event_proc bad = {.pid = 300, .comm = "a\033[2Jb\nxxxxxxxxx"}, other = {.pid = 300 + NAMES_SLOTS};

	trace_names_put(&names, &bad);
	assert_string_equal(trace_names_get(&names, 300).comm, "a?[2Jb?xxxxxxxx");
	trace_names_put(&names, &other);
	assert_string_equal(trace_names_get(&names, 300).comm, "");
	assert_int_equal(trace_names_get(&names, 300).pid, 300);
	assert_int_equal(trace_names_get(&names, 0).pid, 0);
}

RUN(T(client__closes_first_with_close__everything_is_told),
    T(server__peer_closes_first__closer_is_who_answered_the_fin),
    T(orphan__goes_to_a_small_socket__the_peers_fin_is_unknown), T(both__fin_at_once__crossed),
    T(close__with_linger_0__rst_of_ours), T(established__rst_from_the_peer__nobody_here_closed),
    T(close_wait__rst_after_we_wrote__late_data), T(close_wait__rst_after_we_wrote_an_alert__no_late_data),
    T(close_wait__rst_while_data_of_ours_were_not_acknowledged__answers_them),
    T(rst__alert_unread_or_on_its_way__who_sent_it_began_to_close), T(half_close__data_after_the_fin__taken),
    T(half_close__close_with_the_answer_unread__rst_of_ours),
    T(data__for_an_orphan__the_rst_of_ours_that_follows_amends_it), T(time_wait__answers_data__a_record_of_its_own),
    T(connect__refused__failed_open), T(connect__no_port_left__eaddrnotavail),
    T(established__gave_up__timeout_with_its_silence),
    T(old_connection__its_syn_was_not_seen__higher_port_is_the_client),
    T(no_syn__the_port_was_served_before__that_end_is_the_server),
    T(child__dropped_before_it_was_established__is_no_connection),
    T(kernel__cannot_tell_close_from_shutdown__call_is_unknown),
    T(fin_wait_2__when_the_trace_ends__is_open_with_its_fin), T(close_wait__when_the_trace_ends__the_peer_waits),
    T(names__hostile_comm__is_printable))
