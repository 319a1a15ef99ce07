/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "lab/kernel_bulk.h"
#include "tests/unit/t.h"

static struct kernel_bulk_result carried(struct kernel_bulk_cfg cfg)
{
	struct kernel_bulk_result r = {0};
	struct why w = {0};
	int err = kernel_bulk(&cfg, &r, &w);

	if (err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	return r;
}

TEST(rate__limits_what_arrives__all_flows_together)
{
	struct kernel_bulk_result r = carried(
		(struct kernel_bulk_cfg){.rtt = 4 * NSEC_PER_MS, .rate_bps = 20000000, .seconds = 1, .flows = 2});

	assert_true(r.goodput_bps > 5e6 && r.goodput_bps < 20e6);
	assert_true(r.flow_bps[0] > 0 && r.flow_bps[1] > 0 && r.flow_bps[2] == 0);
	assert_true(r.flow_bps[0] + r.flow_bps[1] == r.goodput_bps);
}

TEST(loss__is_repaired_by_retransmission)
{
	struct kernel_bulk_result r = carried((struct kernel_bulk_cfg){
		.rtt = 2 * NSEC_PER_MS, .loss = 0.05, .seconds = 1, .seed = 3, .congestion = "reno"});

	assert_true(r.lost > 0 && r.retrans > 0 && r.lost < r.packets);
	assert_true(r.goodput_bps > 0);
}

TEST(congestion_control_that_the_kernel_lacks__is_an_error)
{
	struct kernel_bulk_result r;
	struct why w = {0};

	if (geteuid() != 0)
		skip();
	assert_int_equal(kernel_bulk(&(struct kernel_bulk_cfg){.seconds = 1, .congestion = "none such"}, &r, &w),
			 -ENOENT);
	assert_non_null(strstr(w.text, "bulk"));
}

RUN(T(rate__limits_what_arrives__all_flows_together), T(loss__is_repaired_by_retransmission),
    T(congestion_control_that_the_kernel_lacks__is_an_error))
