/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

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
	assert_int_equal(space_route(a, "10.98.0.0/16", "10.66.0.2", &w), -ENETUNREACH);
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sysctl__in_the_hosts_namespace__is_refused),
		T(sysctl__in_what_is_no_namespace__is_refused),
		T(new__leaves_the_caller_where_it_was),
		T(sysctl__in_a_new_namespace__is_read_back__and_not_seen_outside),
		T(veth__joins_two_namespaces__and_a_second_of_the_same_name_fails),
	};

	if (space_guard(NULL))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
