/* SPDX-License-Identifier: MIT */
/* rules_portrange.c - PORT004 and PORT005: the range connect() chooses from, and who else lives in it. */
#include "base/text.h"
#include "diag/remedy.h"

enum {
	PORTS_SHOWN = 4,
	/* The default range has 28,232. With TIME_WAIT 60 s so many ports carry 68 and 17 short connections/s. */
	NARROW = 4096,
	VERY_NARROW = 1024,
	FIRST_FREE_PORT = 1024, /* below: well-known services, RFC 6335 6 */
};

static bool is_reserved(const struct netns *ns, uint16_t port)
{
	size_t lo = 0, hi = ns->n_reserved;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (port < ns->reserved[mid].low)
			hi = mid;
		else if (port > ns->reserved[mid].high)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

/* ---- PORT004 ---- */

static bool is_exposed(const struct view *v, const struct listener *l)
{
	return l->listening && l->port >= v->ports.low && l->port <= v->ports.high && !is_reserved(v->now, l->port);
}

struct exposed {
	size_t n;
	bool reachable; /* some of them not only on loopback */
	const struct listener *first;
	char list[128];
};

static struct exposed exposed_listeners(const struct view *v)
{
	uint8_t seen[(UINT16_MAX + 1) / 8] = {0}; /* a bit for each port: several addresses of a service count once */
	struct exposed e = {0};

	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];
		const struct proc *p = snapshot_proc(v->host, l->proc);

		if (!is_exposed(v, l))
			continue;
		e.reachable |= !ip_is_loopback(l->addr);
		if (seen[l->port / 8] >> l->port % 8 & 1)
			continue;
		seen[l->port / 8] |= (uint8_t)(1U << l->port % 8);
		if (!e.first)
			e.first = l;
		if (e.n++ < PORTS_SHOWN)
			append(e.list, sizeof(e.list), p ? "%s%u (%.15s)" : "%s%u", e.n > 1 ? ", " : "", l->port,
			       p ? p->comm : "");
	}
	if (e.n > PORTS_SHOWN)
		append(e.list, sizeof(e.list), " and %zu more", e.n - PORTS_SHOWN);
	return e;
}

static void cure_port004(struct finding *f, const struct view *v, size_t n)
{
	struct reserve r = reserve_listeners(v, v->ports.low, v->ports.high);
	struct ns_prefix in = view_prefix(v);
	struct remedy *m = finding_remedy(f, "");

	SAY(m->action, "Reserve the port%s: connect() and bind(port 0) then leave %s alone", n == 1 ? "" : "s",
	    n == 1 ? "it" : "them");
	SAY(m->precondition,
	    "no port in it came from bind(port 0), leave such out; what was reserved before is in it%s", r.hint);
	if (!r.list[0])
		return;
	SAY(m->command, "%ssysctl -w net.ipv4.ip_local_reserved_ports=%s", in.s, r.list);
	if (in.s[0]) {
		finding_remedy(f, "Set it where the namespace is made too (docker --sysctl, securityContext.sysctls), "
				  "else a restart forgets it");
		return;
	}
	m = finding_remedy(f, "Keep it across reboots");
	SAY(m->command, "echo net.ipv4.ip_local_reserved_ports=%s > /etc/sysctl.d/60-reserved-ports.conf", r.list);
}

static void eval_PORT004(const struct rule *self, const struct view *v, struct findings *out)
{
	uint64_t used = v->now->ephemeral_ports_low_parity + v->now->ephemeral_ports_other_parity;
	struct exposed e;
	struct finding *f;
	bool busy;

	if (!v->ports.known)
		return;
	e = exposed_listeners(v);
	if (!e.n)
		return;
	busy = used * 10 > v->ports.usable;
	f = findings_add(out, self, v, busy && e.reachable ? SEV_WARN : SEV_INFO, STAGE_CONFIG);
	f->weight = (double)e.n;
	SAY(f->what,
	    "service port%s %s lie%s in the range of outgoing connections: one of them can take %s while the service "
	    "restarts",
	    e.n == 1 ? "" : "s", e.list, e.n == 1 ? "s" : "", e.n == 1 ? "it" : "a port");
	SAY(f->evidence,
	    "%u <= %u <= %u and %u is not in ip_local_reserved_ports; connections out use %s of %s ports (%s), "
	    "%s 10 %%",
	    v->ports.low, e.first->port, v->ports.high, e.first->port, num(used).s, num(v->ports.usable).s,
	    percent_text((double)used, v->ports.usable).s, busy ? ">" : "<=");
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, e.first->proc)).s);
	cure_port004(f, v, e.n);
}

const struct rule rule_PORT004 = {
	.id = "PORT004",
	.title = "a service listens inside the range of outgoing ports",
	.never = {"SO_REUSEADDR for this: the connection that took the port did not set it, so bind() fails all "
		  "the same",
		  "killing the client that has the port: its TIME_WAIT keeps the port for another minute"},
	.eval = eval_PORT004,
};

/* ---- PORT005 ---- */

static struct finding *add_range_finding(const struct rule *self, const struct view *v, enum severity sev,
					 struct findings *out)
{
	struct finding *f = findings_add(out, self, v, sev, sev == SEV_CRIT ? STAGE_FAILING : STAGE_CONFIG);

	f->weight = 1.0 / (1 + v->ports.usable);
	return f;
}

static void find_narrow(const struct rule *self, const struct view *v, struct findings *out)
{
	uint32_t width = v->ports.high - v->ports.low + 1, reserved = width - v->ports.usable;
	bool by_reservation = reserved >= v->ports.usable;
	double life_s = v->ports.reuse_any ? v->ports.reuse_delay_s : TIME_WAIT_MS / 1000.0;
	struct finding *f;
	struct remedy *m;

	if (v->ports.usable >= NARROW)
		return;
	f = add_range_finding(self, v,
			      !v->ports.usable                ? SEV_CRIT
			      : v->ports.usable < VERY_NARROW ? SEV_WARN
							      : SEV_INFO,
			      out);
	if (!v->ports.usable)
		SAY(f->what,
		    "all %s ports of ip_local_port_range are reserved: every connect() without a bound port fails",
		    num(width).s);
	else
		SAY(f->what, "only %s local ports are usable: more than %s short connections/s to one destination fail",
		    num(v->ports.usable).s, rate_text(v->ports.usable / life_s).s);
	SAY(f->evidence,
	    "range %u-%u has %s ports - %s reserved = %s < %d; %s/%g s = %s/s (default: 28,232 ports, 471/s)",
	    v->ports.low, v->ports.high, num(width).s, num(reserved).s, num(v->ports.usable).s,
	    v->ports.usable < VERY_NARROW ? VERY_NARROW : NARROW, num(v->ports.usable).s, life_s,
	    rate_text(v->ports.usable / life_s).s);
	if (by_reservation) {
		m = finding_remedy(f, "Shorten ip_local_reserved_ports to the ports services really listen on");
		SAY(m->precondition, "no service listens on the ports left out; compare with: %sss -Hltn",
		    view_prefix(v).s);
	}
	remedy_widen_range(f, v);
}

static void find_same_parity(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f;
	struct remedy *m;

	if ((v->ports.low & 1) != (v->ports.high & 1))
		return;
	f = add_range_finding(self, v, SEV_INFO, out);
	SAY(f->what, "ip_local_port_range %u-%u has bounds of the same parity; the kernel wants one even and one odd",
	    v->ports.low, v->ports.high);
	SAY(f->evidence, "%u mod 2 = %u mod 2 = %u (ip-sysctl.rst: better if they have different parity)", v->ports.low,
	    v->ports.high, v->ports.low & 1);
	if (v->ports.high == v->ports.low) /* one port: find_narrow() says what to do */
		return;
	m = finding_remedy(f, "Lower the upper bound by one: no port is added, so nothing needs a reservation");
	SAY(m->command, "%ssysctl -w net.ipv4.ip_local_port_range=\"%u %u\"", view_prefix(v).s, v->ports.low,
	    v->ports.high - 1);
}

static void find_low_ports(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f;
	struct remedy *m;

	if (v->ports.low >= FIRST_FREE_PORT)
		return;
	f = add_range_finding(self, v, SEV_WARN, out);
	SAY(f->what, "ip_local_port_range begins at %u: outgoing connections take well-known service ports",
	    v->ports.low);
	SAY(f->evidence, "%u < %d; well-known ports are 0-1023 (RFC 6335)", v->ports.low, FIRST_FREE_PORT);
	if (v->ports.high <= FIRST_FREE_PORT) { /* nothing would be left */
		remedy_widen_range(f, v);
		return;
	}
	m = finding_remedy(f, "");
	SAY(m->action, "Let the range begin at %d", FIRST_FREE_PORT);
	SAY(m->command, "%ssysctl -w net.ipv4.ip_local_port_range=\"%d %u\"", view_prefix(v).s, FIRST_FREE_PORT,
	    v->ports.high);
}

static void find_mostly_reserved(const struct rule *self, const struct view *v, struct findings *out)
{
	uint32_t width = v->ports.high - v->ports.low + 1, reserved = width - v->ports.usable;
	struct finding *f;
	struct remedy *m;

	if (v->ports.usable < NARROW || reserved < v->ports.usable) /* find_narrow() has said it */
		return;
	f = add_range_finding(self, v, SEV_INFO, out);
	SAY(f->what, "ip_local_reserved_ports covers %s of the %s ports of ip_local_port_range", num(reserved).s,
	    num(width).s);
	SAY(f->evidence, "reserved %s >= usable %s", num(reserved).s, num(v->ports.usable).s);
	m = finding_remedy(f, "Reserve only the ports services really listen on");
	SAY(m->precondition, "no service listens on the ports left out; compare with: %sss -Hltn", view_prefix(v).s);
}

static void eval_PORT005(const struct rule *self, const struct view *v, struct findings *out)
{
	if (!v->ports.known)
		return;
	find_narrow(self, v, out);
	find_mostly_reserved(self, v, out);
	find_low_ports(self, v, out);
	find_same_parity(self, v, out);
}

const struct rule rule_PORT005 = {
	.id = "PORT005",
	.title = "the range of outgoing ports is narrow or badly cut",
	.never = {"widening the range before reserving the ports services listen on: they fail to restart with "
		  "EADDRINUSE"},
	.eval = eval_PORT005,
};
