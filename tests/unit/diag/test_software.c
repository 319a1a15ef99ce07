/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/closes.h"

TEST(settings__every_cure_has_one_for_programmers_and_all_fit)
{
	for (int cure = CURE_KEEP; cure <= CURE_NO_RESET; cure++)
		for (int s = SW_ANY; s < N_SOFTWARE; s++) {
			struct finding f = {0};

			remedy_settings(&f, (enum cure)cure, (struct program){.software = (enum software)s});
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

	remedy_settings(&f, CURE_CAP, (struct program){.software = SW_NGINX, .sure = true});
	assert_int_equal(f.n_remedies, 2);
	assert_says(f.remedies[0].action, "keepalive_requests");
	assert_null(strstr(f.remedies[1].action, "Apache"));
}

TEST(settings__of_python__where_that_runs)
{
	struct finding f = {0};

	remedy_settings(&f, CURE_REUSE, (struct program){.software = SW_ANY, .python = true});
	assert_int_equal(f.n_remedies, 4);
	assert_says(f.remedies[0].action, "In the client");
	assert_says(f.remedies[1].action, "Python requests");
	assert_says(f.remedies[2].action, "aiohttp");
	assert_says(f.remedies[3].action, "httpx");
}

TEST(settings__of_go_first__where_a_program_of_ones_own_runs)
{
	struct finding f = {0};

	remedy_settings(&f, CURE_REUSE, (struct program){.software = SW_ANY, .own = true});
	assert_says(f.remedies[0].action, "In the client");
	assert_says(f.remedies[1].action, "Go: one http.Client");
	assert_says(f.remedies[2].action, "Python requests");
	assert_null(strstr(f.remedies[3].action, "Go:"));
}

TEST(settings__of_a_proxy_too__where_somebody_else_may_have_said_the_name)
{
	struct finding f = {0};

	remedy_settings(&f, CURE_ASK, (struct program){.software = SW_AB});
	assert_int_equal(f.n_remedies, 4);
	assert_says(f.remedies[0].action, "ab: -k");
	assert_says(f.remedies[1].action, "nginx as proxy");
	assert_says(f.remedies[2].action, "haproxy");
	assert_says(f.remedies[3].action, "In the client");
}

TEST(fingerprints__name_candidates__only_the_known_one_if_there_is_one)
{
	const struct program nobody = {.software = SW_ANY}, nginx = {.software = SW_NGINX};

	assert_says(likely_server_idle(75100 * MS, nobody).s, "nginx");
	assert_says(likely_server_idle(75100 * MS, nobody).s, " or Python aiohttp");
	assert_null(strstr(likely_server_idle(75100 * MS, nginx).s, "aiohttp"));
	assert_says(likely_server_idle(6000 * MS, nobody).s, "Node.js");
	assert_says(likely_server_idle(1980 * MS, nobody).s, "gunicorn"); /* two jiffies */
	assert_string_equal(likely_server_idle(1979 * MS, nobody).s, "");
	assert_string_equal(likely_server_idle(7 * S, nobody).s, "");
	assert_says(likely_server_idle(5 * S, nobody).s, "Varnish (timeout_idle 5) or others"); /* not cut in a name */
	assert_says(likely_requests(101, nobody).s, "Apache httpd");
	assert_string_equal(likely_requests(101, nginx).s, "");
	assert_string_equal(likely_requests(102, nobody).s, "");
	assert_string_equal(likely_client_idle(75100 * MS, nobody).s, "");
}

static void talks(struct talkers *t, uint32_t pid, const char *comm)
{
	t->pid[0] = (struct talker){.proc = {.pid = pid}, .n = 1};
	SAY(t->pid[0].proc.comm, "%s", comm);
	t->comm[0] = t->pid[0];
}

static void opened_by(struct service *v, uint32_t pid, const char *comm)
{
	v->conns = 1;
	talks(&v->opener, pid, comm);
}

static void closed_by(struct service *v, enum side side, uint32_t pid, const char *comm)
{
	v->closes[side].fin = 1;
	talks(&v->closes[side].by, pid, comm);
}

/* The header wins over the fingerprint, also one that is not in the list. */
TEST(fingerprints__somebody_else_was_named__silent)
{
	struct service v = {.server = "nginx/1.22.1"};

	assert_string_equal(likely_server_idle(2 * S, program_of(&v, SIDE_SERVER)).s, "");
	memcpy(v.server, "Jetty(9.4)", 11);
	assert_string_equal(likely_server_idle(2 * S, program_of(&v, SIDE_SERVER)).s, "");
	v = (struct service){.local = SIDE_SERVER};
	assert_says(likely_server_idle(2 * S, program_of(&v, SIDE_SERVER)).s, "gunicorn");
	closed_by(&v, SIDE_SERVER, 4, "python3");
	assert_says(likely_server_idle(2 * S, program_of(&v, SIDE_SERVER)).s, "gunicorn");
	closed_by(&v, SIDE_SERVER, 4, "shop");
	assert_string_equal(likely_server_idle(2 * S, program_of(&v, SIDE_SERVER)).s, "");
}

TEST(settings__of_nobody_known__those_for_programmers_first)
{
	struct finding f = {0};

	remedy_settings(&f, CURE_CLIENT_IDLE, (struct program){.software = SW_ANY});
	assert_int_equal(f.n_remedies, REMEDIES_MAX);
	assert_says(f.remedies[0].action, "Let the pool drop idle connections sooner");
	assert_says(f.remedies[1].action, "Go:");
}

TEST(program__by_process_surely__by_what_was_said_perhaps)
{
	struct service v = {.server = "nginx/1.22.1", .agent = "Go-http-client/1.1"};

	assert_int_equal(program_of(&v, SIDE_SERVER).software, SW_NGINX);
	assert_false(program_of(&v, SIDE_SERVER).sure);
	assert_int_equal(program_of(&v, SIDE_CLIENT).software, SW_GO);
	opened_by(&v, 3, "haproxy");
	assert_int_equal(program_of(&v, SIDE_CLIENT).software, SW_HAPROXY);
	assert_true(program_of(&v, SIDE_CLIENT).sure);
	closed_by(&v, SIDE_SERVER, 4, "node");
	assert_int_equal(program_of(&v, SIDE_SERVER).software, SW_NODE);
	v = (struct service){0};
	assert_int_equal(program_of(&v, SIDE_SERVER).software, SW_ANY);
	assert_false(program_of(&v, SIDE_CLIENT).own);
	opened_by(&v, 3, "shop");
	assert_true(program_of(&v, SIDE_CLIENT).own);
	opened_by(&v, 3, "shop.py");
	assert_true(program_of(&v, SIDE_CLIENT).python && !program_of(&v, SIDE_CLIENT).own);
	closed_by(&v, SIDE_CLIENT, 4, "curl");
	assert_int_equal(program_of(&v, SIDE_CLIENT).software, SW_CURL);
	assert_int_equal(program_of_opener(&v).software, SW_ANY);
	assert_true(program_of_opener(&v).python);
	opened_by(&v, 3, "node");
	assert_int_equal(program_of_opener(&v).software, SW_NODE);
	assert_string_equal(software_name(SW_ANY), "");
}

RUN(T(fingerprints__somebody_else_was_named__silent), T(settings__of_nobody_known__those_for_programmers_first),
    T(settings__every_cure_has_one_for_programmers_and_all_fit), T(settings__a_known_program_gets_its_own),
    T(settings__of_python__where_that_runs), T(settings__of_go_first__where_a_program_of_ones_own_runs),
    T(settings__of_a_proxy_too__where_somebody_else_may_have_said_the_name),
    T(fingerprints__name_candidates__only_the_known_one_if_there_is_one),
    T(program__by_process_surely__by_what_was_said_perhaps))
