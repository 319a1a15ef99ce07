/* SPDX-License-Identifier: MIT */
/*
 * opt.h - subcommands and their options as rows of a table. Parsing, --help, the man page and the shell completion
 * all come from the same row.
 *
 *   static const struct opt opts[] = {
 *           {.name = "json", .letter = 'j', OPT_IS_FLAG(struct x_cfg, json), .help = "print JSON"},
 *           {.name = "interval", OPT_IS_SECONDS(struct x_cfg, interval_ms, 100, 3600000), .help = "..."},
 *           {.type = OPT_END},
 *   };
 */
#pragma once
#include "base/base.h"
#include <stdio.h>

enum opt_type { OPT_END, OPT_FLAG, OPT_STRING, OPT_U32, OPT_SECONDS, OPT_ENUM };

struct opt {
	const char *name; /* without the dashes */
	char letter; /* 0: no short form */
	enum opt_type type;
	const char *metavar, *help; /* help begins in lower case and has no full stop */
	size_t offset; /* of the field in the command's cfg struct */
	size_t given; /* of a bool that becomes true when the option is there; 0: nobody wants to know */
	uint32_t min, max; /* OPT_U32, and OPT_SECONDS in milliseconds */
	bool or_zero; /* 0 is allowed too */
	const char *const *words; /* OPT_ENUM: NULL-terminated; the index of the word is stored */
};

/* The offset of a field that must have the given type: a row that names the wrong field does not compile. */
#define OPT_AT(cfg, field, type_)                                                                                      \
	(offsetof(cfg, field) + 0 * sizeof(char[_Generic(((cfg *)0)->field, type_ : 1, default : -1)]))

#define OPT_IS_FLAG(cfg, field) .type = OPT_FLAG, .offset = OPT_AT(cfg, field, bool)
#define OPT_IS_STRING(cfg, field) .type = OPT_STRING, .offset = OPT_AT(cfg, field, const char *)
#define OPT_IS_U32(cfg, field, min_, max_)                                                                             \
	.type = OPT_U32, .offset = OPT_AT(cfg, field, uint32_t), .min = (min_), .max = (max_)
#define OPT_IS_SECONDS(cfg, field, min_ms, max_ms)                                                                     \
	.type = OPT_SECONDS, .offset = OPT_AT(cfg, field, uint32_t), .min = (min_ms), .max = (max_ms)
#define OPT_IS_ENUM(cfg, field, words_) .type = OPT_ENUM, .offset = OPT_AT(cfg, field, unsigned), .words = (words_)
#define OPT_TELLS(cfg, field) .given = OPT_AT(cfg, field, bool)

enum { CMD_CFG_MAX = 256, CMD_ARGS_ANY = INT32_MAX };

struct cmd {
	const char *name, *args; /* args as in a synopsis: "[ID]"; "" none */
	const char *summary; /* one line, begins in upper case, no full stop */
	const char *description; /* for --help and the man page: paragraphs separated by an empty line */
	const char *examples; /* lines "command\n    what it does\n"; "" none */
	const struct opt *opts; /* ends with OPT_END; --help is added to all */
	const void *defaults; /* a struct of cfg_size bytes */
	size_t cfg_size; /* at most CMD_CFG_MAX */
	int args_max; /* positional arguments; CMD_ARGS_ANY no limit */
	bool args_run; /* they are a command: options after the first are its own */
	/* Returns the exit code. argv holds the argc positional arguments only. Complaints go through cli/complain.h. */
	int (*run)(const void *cfg, int argc, char *const *argv, FILE *out);
};

extern const struct cmd *const cmds[]; /* in the order of `lastack --help` */
extern const size_t n_cmds;
const struct cmd *cmd_find(const char *name); /* NULL if there is none */
const char *cmd_nearest(const char *name); /* a command's name that was perhaps meant, or NULL */

enum opt_result { OPT_OK, OPT_WRONG, OPT_HELP };

/*
 * Fills cfg (cfg_size bytes) from the defaults and the arguments, and moves what is no option to the front of argv, a
 * null after it; *argc becomes their number. OPT_WRONG: complained already.
 */
enum opt_result opt_parse(const struct cmd *c, void *cfg, int *argc, char **argv);

/* "--interval SECONDS" for help and man; the default of a row as text, "" if there is none worth telling. */
struct opt_text {
	char s[96];
};
struct opt_text opt_synopsis(const struct opt *o);
struct opt_text opt_default(const struct cmd *c, const struct opt *o);

void cmd_help(FILE *out, const struct cmd *c);
void cmds_help(FILE *out); /* `lastack --help` */

/* How many letters must change to turn a into b: for "did you mean". */
unsigned edit_distance(const char *a, const char *b);
