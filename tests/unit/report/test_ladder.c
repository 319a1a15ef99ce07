/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <stdlib.h>
#include <string.h>

#include "report/ladder.h"

static const struct ladder_step steps[] = {
	{.at = 5 * NSEC_PER_S, .by = SIDE_CLIENT, .flags = STEP_SYN},
	{.at = 5 * NSEC_PER_S + 1000, .by = SIDE_SERVER, .flags = STEP_SYN | STEP_ACK, .ack = 1},
	{.at = 5 * NSEC_PER_S + 2000,
	 .by = SIDE_CLIENT,
	 .flags = STEP_ACK,
	 .seq = 1,
	 .ack = 1,
	 .len = 1234,
	 .says = "GET /<&> HTTP/1.1"},
	{.at = 7 * NSEC_PER_S, .by = SIDE_CLIENT, .flags = STEP_ACK | STEP_AGAIN, .seq = 1, .ack = 1, .len = 1},
	{.at = 20 * NSEC_PER_S, .by = SIDE_SERVER, .flags = STEP_RST, .seq = 1},
};

static char *drawn(void (*draw)(FILE *, const struct ladder *), size_t left_out)
{
	struct conn c = {.port = {40000, 80}, .first = SIDE_SERVER};
	struct ladder l = {
		.conn = &c, .steps = steps, .n = sizeof(steps) / sizeof(steps[0]), .gap_at = 3, .left_out = left_out};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_true(ip_parse("10.0.0.1", &c.addr[0]) && ip_parse("2001:db8::2", &c.addr[1]));
	draw(f, &l);
	fclose(f);
	return text;
}

static void expect(const char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		fail_msg("no '%s' in\n%s", wanted, text);
}

TEST(text__a_line_for_each_step_and_pause)
{
	char *text = drawn(ladder_text, 0);

	expect(text, "client 10.0.0.1:40000, server [2001:db8::2]:80\n");
	expect(text, "    0.000000 s  client ->  SYN, seq 0\n");
	expect(text, "    0.000001 s  <- server  SYN, seq 0, ack 1\n");
	expect(text, "client ->  1,234 octets, seq 1, ack 1: GET /<&> HTTP/1.1\n");
	expect(text, "  2.000 s of silence\n");
	expect(text, "client ->  1 octet, seq 1, ack 1, sent again\n");
	expect(text, "  13 s of silence\n");
	expect(text, "   15.000000 s  <- server  RST, seq 1\n");
	free(text);
}

TEST(text__left_out_steps_are_told)
{
	char *text = drawn(ladder_text, 1500);

	expect(text, "1,500 segments are left out\n");
	free(text);
}

TEST(svg__an_arrow_for_each_step_and_nothing_unescaped)
{
	char *text = drawn(ladder_svg, 0);
	unsigned arrows = 0;

	for (const char *p = text; (p = strstr(p, "stroke-width=\"1.5\"")); p++)
		arrows++;
	assert_int_equal(arrows, 5);
	expect(text, "GET /&lt;&amp;&gt; HTTP/1.1");
	expect(text, ">2.000 s of silence<");
	expect(text, "the server closed first");
	expect(text, "#d62728");
	expect(text, "</svg>");
	free(text);
}

RUN(T(text__a_line_for_each_step_and_pause), T(text__left_out_steps_are_told),
    T(svg__an_arrow_for_each_step_and_nothing_unescaped))
