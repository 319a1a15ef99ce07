/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <jansson.h>
#include <unistd.h>

#include "cli/complain.h"
#include "cli/sim_show.h"
#include "tests/unit/cli/run.h"

/* ---- arguments ---- */

TEST(wrong_arguments__are_told_in_one_line)
{
	static const struct {
		const char *args[5], *says;
	} cases[] = {
		{{"--set", "nonsense=1"}, "no such knob: 'nonsense'"},
		{{"--set", "engine.time_wait_ms"}, "is not NAME=VALUE"},
		{{"--set", "engine.time_wait_ms=x"}, "'x' is no value for engine.time_wait_ms"},
		{{"--set", "net.ipv4.tcp_tw_reuse=9"}, "'9' is out of range"},
		{{"--runs", "0"}, "--runs"},
		{{"--hosts", "7"}, "--hosts"},
		{{"--policy", "bsd"}, "'bsd' is not one of"},
		{{"--faults", "many"}, "'many' is not one of"},
		{{"--runs", "2", "--verbose"}, "--verbose is for one run"},
		{{"--runs", "2", "--pcap", "x"}, "--pcap is for one run"},
		{{"--verbose", "--json"}, "cannot be combined"},
		{{"--plot", "x", "--runs", "2"}, "--plot goes with --seed, --set and --json only"},
		{{"--plot", "x", "--verbose"}, "--plot goes with --seed, --set and --json only"},
		{{"extra"}, "takes no arguments"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *args[8] = {"lastack", "sim"};
		struct run r;

		memcpy(args + 2, cases[i].args, sizeof(cases[i].args));
		r = run_cli(args);
		if (r.code != EXIT_USAGE || r.out[0] || !strstr(r.err, cases[i].says))
			fail_msg("%s: code %d, out '%s', err '%s'", args[2], r.code, r.out, r.err);
		run_done(&r);
	}
}

TEST(many_settings__are_taken)
{
	RUN_CLI(r, "sim", "--set",
		"engine.time_wait_ms=500,engine.tw_full=skip,net.ipv4.ip_local_port_range=40000 40010");
	RUN_CLI(no_file, "sim", "--pcap", "/nonexistent/file");

	assert_int_equal(r.code, EXIT_FINE);
	assert_string_equal(r.err, "");
	assert_int_equal(no_file.code, EXIT_INTERNAL);
	run_done(&r);
	run_done(&no_file);
}

/* ---- runs ---- */

static json_t *json_of(const struct run *r)
{
	json_t *j = json_loads(r->out, 0, NULL);

	assert_non_null(j);
	json_object_del(j, "seconds");
	return j;
}

TEST(runs__add_up_whatever_the_number_of_processes)
{
	RUN_CLI(one, "sim", "--seed", "7", "--runs", "40", "--jobs", "1", "--json");
	RUN_CLI(four, "sim", "--seed", "7", "--runs", "40", "--jobs", "4", "--json");
	json_t *a = json_of(&one), *b = json_of(&four);

	assert_int_equal(one.code, EXIT_FINE);
	assert_true(json_equal(a, b));
	assert_int_equal(json_integer_value(json_object_get(a, "runs_done")), 40);
	assert_true(json_is_null(json_object_get(a, "failure")));
	json_decref(a);
	json_decref(b);
	run_done(&one);
	run_done(&four);
}

TEST(pcap__holds_every_packet_that_arrived)
{
	char path[] = "/tmp/lastack-test-XXXXXX";
	int fd = mkstemp(path);
	struct run r = run_cli((const char *[]){"lastack", "sim", "--seed", "3", "--json", "--pcap", path, NULL});
	json_t *j = json_of(&r);
	FILE *f = fdopen(fd, "rb");
	uint32_t head[6], packet[4], last = 0;
	int64_t n = 0;

	assert_int_equal(r.code, EXIT_FINE);
	assert_int_equal(fread(head, sizeof(head), 1, f), 1);
	assert_int_equal(head[0], 0xa1b23c4d);
	assert_int_equal(head[5], 101);
	while (fread(packet, sizeof(packet), 1, f) == 1) {
		assert_true(packet[0] >= last && packet[1] < 1000000000 && packet[2] == packet[3]);
		last = packet[0];
		assert_int_equal(fseek(f, packet[2], SEEK_CUR), 0);
		n++;
	}
	assert_int_equal(n, json_integer_value(json_object_get(j, "packets_arrived")));
	fclose(f);
	unlink(path);
	json_decref(j);
	run_done(&r);
}

TEST(verbose__tells_packets_and_edges_before_the_summary)
{
	RUN_CLI(r, "sim", "--seed", "3", "-v");

	assert_int_equal(r.code, EXIT_FINE);
	assert_non_null(strstr(r.out, " sends 10.0.0."));
	assert_non_null(strstr(r.out, "F5_03_ACTIVE_OPEN"));
	assert_non_null(strstr(r.out, "1 run, seed 3: every rule held"));
	run_done(&r);
}

/* ---- failures ---- */

static const struct knob_setting set[] = {{"engine.time_wait_ms", "5"}, {"net.ipv4.tcp_tw_reuse", "1"}};

static char *shown(const struct sim_jobs_result *r, bool json)
{
	const struct sim_cfg cfg = {
		.seed = 1,
		.wishes = {.hosts = 3, .policy = POLICY_RFC9293, .faults = SIM_FAULTS_ALL, .set = set, .n_set = 2}};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (json)
		sim_show_json(out, &cfg, 100, r);
	else
		sim_show_text(out, &cfg, 100, r);
	fclose(out);
	return text;
}

TEST(a_failure__is_told_with_rule_place_and_the_command_that_replays_it)
{
	static const char replay[] = "lastack sim --seed 42 --hosts 3 --policy rfc9293 --faults all --set "
				     "'engine.time_wait_ms=5,net.ipv4.tcp_tw_reuse=1' --pcap failed.pcap";
	struct sim_jobs_result r = {.failed = true, .failure = {.seed = 42}};
	char *text, *json;
	json_t *root, *j;

	r.failure.verdict = (struct verdict){.failed = true, .checker = CHECK_ACK, .at = 1500000000, .host = 1};
	r.failure.verdict.local = net_address(1, false, 80);
	r.failure.verdict.remote = net_address(0, true, 9000);
	why_set(&r.failure.verdict.why, "acknowledges too much");
	text = shown(&r, false);
	json = shown(&r, true);
	assert_non_null(strstr(text, "seed 42 failed\n"));
	assert_non_null(strstr(text, "ack: nothing is acknowledged that did not arrive\n"));
	assert_non_null(strstr(text, "host 2, 10.0.0.2:80 to [2001:db8::1]:9000, at 1.500000 s\n"));
	assert_non_null(strstr(text, "acknowledges too much\n"));
	assert_non_null(strstr(text, replay));
	root = json_loads(json, 0, NULL);
	j = json_object_get(root, "failure");
	assert_string_equal(json_string_value(json_object_get(j, "checker")), "ack");
	assert_string_equal(json_string_value(json_object_get(j, "replay")), replay);
	json_decref(root);
	free(text);
	free(json);
}

TEST(a_run_that_died__is_told_with_its_signal)
{
	struct sim_jobs_result r = {.failed = true, .failure = {.seed = 42}, .died_of = 6};
	char *text = shown(&r, false);

	assert_non_null(strstr(text, "signal 6"));
	assert_non_null(strstr(text, "--seed 42"));
	free(text);
}

/* ---- the plot ---- */

TEST(plot__writes_a_page_and_the_figures)
{
	char path[] = "/tmp/lastack-plot-XXXXXX", *page;
	int fd = mkstemp(path);
	json_t *j, *row;
	size_t i;

	assert_true(fd >= 0);
	{
		RUN_CLI(r, "sim", "--plot", path, "--json");

		assert_int_equal(r.code, EXIT_FINE);
		j = json_of(&r);
		run_done(&r);
	}
	json_array_foreach(json_object_get(j, "scenarios"), i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));

		if (json_number_value(json_object_get(row, "jain")) <= 0.95)
			fail_msg("%s: Jain's index is %g", name, json_number_value(json_object_get(row, "jain")));
		assert_true(json_integer_value(json_object_get(row, "packets")) > 10000);
	}
	assert_true(i >= 4);
	json_decref(j);
	page = calloc(1, 4 << 20);
	assert_true(read(fd, page, (4 << 20) - 1) > 100000);
	assert_memory_equal(page, "<svg ", 5);
	assert_string_equal(page + strlen(page) - 7, "</svg>\n");
	assert_non_null(strstr(page, ">A. One flow"));
	assert_non_null(strstr(page, "CUBIC's model, RFC 9438 5"));
	free(page);
	close(fd);
	unlink(path);
}

TEST(plot__that_cannot_be_written__is_told)
{
	RUN_CLI(r, "sim", "--plot", "/nonexistent/page.svg");

	assert_int_equal(r.code, EXIT_INTERNAL);
	assert_non_null(strstr(r.err, "--plot: /nonexistent/page.svg"));
	run_done(&r);
}

RUN(T(wrong_arguments__are_told_in_one_line), T(many_settings__are_taken),
    T(runs__add_up_whatever_the_number_of_processes), T(pcap__holds_every_packet_that_arrived),
    T(verbose__tells_packets_and_edges_before_the_summary),
    T(a_failure__is_told_with_rule_place_and_the_command_that_replays_it), T(a_run_that_died__is_told_with_its_signal),
    T(plot__writes_a_page_and_the_figures), T(plot__that_cannot_be_written__is_told))
