/* SPDX-License-Identifier: MIT */
#include "model/pairs.h"
#include "model/service.h"
#include "tests/unit/t.h"

static struct pairs *pairs;

/* One end of a connection whose client sent 50 octets and had 700: the client's in namespace 7, the server's in 8. */
static struct conn end_of(enum side local)
{
	struct conn c = {.port = {40000, 80},
			 .local = local,
			 .netns = local == SIDE_CLIENT ? 7 : 8,
			 .seen = SEEN_SYN | SEEN_END,
			 .how = END_FIN,
			 .first = SIDE_SERVER,
			 .exchanges = 1,
			 .bytes = {50, 700}};

	c.start = 100 * NSEC_PER_S + (local == SIDE_SERVER ? NSEC_PER_MS : 0);
	c.end = c.fin[SIDE_SERVER] = c.fin[SIDE_CLIENT] = 101 * NSEC_PER_S;
	assert_true(ip_parse("10.0.0.1", &c.addr[SIDE_CLIENT]));
	assert_true(ip_parse("10.0.0.2", &c.addr[SIDE_SERVER]));
	return c;
}

/* The client's end came first, as one of service 5. */
static int match(const struct conn *server)
{
	struct conn client = end_of(SIDE_CLIENT);
	int with;

	pairs = pairs_new((struct hash_key){1, 2});
	assert_non_null(pairs);
	assert_int_equal(pairs_match(pairs, &client, 5), -1);
	with = pairs_match(pairs, server, 6);
	pairs_free(pairs);
	return with;
}

TEST(both_ends__all_agrees__a_pair_and_only_once)
{
	struct conn client = end_of(SIDE_CLIENT), server = end_of(SIDE_SERVER);

	assert_int_equal(match(&server), 5);
	pairs = pairs_new((struct hash_key){1, 2});
	assert_non_null(pairs);
	assert_int_equal(pairs_match(pairs, &server, 6), -1);
	assert_int_equal(pairs_match(pairs, &client, 5), 6);
	assert_int_equal(pairs_match(pairs, &client, 5), -1);
	pairs_free(pairs);
}

TEST(one_thing_differs__no_pair)
{
	struct conn c = end_of(SIDE_SERVER);

	c.netns = 7; /* in one namespace the address tells */
	assert_int_equal(match(&c), -1);
	c = end_of(SIDE_SERVER);
	c.port[SIDE_CLIENT]++;
	assert_int_equal(match(&c), -1);
	c = end_of(SIDE_SERVER);
	assert_true(ip_parse("10.0.0.3", &c.addr[SIDE_CLIENT]));
	assert_int_equal(match(&c), -1);
	c = end_of(SIDE_SERVER);
	c.local = SIDE_CLIENT;
	assert_int_equal(match(&c), -1);
	c = end_of(SIDE_SERVER);
	c.start += NSEC_PER_S;
	assert_int_equal(match(&c), -1);
	c = end_of(SIDE_SERVER);
	c.bytes[SIDE_CLIENT]--; /* had less than was sent, and no RST */
	assert_int_equal(match(&c), -1);
	c.how = END_RST;
	assert_int_equal(match(&c), 5);
	c.bytes[SIDE_CLIENT] += 2; /* more than was sent */
	assert_int_equal(match(&c), -1);
}

static struct services all;

static const struct service *other_of(size_t i) { return services_other_end(&all, all.v[i]); }

static void both(unsigned n, uint64_t client_netns)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn client = end_of(SIDE_CLIENT), server = end_of(SIDE_SERVER);

		client.netns = client_netns;
		client.port[SIDE_CLIENT] = server.port[SIDE_CLIENT] = (uint16_t)(20000 + all.conns);
		assert_int_equal(services_add(&all, &client), 0);
		assert_int_equal(services_add(&all, &server), 0);
	}
}

TEST(services__of_two_namespaces__are_each_others_other_end)
{
	services_init(&all, 1);
	both(4, 7); /* the first one ended before there was a second namespace */
	assert_int_equal(all.n, 2);
	assert_ptr_equal(other_of(0), NULL);
	both(1, 7);
	assert_ptr_equal(other_of(0), all.v[1]);
	assert_ptr_equal(other_of(1), all.v[0]);
	services_done(&all);
}

TEST(services__three_clients__theirs_is_the_server_and_the_servers_none)
{
	services_init(&all, 1);
	for (unsigned i = 0; i < 3; i++)
		both(20, 20 + i);
	assert_int_equal(all.n, 4);
	assert_ptr_equal(other_of(0), all.v[1]);
	assert_ptr_equal(other_of(2), all.v[1]);
	assert_ptr_equal(other_of(3), all.v[1]);
	assert_null(other_of(1));
	services_done(&all);
}

TEST(services__one_namespace__is_not_paired)
{
	services_init(&all, 1);
	both(20, 8);
	assert_null(all.pairs);
	assert_ptr_equal(other_of(0), all.v[1]);
	services_done(&all);
}

RUN(T(both_ends__all_agrees__a_pair_and_only_once), T(one_thing_differs__no_pair),
    T(services__of_two_namespaces__are_each_others_other_end),
    T(services__three_clients__theirs_is_the_server_and_the_servers_none), T(services__one_namespace__is_not_paired))
