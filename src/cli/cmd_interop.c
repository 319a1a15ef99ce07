/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/pcap_file.h"
#include "lab/interop/interop.h"

struct interop_cmd_cfg {
	bool json, ipv4, ipv6;
	uint32_t seed, transfers;
	const char *impair, *pcap;
};

static const struct interop_cmd_cfg defaults = {
	.seed = 1, .transfers = 100, .impair = "loss=2,dup=1,reorder=3,delay=1"};

static const struct opt opts[] = {
	{.name = "seed",
	 .letter = 's',
	 OPT_IS_U32(struct interop_cmd_cfg, seed, 0, UINT32_MAX),
	 .metavar = "S",
	 .help = "what sizes, octets and losses are drawn from; when things happen is up to the kernel"},
	{.name = "transfers",
	 .letter = 'n',
	 OPT_IS_U32(struct interop_cmd_cfg, transfers, 1, 100000),
	 .metavar = "N",
	 .help = "how many in the part of that name"},
	{.name = "impair",
	 OPT_IS_STRING(struct interop_cmd_cfg, impair),
	 .metavar = "WHAT",
	 .help = "of transfers, each way: loss, dup, reorder in percent, delay in ms, rate in Mbit/s, mtu; or none"},
	{.name = "ipv4", .letter = '4', OPT_IS_FLAG(struct interop_cmd_cfg, ipv4), .help = "over IPv4 only"},
	{.name = "ipv6", .letter = '6', OPT_IS_FLAG(struct interop_cmd_cfg, ipv6), .help = "over IPv6 only"},
	{.name = "pcap",
	 OPT_IS_STRING(struct interop_cmd_cfg, pcap),
	 .metavar = "FILE",
	 .help = "write what the engine sends and receives, for Wireshark"},
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct interop_cmd_cfg, json), .help = "print one JSON document"},
	{.type = OPT_END},
};

static void on_packet(void *arg, const void *packet, size_t len)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	pcap_packet(arg, (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec, packet, len);
}

static int take_parts(struct interop_cfg *c, int argc, char *const *argv)
{
	for (int i = 0; i < argc; i++) {
		unsigned part = 0;

		while (part < N_PARTS && strcmp(interop_part_name(part), argv[i]) != 0)
			part++;
		if (part == N_PARTS)
			return complain_usage("no such part: '%s'", argv[i]);
		c->parts |= 1U << part;
	}
	if (argc == 0)
		c->parts = (1U << N_PARTS) - 1;
	return 0;
}

static int run_parts(const struct interop_cfg *c, FILE *out)
{
	struct interop_totals t = {0};
	struct why w = {""};

	if (interop_run(c, out, &t, &w))
		return complain(EXIT_INTERNAL, "%s", w.text);
	if (t.signal)
		return EXIT_SIGNAL + t.signal;
	if (t.failed)
		return EXIT_FINDINGS;
	return t.skipped ? EXIT_INCOMPLETE : EXIT_FINE;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct interop_cmd_cfg *c = cfg;
	struct interop_cfg i = {.seed = c->seed,
				.transfers = c->transfers,
				.json = c->json,
				.progress = isatty(STDERR_FILENO) && !c->json};
	FILE *f = NULL;
	int code = take_parts(&i, argc, argv);

	if (code)
		return code;
	if (!impair_parse(c->impair, &i.impair))
		return complain_usage("--impair: '%s' is not like loss=2,dup=1,reorder=3,delay=10,rate=100, or none",
				      c->impair);
	i.only_ipv4 = c->ipv4 && !c->ipv6;
	i.only_ipv6 = c->ipv6 && !c->ipv4;
	if (geteuid() != 0 && !c->json)
		return complain(EXIT_INCOMPLETE,
				"a network namespace and a tun device need root: sudo lastack interop");
	if (c->pcap) {
		f = fopen(c->pcap, "wbe");
		if (!f)
			return complain(EXIT_INTERNAL, "--pcap: %s: %s", c->pcap, strerror(errno));
		pcap_begin(f);
		i.tap = on_packet;
		i.tap_arg = f;
	}
	code = run_parts(&i, out);
	if (f && (ferror(f) || fclose(f)))
		code = complain(EXIT_INTERNAL, "--pcap: cannot write %s", c->pcap);
	return code;
}

const struct cmd cmd_interop = {
	.name = "interop",
	.args = "[curl] [nginx] [half] [pmtu] [transfers] [closings]",
	.summary = "Let the engine talk to this kernel, to curl and to nginx, and compare what both make of it",
	.description =
		"In a network namespace of its own the engine sits behind a tun device, and this kernel, or a program on it, "
		"is its peer. Without a name every part is run:\n\n"
		"curl: curl fetches from a small web server on the engine. nginx: the engine fetches from nginx. half: one "
		"side asks, closes its direction, and gets its answer. pmtu: the path between them is narrower than either knows. transfers: connections of random sizes in both "
		"directions, with packets lost, doubled and reordered in between; some without an option of TCP, some with small windows or slow readers; what arrives must have the hash of what "
		"was sent. closings: each way to close, either side doing it and either side having connected; states, "
		"counters and TIME_WAITs of both must be those of the table, the kernel's as lastack itself sees them.\n\n"
		"Needs root. The host's own network is not touched; namespace and programs vanish with the run, also when "
		"it is interrupted.\n\n"
		"Exit status: 0 all passed, 1 something failed, 2 wrong usage, 3 something could not be tried.",
	.examples = "sudo lastack interop\n"
		    "    everything, about half a minute\n"
		    "sudo lastack interop transfers -n 2000 --impair loss=5,reorder=10,delay=20\n"
		    "    many, over a worse network\n"
		    "sudo lastack interop closings -4 --pcap closings.pcap\n"
		    "    with every packet, for Wireshark\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct interop_cmd_cfg),
	.args_max = N_PARTS,
	.run = run,
};
