/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <jansson.h>

#include "diag/cause.h"
#include "report/closes.h"
#include "tests/unit/report/document.h"
#include "tests/unit/report/render.h"

#define S NSEC_PER_S

static const struct style brief = {.width = 100}, verbose = {.width = 100, .verbose = true};

static struct conn closed(uint32_t requests)
{
	struct conn c = {.port = {40000, 80},
			 .local = SIDE_NONE,
			 .seen = SEEN_SYN | SEEN_END,
			 .start = 1763726400 * S,
			 .end = 1763726403 * S,
			 .how = END_FIN,
			 .first = SIDE_SERVER,
			 .exchanges = requests};

	assert_true(ip_parse("10.0.0.1", &c.addr[SIDE_CLIENT]));
	assert_true(ip_parse("10.0.0.2", &c.addr[SIDE_SERVER]));
	c.last_data[SIDE_SERVER] = c.start + S;
	c.fin[SIDE_SERVER] = c.fin[SIDE_CLIENT] = c.end - S / 8;
	return c;
}

static void assert_line(const struct conn *c, const char *wanted)
{
	RENDER(text, out, report_close_text(out, c, 0, &verbose));
	assert_string_equal(text, wanted);
	free(text);
}

TEST(close__one_line__says_who_first_how_and_why)
{
	struct conn c = closed(3);

	assert_line(&c,
		    "12:00:02.875 server FIN     10.0.0.1:40000 > 10.0.0.2:80  3 req; idle for 1.9 s; lasted 3.0 s\n");
	c.local = SIDE_SERVER;
	c.closer = (struct conn_proc){.pid = 812, .comm = "nginx"};
	c.opener = c.closer;
	c.call = CALL_CLOSE;
	c.in_state[ST_FIN_WAIT_2] = 60 * S;
	assert_line(
		&c,
		"12:00:02.875 server FIN     nginx[812] close  10.0.0.1:40000 > 10.0.0.2:80  3 req; idle for 1.9 s; "
		"FIN_WAIT2 60 s; lasted 3.0 s\n");
}

TEST(close__narrow_terminal__two_lines)
{
	static const struct style narrow = {.width = 80};
	struct conn c = closed(3);

	c.closer = (struct conn_proc){.pid = 812, .comm = "nginx"};
	c.call = CALL_CLOSE;
	RENDER(text, out, report_close_text(out, &c, 0, &narrow));
	assert_string_equal(text, "12:00:02.875 server FIN     10.0.0.1:40000 > 10.0.0.2:80\n"
				  "             nginx[812] close  3 req; idle for 1.9 s; lasted 3.0 s\n");
	free(text);
	c.closer.pid = 0;
	c.end = c.start;
	RENDER(short_text, short_out, report_close_text(short_out, &c, 0, &narrow));
	assert_null(strstr(short_text, "\n "));
	free(short_text);
}

TEST(close__reset_refused_and_timeout__in_words)
{
	struct conn c = closed(1);

	c.how = END_RST;
	c.rst_kind = RST_UNREAD;
	c.rst[SIDE_SERVER] = c.fin[SIDE_SERVER];
	memset(c.fin, 0, sizeof(c.fin));
	assert_line(
		&c,
		"12:00:02.875 server RST     10.0.0.1:40000 > 10.0.0.2:80  1 req; data were unread; lasted 3.0 s\n");
	c.first = SIDE_NONE;
	c.how = END_TIMEOUT;
	assert_line(&c, "12:00:03.000 -      timeout 10.0.0.1:40000 > 10.0.0.2:80  1 req; the other side was silent; "
			"lasted 3.0 s\n");
	c.how = END_FAILED_OPEN;
	c.rst_kind = RST_REFUSED;
	assert_string_equal(conn_why(&c).s, "refused");
	c.rst_kind = RST_NONE;
	assert_string_equal(conn_why(&c).s, "no answer");
	c.how = END_OPEN;
	assert_string_equal(conn_why(&c).s, "still open");
}

TEST(close__why__right_after_the_answer_or_never_used)
{
	struct conn c = closed(1);

	c.last_data[SIDE_SERVER] = c.fin[SIDE_SERVER] - 1000;
	assert_string_equal(conn_why(&c).s, "right after the answer");
	c.late_data = c.end;
	assert_string_equal(conn_why(&c).s, "data came after the close");
	c = closed(0);
	c.start = c.fin[SIDE_SERVER] - NSEC_PER_MS;
	c.last_data[SIDE_SERVER] = 0;
	c.bytes[SIDE_CLIENT] = c.bytes[SIDE_SERVER] = 0;
	assert_string_equal(conn_why(&c).s, "never used");
	c.bytes[SIDE_SERVER] = 24; /* of a capture of SYNs and FINs alone */
	assert_string_equal(conn_why(&c).s, "");
}

TEST(close__began_before_we_looked__its_requests_are_unknown)
{
	static const struct style narrow = {.width = 80};
	struct conn c = closed(0);
	json_t *doc;

	c.local = SIDE_SERVER;
	c.seen &= ~(uint32_t)SEEN_SYN;
	RENDER(line, out, report_close_text(out, &c, 0, &narrow));
	assert_non_null(strstr(line, "? req"));
	free(line);
	RENDER(text, out, document_of_close(out, &c));
	doc = json_loads(text, 0, NULL);
	assert_true(json_is_null(json_object_get(doc, "requests")) && json_is_null(json_object_get(doc, "exchanges")));
	json_decref(doc);
	free(text);
}

TEST(close_json__is_an_object_with_null_for_what_is_unknown)
{
	struct conn c = closed(3);
	json_t *doc;

	c.local = SIDE_SERVER;
	RENDER(text, out, document_of_close(out, &c));
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	assert_string_equal(json_string_value(json_object_get(doc, "server")), "10.0.0.2:80");
	assert_string_equal(json_string_value(json_object_get(doc, "closed")), "2025-11-21T12:00:02.875000Z");
	assert_string_equal(json_string_value(json_object_get(doc, "first")), "server");
	assert_int_equal(json_integer_value(json_object_get(doc, "requests")), 3);
	assert_true(json_is_null(json_object_get(doc, "closer")));
	assert_true(json_is_null(json_object_get(doc, "rst_kind")));
	json_decref(doc);
	free(text);
}

static void fill(struct services *s, struct findings *f)
{
	services_init(s, 1);
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closed(1);

		c.start += i * S;
		c.last_data[SIDE_SERVER] += i * S;
		c.fin[SIDE_SERVER] = c.fin[SIDE_CLIENT] = c.last_data[SIDE_SERVER] + 1000;
		c.end = c.fin[SIDE_SERVER];
		assert_int_equal(services_add(s, &c), 0);
		c.port[SIDE_SERVER] = 81;
		if (i == 0)
			assert_int_equal(services_add(s, &c), 0);
	}
	assert_int_equal(causes_diagnose(s, NULL, f), 0);
}

TEST(services__each_with_its_verdict_proof_and_fix)
{
	struct services s;
	struct findings f;

	fill(&s, &f);
	RENDER(text, out, report_services_text(out, &s, &f, &brief));
	assert_non_null(strstr(text, "61 connections, 2 services, in 60 s"));
	assert_non_null(
		strstr(text, "10.0.0.2:80  60 connections; requests 1.0 each, 1 at most; server closed first 60"));
	assert_non_null(strstr(text, "  CLOSE_PER_REQUEST_BY_SERVER the server closes after each request"));
	assert_non_null(strstr(text, "    because   60 of 60 connections carried one request"));
	assert_non_null(strstr(text, "    or        nginx: keepalive_timeout 75s"));
	assert_non_null(strstr(text, "lastack explain KA001"));
	assert_non_null(strstr(text, "  INSUFFICIENT 1 connection began and ended"));
	free(text);
	findings_done(&f);
	services_done(&s);
}

TEST(services__both_ends__told_once)
{
	struct services all;
	struct findings f;

	services_init(&all, 1);
	for (unsigned i = 0; i < 120; i++) {
		struct conn c = closed(1);

		c.local = i % 2 ? SIDE_SERVER : SIDE_CLIENT;
		c.start += i * S;
		c.last_data[SIDE_SERVER] = c.start + S;
		c.fin[SIDE_SERVER] = c.fin[SIDE_CLIENT] = c.end = c.start + S + 1000;
		if (c.local == SIDE_CLIENT)
			c.opener = (struct conn_proc){.pid = 9, .comm = "shop"};
		assert_int_equal(services_add(&all, &c), 0);
	}
	assert_int_equal(causes_diagnose(&all, NULL, &f), 0);
	RENDER(text, out, report_services_text(out, &all, &f, &brief));
	assert_non_null(strstr(text, "120 ends of connections, 1 service, in "));
	assert_non_null(strstr(text, "1 seen from both ends"));
	assert_non_null(strstr(text, "\non 10.0.0.2:80  60 connections"));
	assert_null(strstr(text, "\nto 10.0.0.2:80"));
	assert_non_null(strstr(text, "the other end, to 10.0.0.2:80, says the same; opened by shop[9]"));
	free(text);
	findings_done(&f);
	services_done(&all);
}

TEST(services_json__verdicts_by_service_and_findings)
{
	const char *verdict;
	struct services s;
	struct findings f;
	json_t *doc;

	fill(&s, &f);
	RENDER(text, out, document_of_services(out, &s, &f));
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	assert_int_equal(json_array_size(json_object_get(doc, "services")), 2);
	verdict = json_string_value(
		json_array_get(json_object_get(json_array_get(json_object_get(doc, "services"), 0), "verdicts"), 0));
	assert_string_equal(verdict, "CLOSE_PER_REQUEST_BY_SERVER");
	assert_int_equal(json_array_size(json_object_get(doc, "findings")), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(doc, "findings"), 0), "service")),
		"10.0.0.2:80");
	json_decref(doc);
	free(text);
	findings_done(&f);
	services_done(&s);
}

TEST(services__what_was_lost_is_said)
{
	struct services s;
	struct findings f;

	fill(&s, &f);
	s.lost = 7;
	RENDER(text, out, report_services_text(out, &s, &f, &brief));
	assert_non_null(strstr(text, "7 more could not be followed: figures are too low"));
	assert_null(strstr(text, "missed"));
	free(text);
	s.lost = 0;
	s.unseen = 8;
	RENDER(events, out, report_services_text(out, &s, &f, &brief));
	text = events;
	assert_null(strstr(text, "followed"));
	assert_non_null(strstr(text, "8 reads, RSTs, retransmissions or names were missed"));
	free(text);
	findings_done(&f);
	services_done(&s);
}

RUN(T(services__both_ends__told_once), T(close__one_line__says_who_first_how_and_why),
    T(close__narrow_terminal__two_lines), T(close__reset_refused_and_timeout__in_words),
    T(close__began_before_we_looked__its_requests_are_unknown), T(close__why__right_after_the_answer_or_never_used),
    T(close_json__is_an_object_with_null_for_what_is_unknown), T(services__each_with_its_verdict_proof_and_fix),
    T(services_json__verdicts_by_service_and_findings), T(services__what_was_lost_is_said))
