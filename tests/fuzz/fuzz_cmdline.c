/* SPDX-License-Identifier: MIT */
/*
 * fuzz_cmdline.c - the whole command line. The input's words end at NUL; what follows an empty word is the file that
 * --from reads. Nothing is saved, no experiment, interop or program is run, and the host is not looked at: doctor always gets that file,
 * the others a namespace that cannot exist. sim and bench would make processes and files: they only get as far as --help.
 */
#include "base/base.h"
#include "cli/lastack.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORDS_MAX = 16, WORD_BYTES_MAX = 4096, FILE_BYTES_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char small_observation[] =
	"{\"schema\":1,\"kind\":\"lastack-observation\",\"snapshots\":[{\"kernel\":\"6.18.44\",\"kernel_version\":393234,"
	"\"netns\":[{\"name\":\"host\",\"inode\":1,\"states\":{\"time_wait\":200},\"destinations\":[{\"src\":\"10.0.0.1\","
	"\"dst\":\"10.0.0.2\",\"dport\":80,\"states\":{\"time_wait\":200},\"ports_low_parity\":200}],"
	"\"knobs\":{\"port_low\":32768,\"port_high\":32999,\"tw_reuse\":2,\"timestamps\":1}}]}]}";

struct line {
	char text[WORD_BYTES_MAX + 1];
	char *argv[WORDS_MAX + 4];
	int argc;
};

static bool begins(const char *word, const char *with) { return strncmp(word, with, strlen(with)) == 0; }

/* -n NAME also stands within a group of letters. */
static bool may_name_namespace(const char *word)
{
	return begins(word, "--n") || (word[0] == '-' && word[1] != '-' && strchr(word, 'n'));
}

static bool is_harmless(const struct line *l)
{
	for (int i = 1; i < l->argc; i++)
		if (begins(l->argv[i], "--sa") || strcmp(l->argv[i], "--s") == 0 || may_name_namespace(l->argv[i]))
			return false;
	return l->argc < 2 ||
	       (strcmp(l->argv[1], "lab") != 0 && strcmp(l->argv[1], "interop") != 0 && strcmp(l->argv[1], "run") != 0);
}

/* Returns the bytes used: the words and the empty one after them. */
static size_t split(struct line *l, const uint8_t *data, size_t size)
{
	static char name[] = "lastack";
	size_t used = size < WORD_BYTES_MAX ? size : WORD_BYTES_MAX;

	memcpy(l->text, data, used);
	l->text[used] = '\0';
	l->argv[l->argc++] = name;
	for (size_t at = 0; at < used && l->argc <= WORDS_MAX; at += strlen(l->text + at) + 1) {
		if (l->text[at] == '\0')
			return at + 1;
		l->argv[l->argc++] = l->text + at;
	}
	return size;
}

static void insert(struct line *l, int at, char *word)
{
	memmove(&l->argv[at + 1], &l->argv[at], (size_t)(l->argc - at) * sizeof(l->argv[0]));
	l->argv[at] = word;
	l->argc++;
}

/* Only these options of no command at all look at nothing. */
static bool is_answer(const char *first)
{
	return strcmp(first, "-h") == 0 || strcmp(first, "--help") == 0 || strcmp(first, "-V") == 0 ||
	       strcmp(first, "--version") == 0;
}

/* So that whatever the other words are, no look at the host comes of it. */
static void tame(struct line *l, char *from)
{
	static char nowhere[] = "--netns=/", help[] = "--help";
	const char *first = l->argc > 1 ? l->argv[1] : "";

	for (int i = 1; i < l->argc; i++)
		if (begins(l->argv[i], "--fr"))
			l->argv[i] = from;
	if (strcmp(first, "doctor") == 0)
		insert(l, 2, from);
	else if (strcmp(first, "status") == 0 || strcmp(first, "knobs") == 0 || strcmp(first, "trace") == 0)
		insert(l, 2, nowhere);
	else if (strcmp(first, "capabilities") == 0 || strcmp(first, "bench") == 0 || strcmp(first, "sim") == 0)
		insert(l, 2, help);
	else if ((first[0] == '-' && !is_answer(first)) || !first[0])
		insert(l, 1, nowhere);
}

static void fill_file(int fd, const uint8_t *data, size_t size)
{
	const void *bytes = size ? (const void *)data : small_observation;
	size_t len = size ? size : sizeof(small_observation) - 1;

	must(ftruncate(fd, 0) == 0);
	must(pwrite(fd, bytes, len, 0) == (ssize_t)len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	static int fd = -1;
	static char from[64];
	struct line l = {.argc = 0};
	size_t used = split(&l, data, size), rest = size - used;
	int code;

	if (!null) {
		null = fopen("/dev/null", "w");
		fd = memfd_create("from", MFD_CLOEXEC);
		snprintf(from, sizeof(from), "--from=/proc/self/fd/%d", fd);
	}
	must(null && fd >= 0);
	if (!is_harmless(&l))
		return 0;
	fill_file(fd, data + used, rest < FILE_BYTES_MAX ? rest : FILE_BYTES_MAX);
	tame(&l, from);
	l.argv[l.argc] = NULL;
	code = lastack_main(l.argc, l.argv, null, null);
	must(code >= 0 && code <= 4);
	return 0;
}
