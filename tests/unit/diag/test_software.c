/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/closes.h"

TEST(settings__every_cure_has_one_for_programmers_and_all_fit)
{
	for (int cure = CURE_KEEP; cure <= CURE_NO_RESET; cure++)
		for (int s = SW_ANY; s < N_SOFTWARE; s++) {
			struct finding f = {0};

			remedy_settings(&f, (enum cure)cure, (enum software)s);
			assert_in_range(f.n_remedies, 1, REMEDIES_MAX);
			for (size_t i = 0; i < f.n_remedies; i++) {
				assert_true(strlen(f.remedies[i].action) < sizeof(f.remedies[i].action) - 1);
				assert_true(strlen(f.remedies[i].precondition) <
					    sizeof(f.remedies[i].precondition) - 1);
			}
		}
}

TEST(settings__a_known_program_gets_its_own)
{
	struct finding f = {0};

	remedy_settings(&f, CURE_CAP, SW_NGINX);
	assert_int_equal(f.n_remedies, 2);
	assert_says(f.remedies[0].action, "keepalive_requests");
	assert_null(strstr(f.remedies[1].action, "Apache"));
}

TEST(fingerprints__name_candidates)
{
	assert_says(likely_server_idle(75100 * MS).s, "nginx");
	assert_says(likely_server_idle(75100 * MS).s, " or Python aiohttp");
	assert_says(likely_server_idle(6000 * MS).s, "Node.js");
	assert_string_equal(likely_server_idle(7 * S).s, "");
	assert_says(likely_requests(101).s, "Apache httpd");
	assert_string_equal(likely_requests(102).s, "");
	assert_string_equal(likely_client_idle(75100 * MS).s, "");
}

TEST(software__by_header_then_by_process)
{
	struct service v = {.server = "nginx/1.22.1", .agent = "Go-http-client/1.1"};

	assert_int_equal(software_of_server(&v), SW_NGINX);
	assert_int_equal(software_of_client(&v), SW_GO);
	v.opener[0].proc = (struct conn_proc){.pid = 3, .comm = "haproxy"};
	assert_int_equal(software_of_client(&v), SW_HAPROXY);
	v = (struct service){.server = "nginxish?"};
	v.closes[SIDE_SERVER].by[0].proc = (struct conn_proc){.pid = 4, .comm = "node"};
	assert_int_equal(software_of_server(&v), SW_NGINX);
	v.server[0] = '\0';
	assert_int_equal(software_of_server(&v), SW_NODE);
	v.closes[SIDE_SERVER].by[0].proc.pid = 0;
	assert_int_equal(software_of_server(&v), SW_ANY);
	assert_string_equal(software_name(SW_ANY), "");
}

RUN(T(settings__every_cure_has_one_for_programmers_and_all_fit), T(settings__a_known_program_gets_its_own),
    T(fingerprints__name_candidates), T(software__by_header_then_by_process))
