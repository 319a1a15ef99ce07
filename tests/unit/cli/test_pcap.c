/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <jansson.h>
#include <unistd.h>

#include "cli/complain.h"
#include "cli/pcap_file.h"
#include "tests/unit/cli/run.h"
#include "tests/unit/flow/talk.h"

static char path[64], svg[64];

static void to_file(void *arg, nsec_t at, const uint8_t *packet, size_t len) { pcap_packet(arg, at, packet, len); }

/* Two connections: one closed by the server, one reset by the client. */
static void write_capture_of(nsec_t later)
{
	struct talk t;
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/lastack-pcap-%d", (int)getpid());
	snprintf(svg, sizeof(svg), "/tmp/lastack-pcap-%d.svg", (int)getpid());
	f = fopen(path, "wb");
	assert_non_null(f);
	pcap_begin(f);
	for (unsigned i = 0; i < 2; i++) {
		talk_init(&t, (uint16_t)(40000 + i));
		t.packet = to_file;
		t.arg = f;
		t.now += later + i * NSEC_PER_S;
		talk_open(&t);
		talk_say(&t, SIDE_CLIENT, "GET / HTTP/1.1\r\n\r\n");
		talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		if (i == 0)
			talk_close(&t, SIDE_SERVER);
		else
			talk_seg(&t, SIDE_CLIENT, F_RST | F_ACK, NULL, 0);
	}
	assert_int_equal(fclose(f), 0);
}

static void write_capture(void) { write_capture_of(0); }

TEST(wrong_arguments__are_told_in_one_line)
{
	static const struct {
		const char *args[6], *says;
	} cases[] = {
		{{NULL}, "which capture?"},
		{{"/nonexistent/file"}, "/nonexistent/file: No such file"},
		{{"/dev/null"}, "/dev/null"},
		{{"x", "--svg", "y"}, "--svg goes with --ladder"},
		{{"x", "--ladder", "0"}, "'0' is neither a number nor ADDRESS:PORT"},
		{{"x", "--ladder", "1x"}, "is neither"},
		{{"x", "--ladder", "10.0.0.1:99999"}, "is neither"},
		{{"x", "--ladder", "host:1"}, "is neither"},
		{{"x", "--ladder", "1", "--json"}, "--ladder and --json cannot be combined"},
		{{"x", "--ladder", "1", "--conns"}, "--ladder and --conns cannot be combined"},
		{{"-", "--ladder", "1"}, "reads a capture twice"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *args[9] = {"lastack", "pcap"};
		struct run r;

		memcpy(args + 2, cases[i].args, sizeof(cases[i].args));
		r = run_cli(args);
		if (r.code != EXIT_USAGE || r.out[0] || !strstr(r.err, cases[i].says))
			fail_msg("case %zu: code %d, out '%s', err '%s'", i, r.code, r.out, r.err);
		run_done(&r);
	}
}

TEST(capture__as_text_and_json__has_its_counts)
{
	json_t *doc, *capture;

	write_capture();
	{
		RUN_CLI(text, "pcap", path);
		RUN_CLI(json, "pcap", path, "--json");

		assert_int_equal(text.code, EXIT_FINE);
		assert_string_equal(text.err, "");
		assert_non_null(strstr(text.out, "18 TCP segments\n2 connections"));
		doc = json_loads(json.out, 0, NULL);
		assert_non_null(doc);
		assert_int_equal(json_integer_value(json_object_get(doc, "schema")), 1);
		capture = json_object_get(doc, "capture");
		assert_int_equal(json_integer_value(json_object_get(capture, "tcp")), 18);
		assert_int_equal(json_integer_value(json_object_get(capture, "conns")), 2);
		assert_true(json_is_null(json_object_get(capture, "damage")));
		assert_true(json_is_array(json_object_get(doc, "findings")));
		json_decref(doc);
		run_done(&text);
		run_done(&json);
	}
	unlink(path);
}

TEST(connections__as_json__a_line_each_and_the_summary)
{
	unsigned lines = 0;

	write_capture();
	{
		RUN_CLI(r, "pcap", path, "--conns", "--json");

		for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
			json_t *o = json_loads(line, 0, NULL);

			assert_non_null(o);
			assert_true(json_is_object(json_object_get(o, lines < 2 ? "conn" : "capture")));
			json_decref(o);
		}
		assert_int_equal(lines, 3);
		run_done(&r);
	}
	unlink(path);
}

TEST(ladder__by_number_and_by_address__the_same_connection)
{
	write_capture();
	{
		RUN_CLI(number, "pcap", path, "--ladder", "2");
		RUN_CLI(address, "pcap", path, "--ladder", "10.0.0.1:40001");
		RUN_CLI(none, "pcap", path, "--ladder", "3");

		assert_int_equal(number.code, EXIT_FINE);
		assert_non_null(strstr(number.out, "client 10.0.0.1:40001, server 10.0.0.2:80"));
		assert_non_null(strstr(number.out, "18 octets, seq 1, ack 1: GET / HTTP/1.1"));
		assert_non_null(strstr(number.out, "RST, seq 19, ack 39"));
		assert_string_equal(number.out, address.out);
		assert_int_equal(none.code, EXIT_USAGE);
		assert_non_null(strstr(none.err, "no connection '3' among the 2"));
		run_done(&number);
		run_done(&address);
		run_done(&none);
	}
	unlink(path);
}

TEST(ladder__as_svg__is_written)
{
	char head[8] = "";
	FILE *f;

	write_capture();
	{
		RUN_CLI(r, "pcap", path, "--ladder", "1", "--svg", svg);
		RUN_CLI(nowhere, "pcap", path, "--ladder", "1", "--svg", "/nonexistent/file");

		assert_int_equal(r.code, EXIT_FINE);
		assert_string_equal(r.out, "");
		assert_int_equal(nowhere.code, EXIT_INTERNAL);
		f = fopen(svg, "r");
		assert_non_null(f);
		assert_int_equal(fread(head, 1, 4, f), 4);
		assert_string_equal(head, "<svg");
		fclose(f);
		run_done(&r);
		run_done(&nowhere);
	}
	unlink(path);
	unlink(svg);
}

TEST(capture__cut_at_its_end__what_came_before_counts)
{
	write_capture();
	assert_int_equal(truncate(path, 24 + 16 + 40 + 16 + 40 + 7), 0);
	{
		RUN_CLI(r, "pcap", path);

		assert_int_equal(r.code, EXIT_INCOMPLETE);
		assert_non_null(strstr(r.err, "truncated"));
		assert_non_null(strstr(r.out, "2 TCP segments"));
		run_done(&r);
	}
	unlink(path);
}

TEST(files__two__read_as_one_capture_in_order_or_it_is_said)
{
	char later[80];

	write_capture_of(10 * NSEC_PER_S);
	snprintf(later, sizeof(later), "%s.later", path);
	assert_int_equal(rename(path, later), 0);
	write_capture();
	{
		RUN_CLI(r, "pcap", path, later);
		RUN_CLI(wrong, "pcap", later, path);

		assert_int_equal(r.code, EXIT_FINE);
		assert_string_equal(r.err, "");
		assert_non_null(strstr(r.out, "36 TCP segments"));
		run_done(&r);
		assert_int_equal(wrong.code, EXIT_INCOMPLETE);
		assert_non_null(strstr(wrong.err, "begins before"));
		run_done(&wrong);
	}
	unlink(path);
	unlink(later);
}

RUN(T(wrong_arguments__are_told_in_one_line), T(capture__as_text_and_json__has_its_counts),
    T(connections__as_json__a_line_each_and_the_summary), T(ladder__by_number_and_by_address__the_same_connection),
    T(ladder__as_svg__is_written), T(capture__cut_at_its_end__what_came_before_counts),
    T(files__two__read_as_one_capture_in_order_or_it_is_said))
