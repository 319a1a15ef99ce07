/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "lab/sockopt.h"
#include "lab/space.h"
#include "tests/unit/t.h"

static int own_ns(void) { return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC); }

static int new_ns(void)
{
	struct why w = {0};
	int ns = space_new(&w);

	if (ns == -EPERM)
		skip();
	assert_true(ns >= 0);
	return ns;
}

TEST(sysctl__in_the_hosts_namespace__is_refused)
{
	struct why w = {0};
	int host = own_ns();

	assert_int_equal(space_sysctl(host, "net.ipv4.tcp_fin_timeout", "60", &w), -EPERM);
	assert_non_null(strstr(w.text, "refusing"));
	close(host);
}

TEST(sysctl__in_what_is_no_namespace__is_refused)
{
	struct why w = {0};

	assert_int_equal(space_sysctl(-1, "net.ipv4.tcp_fin_timeout", "60", &w), -EPERM);
}

TEST(new__leaves_the_caller_where_it_was)
{
	int before = own_ns(), ns = new_ns(), after = own_ns();

	assert_true(space_inode(before) == space_inode(after));
	assert_true(space_inode(ns) != space_inode(before));
	close(before);
	close(after);
	close(ns);
}

TEST(sysctl__in_a_new_namespace__is_read_back__and_not_seen_outside)
{
	struct why w = {0};
	char inside[16], other[16];
	int ns = new_ns(), neighbour = new_ns();

	assert_int_equal(space_sysctl(ns, "net.ipv4.tcp_fin_timeout", "17", &w), 0);
	assert_int_equal(space_sysctl_read(ns, "net.ipv4.tcp_fin_timeout", inside, sizeof(inside), &w), 0);
	assert_int_equal(space_sysctl_read(neighbour, "net.ipv4.tcp_fin_timeout", other, sizeof(other), &w), 0);
	assert_string_equal(inside, "17");
	assert_string_not_equal(other, "17");
	assert_int_equal(space_sysctl(ns, "net.ipv4.tcp_tw_recycle", "1", &w), -ENOENT);
	close(ns);
	close(neighbour);
}

TEST(veth__joins_two_namespaces__and_a_second_of_the_same_name_fails)
{
	struct why w = {0};
	int a = new_ns(), b = new_ns();
	struct space_end ea = {a, "veth0", "10.77.0.1/24"}, eb = {b, "veth0", "10.77.0.2/24"};

	assert_int_equal(space_veth(ea, eb, &w), 0);
	assert_int_equal(space_veth(ea, eb, &w), -EEXIST);
	assert_non_null(strstr(w.text, "veth"));
	assert_int_equal(space_route(a, "10.99.0.0/16", "10.77.0.2", &w), 0);
	assert_int_equal(space_route(a, "10.98.0.0/33", "10.77.0.2", &w), -EINVAL);
	assert_int_equal(space_route(a, "fd78::/129", "fd77::2", &w), -EINVAL);
	assert_int_equal(space_route(a, "10.98.0.0/16", "10.66.0.2", &w), -ENETUNREACH);
	close(a);
	close(b);
}

/* Nobody may have to wait for duplicate address detection, which takes a second. */
TEST(ipv6__is_off_at_first__then_its_address_can_be_bound_at_once)
{
	struct why w = {0};
	int host = own_ns(), a = new_ns(), b = new_ns(), sock;
	struct space_end ea = {a, "veth0", "10.77.0.1/24"}, eb = {b, "veth0", "10.77.0.2/24"};
	struct sockaddr_storage addr;
	socklen_t len = sockaddr_parse("fd77::1", 0, &addr);

	assert_int_equal(space_veth(ea, eb, &w), 0);
	ea.addr = "fd77::1/64";
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		skip();
	assert_int_equal(space_enter(a, &w), 0);
	sock = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, len), -1);
	assert_int_equal(space_host(&w), 0);
	assert_int_equal(space_ipv6(ea, &w), 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(space_ipv6((struct space_end){host, "veth0", "fd77::1/64"}, &w), -EPERM);
	close(sock);
	close(host);
	close(a);
	close(b);
}

TEST(sockaddr__of_either_family__mapped_stays_ipv6)
{
	struct sockaddr_storage a;

	assert_int_equal(sockaddr_parse("10.0.0.1", 80, &a), sizeof(struct sockaddr_in));
	assert_int_equal(a.ss_family, AF_INET);
	assert_int_equal(sockaddr_parse("::ffff:10.0.0.1", 80, &a), sizeof(struct sockaddr_in6));
	assert_int_equal(a.ss_family, AF_INET6);
	assert_int_equal(((struct sockaddr_in6 *)&a)->sin6_port, htons(80));
	assert_int_equal(sockaddr_parse("example.org", 80, &a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sysctl__in_the_hosts_namespace__is_refused),
		T(sysctl__in_what_is_no_namespace__is_refused),
		T(new__leaves_the_caller_where_it_was),
		T(sysctl__in_a_new_namespace__is_read_back__and_not_seen_outside),
		T(ipv6__is_off_at_first__then_its_address_can_be_bound_at_once),
		T(sockaddr__of_either_family__mapped_stays_ipv6),
		T(veth__joins_two_namespaces__and_a_second_of_the_same_name_fails),
	};

	if (space_guard(NULL))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
