/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knob/knob.h"
#include "obs/sysctl.h"

TEST(knob_text__second_word_of_a_range__is_found_behind_a_tab)
{
	int64_t v = 0;

	assert_true(knob_text_parse("32768\t60999\n", 0, &v));
	assert_int_equal(v, 32768);
	assert_true(knob_text_parse("32768\t60999\n", 1, &v));
	assert_int_equal(v, 60999);
	assert_false(knob_text_parse("32768\t60999\n", 2, &v));
	assert_true(knob_text_parse("-262144\n", 0, &v));
	assert_int_equal(v, -262144);
	assert_false(knob_text_parse("", 0, &v));
	assert_false(knob_text_parse("cubic\n", 0, &v));
}

static void reserved(const char *text, size_t n, const struct port_range *want)
{
	struct port_range *v;
	size_t got;

	assert_int_equal(reserved_parse(text, &v, &got), 0);
	assert_int_equal(got, n);
	if (n)
		assert_memory_equal(v, want, n * sizeof(*want));
	free(v);
}

TEST(reserved__single_ports_and_ranges__are_read)
{
	reserved("8080,9000-9010\n", 2, (const struct port_range[]){{8080, 8080}, {9000, 9010}});
	reserved("\n", 0, NULL);
	reserved("", 0, NULL);
}

TEST(reserved__out_of_order_and_overlapping__are_sorted_and_joined)
{
	reserved("9005-9020,100,9000-9010,101,9015", 2, (const struct port_range[]){{100, 101}, {9000, 9020}});
	reserved("65535,0-65534", 1, (const struct port_range[]){{0, 65535}});
}

TEST(reserved__nonsense__is_skipped_without_losing_the_rest)
{
	reserved("x,5-,-7,9-8,70000,1-70000,,12345678901234567890,77\n", 1, (const struct port_range[]){{77, 77}});
}

static void line(const char *text, const char *name, const char *value)
{
	struct config_line c = {.name = "untouched"};

	if (!name) {
		assert_false(config_line_parse(text, &c));
		assert_string_equal(c.name, "untouched");
		return;
	}
	assert_true(config_line_parse(text, &c));
	assert_string_equal(c.name, name);
	assert_string_equal(c.value, value);
}

TEST(config_line__every_spelling_of_an_assignment__is_understood)
{
	line("net.ipv4.tcp_tw_recycle=1", "net.ipv4.tcp_tw_recycle", "1");
	line("  net.ipv4.tcp_tw_reuse\t=  1 ", "net.ipv4.tcp_tw_reuse", "1");
	line("-net/ipv4/tcp_fin_timeout = 15\r", "net.ipv4.tcp_fin_timeout", "15");
	line("- net.ipv4.tcp_fin_timeout = 15", "net.ipv4.tcp_fin_timeout", "15");
	line("net.ipv4.ip_local_port_range = 1024  65535", "net.ipv4.ip_local_port_range", "1024  65535");
	line("net.ipv4.tcp_tw_reuse=", "net.ipv4.tcp_tw_reuse", "");
}

TEST(config_line__comments_and_other_settings__are_passed_over)
{
	line("# net.ipv4.tcp_tw_reuse = 1", NULL, NULL);
	line("; net.ipv4.tcp_tw_reuse = 1", NULL, NULL);
	line("  #net.ipv4.tcp_tw_reuse = 1", NULL, NULL);
	line("vm.swappiness = 10", NULL, NULL);
	line("tw_reuse = 1", NULL, NULL);
	line("engine.time_wait_ms = 1", NULL, NULL);
	line("net.ipv4.tcp_tw_reuse", NULL, NULL);
	line("= 1", NULL, NULL);
	line("-=1", NULL, NULL);
	line("", NULL, NULL);
}

TEST(config_line__control_characters_in_the_value__cannot_reach_the_screen)
{
	line("net.ipv4.tcp_tw_reuse = \x1b[31m1", "net.ipv4.tcp_tw_reuse", "?[31m1");
}

/* ---- a tree of files ---- */

static char root[] = "/tmp/test_sysctl_XXXXXX";

static void put(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void folder(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static void link_to(const char *target, const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(symlink(target, full), 0);
}

static void remove_tree(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path we made ourselves */
}

static void make_tree(void)
{
	snprintf(root, sizeof(root), "/tmp/test_sysctl_XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < 7; i++)
		folder((const char *[]){"/etc", "/etc/sysctl.d", "/run", "/run/sysctl.d", "/usr", "/usr/lib",
					"/usr/lib/sysctl.d"}[i]);
}

static void expect(const struct config_line *c, const char *file, uint32_t number, const char *value)
{
	assert_string_equal(c->file, file);
	assert_int_equal(c->line, number);
	assert_string_equal(c->value, value);
}

TEST(config__same_file_name_in_etc__hides_the_one_in_run_and_usr_lib)
{
	struct config_line *v;
	size_t n;

	make_tree();
	put("/etc/sysctl.d/50-a.conf", "net.ipv4.tcp_tw_reuse=1\n");
	put("/run/sysctl.d/50-a.conf", "net.ipv4.tcp_tw_reuse=2\n");
	put("/usr/lib/sysctl.d/50-a.conf", "net.ipv4.tcp_tw_reuse=3\n");
	put("/run/sysctl.d/40-b.conf", "# head\n\nnet.ipv4.tcp_fin_timeout=4\n");
	put("/usr/lib/sysctl.d/40-b.conf", "net.ipv4.tcp_fin_timeout=5\n");
	put("/usr/lib/sysctl.d/60-c.conf", "net.ipv4.tcp_syncookies=6\n");
	put("/usr/lib/sysctl.d/README", "net.ipv4.tcp_syncookies=7\n");
	assert_int_equal(config_read(root, &v, &n), 0);
	assert_int_equal(n, 3);
	expect(&v[0], "/run/sysctl.d/40-b.conf", 3, "4");
	expect(&v[1], "/etc/sysctl.d/50-a.conf", 1, "1");
	expect(&v[2], "/usr/lib/sysctl.d/60-c.conf", 1, "6");
	free(v);
	remove_tree();
}

TEST(config__link_to_sysctl_conf__is_read_once_and_named_as_people_know_it)
{
	struct config_line *v;
	size_t n;

	make_tree();
	put("/etc/sysctl.conf", "net.ipv4.tcp_tw_recycle = 1\n");
	link_to("../sysctl.conf", "/etc/sysctl.d/99-sysctl.conf");
	put("/etc/sysctl.d/99-z.conf", "net.ipv4.tcp_tw_reuse = 1\n");
	link_to("usr/lib", "/lib");
	put("/usr/lib/sysctl.d/10-x.conf", "net.ipv4.tcp_rfc1337 = 1\n");
	assert_int_equal(config_read(root, &v, &n), 0);
	assert_int_equal(n, 3);
	expect(&v[0], "/usr/lib/sysctl.d/10-x.conf", 1, "1");
	expect(&v[1], "/etc/sysctl.d/99-z.conf", 1, "1");
	expect(&v[2], "/etc/sysctl.conf", 1, "1");
	assert_string_equal(v[2].name, "net.ipv4.tcp_tw_recycle");
	free(v);
	remove_tree();
}

TEST(config__file_masked_by_dev_null__hides_the_vendors)
{
	struct config_line *v;
	size_t n;

	make_tree();
	link_to("/dev/null", "/etc/sysctl.d/50-a.conf");
	put("/usr/lib/sysctl.d/50-a.conf", "net.ipv4.tcp_tw_reuse=3\n");
	assert_int_equal(config_read(root, &v, &n), 0);
	assert_int_equal(n, 0);
	free(v);
	remove_tree();
}

TEST(config__no_files_at_all__is_an_empty_list)
{
	struct config_line *v;
	size_t n = 7;

	assert_int_equal(config_read("/nonexistent", &v, &n), 0);
	assert_int_equal(n, 0);
	free(v);
}

TEST(live__this_kernel__has_the_port_range_and_the_constant)
{
	struct netns ns = {.inode = 0};

	assert_int_equal(knobs_read(&ns), 0);
	assert_true(ns.knob_known[KNOB_time_wait_len_s]);
	assert_int_equal(ns.knob[KNOB_time_wait_len_s], 60);
	assert_true(ns.knob_known[KNOB_port_low]);
	assert_true(ns.knob_known[KNOB_port_high]);
	assert_true(ns.knob[KNOB_port_low] <= ns.knob[KNOB_port_high]);
	free(ns.reserved);
}

RUN(T(knob_text__second_word_of_a_range__is_found_behind_a_tab), T(reserved__single_ports_and_ranges__are_read),
    T(reserved__out_of_order_and_overlapping__are_sorted_and_joined),
    T(reserved__nonsense__is_skipped_without_losing_the_rest),
    T(config_line__every_spelling_of_an_assignment__is_understood),
    T(config_line__comments_and_other_settings__are_passed_over),
    T(config_line__control_characters_in_the_value__cannot_reach_the_screen),
    T(config__same_file_name_in_etc__hides_the_one_in_run_and_usr_lib),
    T(config__link_to_sysctl_conf__is_read_once_and_named_as_people_know_it),
    T(config__file_masked_by_dev_null__hides_the_vendors), T(config__no_files_at_all__is_an_empty_list),
    T(live__this_kernel__has_the_port_range_and_the_constant))
