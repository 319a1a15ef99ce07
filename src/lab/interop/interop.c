/* SPDX-License-Identifier: MIT */
#include "lab/interop/interop.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "lab/harness.h"
#include "lab/interop/parts.h"

enum { WIDTH = 80, INDENT = 6 };

static const struct {
	const char *name, *title;
	unsigned life_s;
	bool (*run)(struct rig *r, bool *ret_skip);
} parts[N_PARTS] = {
#define PART(id, name_, title_, life_s_)                                                                               \
	[PART_##id] = {.name = #name_, .title = title_, .life_s = life_s_, .run = part_##name_},
#include "lab/interop/parts.def"
#undef PART
};

const char *interop_part_name(unsigned part) { return parts[part].name; }
const char *interop_part_title(unsigned part) { return parts[part].title; }

struct result { /* of a part, in memory that its process and the supervisor map */
	enum verdict verdict;
	char text[240];
	struct interop_sums sums;
};

struct run {
	const struct interop_cfg *cfg;
	FILE *out;
	struct record record;
	struct result *result; /* of each part */
	struct json json;
	struct interop_totals totals;
};

/* ---- what is said ---- */

static void tell_json(struct run *r, unsigned part, const char *result, double seconds)
{
	const struct result *p = &r->result[part];
	struct json *j = &r->json;

	json_object(j);
	json_kv_str(j, "part", parts[part].name);
	json_kv_str(j, "title", parts[part].title);
	json_kv_str(j, "result", result);
	json_kv_real(j, "seconds", seconds);
	json_kv_str(j, "text", p->text);
	json_kv_uint(j, "transfers", p->sums.transfers);
	json_kv_uint(j, "engine_octets", p->sums.octets[SIDE_ENGINE]);
	json_kv_uint(j, "kernel_octets", p->sums.octets[SIDE_KERNEL]);
	json_kv_uint(j, "closings", p->sums.closings);
	json_kv_uint(j, "packets", p->sums.packets);
	json_kv_uint(j, "lost", p->sums.lost);
	json_kv_uint(j, "duplicated", p->sums.duplicated);
	json_kv_uint(j, "reordered", p->sums.reordered);
	json_object_end(j);
}

/* At most 80 columns, behind six spaces. */
static void print_wrapped(FILE *out, const char *text)
{
	size_t x = INDENT - 1;

	fprintf(out, "%*s", INDENT - 1, "");
	while (*text) {
		size_t word = strcspn(text, " ");

		if (x > INDENT && x + 1 + word > WIDTH) {
			fprintf(out, "\n%*s", INDENT - 1, "");
			x = INDENT - 1;
		}
		fprintf(out, " %.*s", (int)word, text);
		x += 1 + word;
		text += word + strspn(text + word, " ");
	}
	fputc('\n', out);
}

static void tell(struct run *r, unsigned part, double seconds)
{
	static const char *const words[] = {
		[VERDICT_NONE] = "FAIL", [VERDICT_PASS] = "PASS", [VERDICT_FAIL] = "FAIL", [VERDICT_SKIP] = "SKIP"};
	static const char *const json_words[] = {
		[VERDICT_NONE] = "fail", [VERDICT_PASS] = "pass", [VERDICT_FAIL] = "fail", [VERDICT_SKIP] = "skip"};
	const struct result *p = &r->result[part];

	r->totals.passed += p->verdict == VERDICT_PASS;
	r->totals.skipped += p->verdict == VERDICT_SKIP;
	r->totals.failed += p->verdict == VERDICT_FAIL || p->verdict == VERDICT_NONE;
	if (r->cfg->json)
		tell_json(r, part, json_words[p->verdict], seconds);
	else
		fprintf(r->out, "%s  %-9s %6.1f s  %s\n", words[p->verdict], parts[part].name, seconds,
			parts[part].title);
	if (!r->cfg->json)
		print_wrapped(r->out, p->text);
	fflush(r->out);
}

/* ---- a part, in a process of its own ---- */

static unsigned life_s(const struct run *r, unsigned part)
{
	return parts[part].life_s * (part == PART_TRANSFERS ? r->cfg->transfers / 100 + 1 : 1);
}

static _Noreturn void part_process(struct run *r, unsigned part, pid_t supervisor)
{
	struct result *p = &r->result[part];
	struct interop_cfg cfg = *r->cfg;
	struct rig rig;
	struct why w = {""};
	bool skip = false, ok = false;
	char comm[16];

	snprintf(comm, sizeof(comm), "interop-%.7s", parts[part].name);
	child_begin(supervisor, comm, &r->record);
	alarm(life_s(r, part));
	cfg.sums = &p->sums;
	if (rig_begin(&rig, &cfg, &r->record, &w))
		rig_fail(&rig, "%s", w.text);
	else
		ok = parts[part].run(&rig, &skip);
	rig_progress(&rig, 0, 0);
	rig_end(&rig);
	snprintf(p->text, sizeof(p->text), "%s", ok ? rig.note : rig.reason);
	fflush(NULL);
	p->verdict = ok ? VERDICT_PASS : skip ? VERDICT_SKIP : VERDICT_FAIL;
	_exit(0); /* the kernel ends its programs and its namespace */
}

/* Waits for the process, or for a signal that ends everything. */
static void await(struct run *r, unsigned part, pid_t pid, const sigset_t *set)
{
	struct result *p = &r->result[part];
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		int sig = sigwaitinfo(set, NULL);

		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP) {
			r->totals.signal = sig;
			kill(pid, SIGKILL); /* its programs follow: PR_SET_PDEATHSIG */
			waitpid(pid, NULL, 0);
			return;
		}
	}
	if (p->verdict == VERDICT_NONE && WIFSIGNALED(status))
		snprintf(p->text, sizeof(p->text), "ended by %s%s", strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGALRM ? ": it took too long" : "");
	else if (p->verdict == VERDICT_NONE)
		snprintf(p->text, sizeof(p->text), "ended without a verdict");
}

static int run_part(struct run *r, unsigned part, const sigset_t *set)
{
	const nsec_t from = drive_clock();
	const pid_t me = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		part_process(r, part, me);
	await(r, part, pid, set);
	if (!r->totals.signal)
		tell(r, part, (double)(drive_clock() - from) / 1e9);
	return 0;
}

static int supervise(struct run *r)
{
	sigset_t set, old;
	int err = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* programs of an ended part become ours, to be waited for */
	for (unsigned part = 0; part < N_PARTS && err == 0 && !r->totals.signal; part++)
		if (r->cfg->parts & 1U << part)
			err = run_part(r, part, &set);
	record_await(&r->record);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

static void skip_all(struct run *r)
{
	for (unsigned part = 0; part < N_PARTS; part++) {
		if (!(r->cfg->parts & 1U << part))
			continue;
		r->result[part].verdict = VERDICT_SKIP;
		snprintf(r->result[part].text, sizeof(r->result[part].text), "needs root");
		tell(r, part, 0);
	}
	r->totals.not_permitted = true;
}

static void head(struct run *r)
{
	if (!r->cfg->json)
		return;
	json_begin(&r->json, r->out, true);
	json_object(&r->json);
	json_kv_int(&r->json, "schema", 1);
	json_kv_uint(&r->json, "seed", r->cfg->seed);
	json_key(&r->json, "parts");
	json_array(&r->json);
}

static void foot(struct run *r)
{
	const struct interop_totals *t = &r->totals;

	if (!r->cfg->json) {
		fprintf(r->out, "%u passed, %u failed, %u skipped%s\n", t->passed, t->failed, t->skipped,
			t->signal ? " (interrupted)" : "");
		return;
	}
	json_array_end(&r->json);
	json_kv_uint(&r->json, "passed", t->passed);
	json_kv_uint(&r->json, "failed", t->failed);
	json_kv_uint(&r->json, "skipped", t->skipped);
	json_object_end(&r->json);
	json_end(&r->json);
}

int interop_run(const struct interop_cfg *cfg, FILE *out, struct interop_totals *ret, struct why *w)
{
	struct run r = {.cfg = cfg, .out = out};
	const size_t size = N_PARTS * sizeof(*r.result);
	const bool root = geteuid() == 0;
	int err = 0;

	r.result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r.result == MAP_FAILED)
		return why_errno(w, errno, "mmap");
	if (root)
		err = record_open(&r.record, w);
	if (err == 0) {
		head(&r);
		if (!root)
			skip_all(&r);
		else
			err = supervise(&r);
		if (err)
			why_errno(w, -err, "start a part");
		foot(&r);
		if (root)
			record_close(&r.record);
		*ret = r.totals;
	}
	munmap(r.result, size);
	return err;
}
