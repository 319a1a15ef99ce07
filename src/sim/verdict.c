/* SPDX-License-Identifier: MIT */
#include "sim/verdict.h"

#include <stdio.h>

#include "wire/addr.h"

const struct checker checkers[N_CHECKERS] = {
#define CHECKER(id, name, rule) {name, rule},
#include "sim/checkers.def"
#undef CHECKER
};

bool verdict_take(struct verdict *v, enum checker_id id, unsigned host, const struct la_endpoint *local,
		  const struct la_endpoint *remote)
{
	if (v->failed)
		return false;
	v->failed = true;
	v->checker = id;
	v->at = v->now;
	v->host = host;
	v->local = local ? *local : (struct la_endpoint){{0}, 0};
	v->remote = remote ? *remote : (struct la_endpoint){{0}, 0};
	return true;
}

struct endpoint_text endpoint_text(const struct la_endpoint *at)
{
	struct addr a = addr_from_v6(at->addr);
	struct endpoint_text t;

	snprintf(t.s, sizeof(t.s), addr_is_v4(&a) ? "%s:%u" : "[%s]:%u", addr_text(&a).s, (unsigned)at->port);
	return t;
}
