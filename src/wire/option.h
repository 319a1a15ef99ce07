/* SPDX-License-Identifier: MIT */
/* option.h - TCP options as they stand in a header (RFC 9293 3.1, 2018, 7323). Of wire/, and of the simulator's middleboxes. */
#pragma once

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
};
enum { OPT_MSS_LEN = 4, OPT_WSCALE_LEN = 3, OPT_SACK_PERMITTED_LEN = 2, OPT_TS_LEN = 10, OPT_SACK_BLOCK_LEN = 8 };

/* The words everybody sends; host order. An option of 4n - 2 octets is padded in front (RFC 7323 appendix A). */
enum {
	OPT_WORD_MSS = OPT_MSS << 24 | OPT_MSS_LEN << 16, /* | MSS */
	OPT_WORD_TS = OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | OPT_TS_LEN,
	OPT_WORD_SACK_TS = OPT_SACK_PERMITTED << 24 | OPT_SACK_PERMITTED_LEN << 16 | OPT_TS << 8 | OPT_TS_LEN,
	OPT_WORD_SACK_PERMITTED = OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_PERMITTED << 8 | OPT_SACK_PERMITTED_LEN,
	OPT_WORD_WSCALE = OPT_NOP << 24 | OPT_WSCALE << 16 | OPT_WSCALE_LEN << 8, /* | shift */
	OPT_WORD_SACK = OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8, /* | length */
};
