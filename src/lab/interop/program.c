/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/link.h"
#include "lab/interop/octets.h"
#include "lab/interop/rig.h"

const char *program_find(const char *name, char *ret, size_t cap)
{
	static const char *const dirs[] = {"/usr/sbin",      "/usr/bin", "/usr/local/sbin",
					   "/usr/local/bin", "/sbin",    "/bin"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(ret, cap, "%s/%s", dirs[i], name);
		if (access(ret, X_OK) == 0)
			return ret;
	}
	return NULL;
}

static void said(struct drive_fd *f, uint32_t events)
{
	struct program *p = container_of(f, struct program, out);
	uint8_t buf[16384];
	ssize_t n;

	while (f->fd > 0 && (n = read(f->fd, buf, sizeof(buf))) >= 0) {
		if (n == 0) {
			close(f->fd);
			f->fd = 0;
		}
		p->hash = octets_hash(p->hash, buf, (size_t)n);
		p->bytes += (uint64_t)n;
	}
}

static _Noreturn void become(struct rig *r, pid_t parent, int out, const char *path, char *const *argv)
{
	int err = open("/dev/null", O_RDWR | O_CLOEXEC), log;
	char name[160];
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	snprintf(name, sizeof(name), "%s/stderr", r->record->dir);
	log = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	record_child(r->record);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(err, 0) < 0 || dup2(out, 1) < 0 || dup2(log >= 0 ? log : err, 2) < 0)
		_exit(126);
	execv(path, argv);
	_exit(126);
}

bool program_start(struct rig *r, struct program *p, const char *path, char *const *argv)
{
	pid_t me = getpid();
	int out[2];

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK))
		return rig_fail(r, "pipe: %s", strerror(errno));
	fcntl(out[1], F_SETFL, 0); /* it may expect to block */
	*p = (struct program){.out = {.fd = out[0], .ready = said}, .hash = OCTETS_HASH};
	fflush(NULL);
	p->pid = fork();
	if (p->pid == 0)
		become(r, me, out[1], path, argv);
	close(out[1]);
	if (p->pid < 0 || drive_watch(r->d, &p->out, NULL)) {
		program_stop(p);
		return rig_fail(r, "cannot start %s: %s", argv[0], strerror(errno));
	}
	return true;
}

static bool is_over(void *arg) { return ((const struct program *)arg)->out.fd == 0; }

void program_stop(struct program *p)
{
	if (p->out.fd > 0)
		close(p->out.fd);
	p->out.fd = 0;
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, &p->status, 0);
	}
	p->pid = 0;
}

bool program_await(struct rig *r, struct program *p, unsigned ms)
{
	if (!rig_wait(r, is_over, p, ms)) {
		program_stop(p);
		return rig_fail(r, "it did not end within %u s", ms / 1000);
	}
	waitpid(p->pid, &p->status, 0); /* output closed: it is ending */
	p->pid = 0;
	return true;
}
