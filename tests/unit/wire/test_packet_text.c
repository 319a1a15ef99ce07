/* SPDX-License-Identifier: MIT */
#include "tests/unit/wire/rig.h"

TEST(text__plain_ack)
{
	struct seg s = seg4();

	assert_string_equal(seg_text(&s).s,
			    "192.0.2.1:40001 > 198.51.100.2:80 [.] seq 4275878552 ack 305419896 win 65520 len 0");
}

TEST(text__syn_with_everything_over_ipv6)
{
	struct seg s = seg6();

	s.flags = F_SYN;
	s.opts = (struct tcp_opts){.has_mss = true,
				   .mss = 1440,
				   .sack_permitted = true,
				   .has_ts = true,
				   .tsval = 1,
				   .tsecr = 2,
				   .has_wscale = true,
				   .wscale = 7,
				   .n_sack = 2,
				   .sack = {{seq(3), seq(4)}, {seq(5), seq(6)}}};
	assert_string_equal(seg_text(&s).s,
			    "[2001:db8::1]:40001 > [2001:db8:ffff:1:2:3:4:5]:80 [S] seq 4275878552 win 65520 "
			    "len 0 <mss 1440,sackOK,TS val 1 ecr 2,wscale 7,sack 3:4 5:6>");
}

TEST(text__every_flag_has_its_letter)
{
	struct seg s = seg4();

	s.flags = 0xff;
	s.urg = 9;
	s.len = 5;
	assert_non_null(strstr(seg_text(&s).s, " [FSRP.UEW] "));
	assert_non_null(strstr(seg_text(&s).s, " urg 9 len 5"));
	s.flags = 0;
	assert_non_null(strstr(seg_text(&s).s, " [none] seq 4275878552 win"));
	s.opts.n_sack = 1;
	s.opts.sack[0].from = s.opts.sack[0].to = seq(0);
	assert_non_null(strstr(seg_text(&s).s, " <sack 0:0>"));
}

TEST(text__the_longest_one_fits)
{
	struct seg s = {.sport = 65535, .dport = 65535, .seq = seq(UINT32_MAX), .ack = seq(UINT32_MAX), .wnd = 65535};
	size_t len;

	memset(&s.src, 0xff, sizeof(s.src));
	memset(&s.dst, 0xff, sizeof(s.dst));
	s.flags = 0xff;
	s.urg = 65535;
	s.len = UINT32_MAX;
	s.opts = (struct tcp_opts){.has_mss = true,
				   .mss = 65535,
				   .sack_permitted = true,
				   .has_ts = true,
				   .tsval = UINT32_MAX,
				   .tsecr = UINT32_MAX,
				   .has_wscale = true,
				   .wscale = 255,
				   .n_sack = 4};
	for (size_t i = 0; i < SACK_BLOCKS_MAX; i++)
		s.opts.sack[i].from = s.opts.sack[i].to = seq(UINT32_MAX);
	len = strlen(seg_text(&s).s);
	assert_in_range(len, 100, sizeof(struct seg_text) - 2);
	assert_int_equal(seg_text(&s).s[len - 1], '>');
}

RUN(T(text__plain_ack), T(text__syn_with_everything_over_ipv6), T(text__every_flag_has_its_letter),
    T(text__the_longest_one_fits))
