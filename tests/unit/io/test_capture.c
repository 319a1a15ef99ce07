/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "io/capture.h"
#include "tests/unit/t.h"

static char path[64];
static struct why w;

/* A file of two packets of 4 octets, of which 3 are there; microseconds, little endian. */
static void write_file(uint32_t link, size_t cut)
{
	const uint32_t file[] = {0xa1b2c3d4, 0x00040002, 0,          0, 65535, link, 7, 999999,
				 3,          4,          0x00030201, 8, 0,     3,    4, 0x00060504};
	uint8_t octets[sizeof(file)];
	size_t len = sizeof(file) - 1; /* a packet has three octets, not the fourth of its word */
	FILE *f;

	memcpy(octets, file, sizeof(file));
	memmove(octets + 43, octets + 44, 19);
	snprintf(path, sizeof(path), "/tmp/lastack-capture-%d", (int)getpid());
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, len - 1 - cut, f), len - 1 - cut);
	assert_int_equal(fclose(f), 0);
	w = (struct why){""};
}

TEST(file__two_packets__both_and_the_end)
{
	struct capture *c = NULL;
	struct captured p;

	write_file(1, 0);
	assert_int_equal(capture_open(path, &c, &w), 0);
	assert_int_equal(capture_link(c), CAPTURE_ETHERNET);
	assert_int_equal(capture_next(c, &p, &w), 1);
	assert_true(p.at == 7 * NSEC_PER_S + 999999000);
	assert_int_equal(p.kept, 3);
	assert_int_equal(p.len, 4);
	assert_memory_equal(p.data, "\1\2\3", 3);
	assert_int_equal(capture_next(c, &p, &w), 1);
	assert_true(p.at == 8 * NSEC_PER_S);
	assert_memory_equal(p.data, "\4\5\6", 3);
	assert_int_equal(capture_next(c, &p, &w), 0);
	capture_close(c);
	unlink(path);
}

TEST(file__cut_in_a_packet__an_error_that_says_so)
{
	struct capture *c = NULL;
	struct captured p;

	write_file(101, 2);
	assert_int_equal(capture_open(path, &c, &w), 0);
	assert_int_equal(capture_link(c), CAPTURE_IP);
	assert_int_equal(capture_next(c, &p, &w), 1);
	assert_int_equal(capture_next(c, &p, &w), -EIO);
	assert_non_null(strstr(w.text, "truncated"));
	capture_close(c);
	unlink(path);
}

TEST(link_type__unknown__refused_by_name)
{
	struct capture *c = NULL;

	write_file(127, 0);
	assert_int_equal(capture_open(path, &c, &w), -EPROTONOSUPPORT);
	assert_null(c);
	assert_non_null(strstr(w.text, "link type 127"));
	unlink(path);
}

TEST(file__not_there__named_once)
{
	struct capture *c = NULL;

	assert_int_equal(capture_open("/nonexistent/file", &c, &w), -EINVAL);
	assert_string_equal(w.text, "/nonexistent/file: No such file or directory");
}

TEST(file__compressed__told_what_to_do)
{
	static const struct {
		const char *magic, *said;
	} kinds[] = {{"\x1f\x8b\x08\x01", "gzip -dc"},
		     {"\xfd"
		      "7zX",
		      "xz -dc"},
		     {"\x28\xb5\x2f\xfd", "zstd -dc"}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct capture *c = NULL;
		FILE *f;

		write_file(1, 0);
		f = fopen(path, "wb");
		assert_non_null(f);
		assert_int_equal(fwrite(kinds[i].magic, 1, 4, f), 4);
		for (unsigned n = 0; n < 40; n++)
			fputc(7, f);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(capture_open(path, &c, &w), -EINVAL);
		assert_non_null(strstr(w.text, kinds[i].said));
		unlink(path);
	}
}

RUN(T(file__two_packets__both_and_the_end), T(file__cut_in_a_packet__an_error_that_says_so),
    T(link_type__unknown__refused_by_name), T(file__not_there__named_once), T(file__compressed__told_what_to_do))
