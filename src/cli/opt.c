/* SPDX-License-Identifier: MIT */
#include "cli/opt.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/complain.h"

/* What the user wrote for an option, for complaints: "--interval" or "-v". */
struct spelling {
	char s[64];
};

static struct spelling spelling_long(const char *name, size_t len)
{
	struct spelling t;

	snprintf(t.s, sizeof(t.s), "--%.*s", len > 40 ? 40 : (int)len, name);
	return t;
}

static void *field(void *cfg, size_t offset) { return (char *)cfg + offset; }

static bool store_seconds(const struct opt *o, const char *value, uint32_t *ret)
{
	/* strtod also takes "inf", "nan", hex and leading blanks: only plain decimals are numbers of seconds here, "10" or "10s". */
	const char *unit = value + strspn(value, "0123456789.");
	char *end;
	double s;

	if (unit == value || strcmp(unit, *unit ? "s" : "") != 0)
		return false;
	errno = 0;
	s = strtod(value, &end);
	if (end != unit || errno || s * 1000 > o->max)
		return false;
	if (s > 0 && s * 1000 < o->min)
		return false;
	if (s <= 0 && o->min > 0 && !o->or_zero)
		return false;
	*ret = (uint32_t)(s * 1000 + 0.5);
	return true;
}

static bool store_u32(const struct opt *o, const char *value, uint32_t *ret)
{
	unsigned long long v;
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return false;
	errno = 0;
	v = strtoull(value, &end, 10);
	if (*end || errno || v > o->max || (v < o->min && !(v == 0 && o->or_zero)))
		return false;
	*ret = (uint32_t)v;
	return true;
}

static enum opt_result wrong_number(const struct opt *o, const char *said, const char *value)
{
	bool seconds = o->type == OPT_SECONDS;
	double scale = seconds ? 1000 : 1;

	complain_usage("%s: '%s' is not a number%s (%.10g to %.10g%s)", said, value, seconds ? " of seconds" : "",
		       o->min / scale, o->max / scale, o->or_zero ? ", or 0" : "");
	return OPT_WRONG;
}

static enum opt_result store_word(const struct opt *o, const char *said, const char *value, unsigned *ret)
{
	char list[160] = "";
	size_t len = 0;

	for (unsigned i = 0; o->words[i]; i++) {
		if (strcmp(o->words[i], value) == 0) {
			*ret = i;
			return OPT_OK;
		}
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", o->words[i]);
	}
	complain_usage("%s: '%s' is not one of %s", said, value, list);
	return OPT_WRONG;
}

static enum opt_result store(const struct opt *o, const char *said, const char *value, void *cfg)
{
	if (o->given)
		*(bool *)field(cfg, o->given) = true;
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)field(cfg, o->offset) = true;
		return OPT_OK;
	case OPT_STRING:
		if (value[0] == 0) {
			complain_usage("%s: needs a %s that is not empty", said, o->metavar);
			return OPT_WRONG;
		}
		*(const char **)field(cfg, o->offset) = value;
		return OPT_OK;
	case OPT_U32:
		return store_u32(o, value, field(cfg, o->offset)) ? OPT_OK : wrong_number(o, said, value);
	case OPT_SECONDS:
		return store_seconds(o, value, field(cfg, o->offset)) ? OPT_OK : wrong_number(o, said, value);
	case OPT_ENUM:
		return store_word(o, said, value, field(cfg, o->offset));
	case OPT_END:
		break;
	}
	must_not_reach("a row of no type");
}

/* The arguments while they are read. What is no option is moved to the front. */
struct reader {
	const struct cmd *cmd;
	void *cfg;
	char **argv;
	int argc, next;
	int n_positional;
};

static enum opt_result no_value(const struct opt *o, const char *said)
{
	complain_usage("%s: needs a value: %s %s", said, said, o->metavar);
	return OPT_WRONG;
}

static enum opt_result unknown_long(const struct cmd *c, const char *name, size_t len)
{
	struct spelling said = spelling_long(name, len);
	const char *best = NULL;
	unsigned least = 3;

	for (const struct opt *o = c->opts; o->type != OPT_END; o++) {
		unsigned d = edit_distance(o->name, said.s + 2);

		if (d < least) {
			least = d;
			best = o->name;
		}
	}
	if (best)
		complain_usage("no such option: %s (did you mean --%s?)", said.s, best);
	else
		complain_usage("no such option: %s", said.s);
	return OPT_WRONG;
}

static enum opt_result read_long(struct reader *r, const char *arg)
{
	const char *eq = strchr(arg, '=');
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
	struct spelling said = spelling_long(arg, len);
	const struct opt *o = r->cmd->opts;

	if (strcmp(arg, "help") == 0)
		return OPT_HELP;
	while (o->type != OPT_END && !(strlen(o->name) == len && memcmp(o->name, arg, len) == 0))
		o++;
	if (o->type == OPT_END)
		return unknown_long(r->cmd, arg, len);
	if (o->type == OPT_FLAG && eq) {
		complain_usage("%s: takes no value", said.s);
		return OPT_WRONG;
	}
	if (o->type == OPT_FLAG || eq)
		return store(o, said.s, eq ? eq + 1 : NULL, r->cfg);
	if (r->next == r->argc)
		return no_value(o, said.s);
	return store(o, said.s, r->argv[r->next++], r->cfg);
}

/* "-jv", "-i2", "-i 2": letters up to the first that takes a value; the rest of the word is that value. */
static enum opt_result read_short(struct reader *r, const char *letters)
{
	for (; *letters; letters++) {
		const char said[] = {'-', *letters, 0};
		const struct opt *o = r->cmd->opts;
		const char *value = NULL;
		enum opt_result res;

		if (*letters == 'h')
			return OPT_HELP;
		while (o->type != OPT_END && o->letter != *letters)
			o++;
		if (o->type == OPT_END) {
			complain_usage("no such option: %s", said);
			return OPT_WRONG;
		}
		if (o->type != OPT_FLAG) {
			value = letters[1] ? letters + 1 : r->next < r->argc ? r->argv[r->next++] : NULL;
			if (!value)
				return no_value(o, said);
		}
		res = store(o, said, value, r->cfg);
		if (res != OPT_OK || value)
			return res;
	}
	return OPT_OK;
}

enum opt_result opt_parse(const struct cmd *c, void *cfg, int *argc, char **argv)
{
	struct reader r = {.cmd = c, .cfg = cfg, .argv = argv, .argc = *argc};
	bool only_positional = false;

	if (c->cfg_size)
		memcpy(cfg, c->defaults, c->cfg_size);
	while (r.next < r.argc) {
		char *arg = argv[r.next++];
		enum opt_result res = OPT_OK;

		if (only_positional || arg[0] != '-' || arg[1] == 0) {
			argv[r.n_positional++] = arg;
			only_positional |= c->args_run;
		} else if (strcmp(arg, "--") == 0) {
			only_positional = true;
		} else if (arg[1] == '-') {
			res = read_long(&r, arg + 2);
		} else {
			res = read_short(&r, arg + 1);
		}
		if (res != OPT_OK)
			return res;
	}
	if (r.n_positional > c->args_max) {
		complain_usage(c->args_max ? "one argument too many: '%s'" : "takes no arguments, but got '%s'",
			       argv[c->args_max]);
		return OPT_WRONG;
	}
	if (r.n_positional < *argc)
		argv[r.n_positional] = NULL;
	*argc = r.n_positional;
	return OPT_OK;
}

unsigned edit_distance(const char *a, const char *b)
{
	enum { LONGEST = 40 };
	unsigned row[LONGEST + 1];
	size_t nb = strlen(b);

	if (nb > LONGEST || strlen(a) > LONGEST)
		return UINT32_MAX;
	for (unsigned j = 0; j <= nb; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < nb; j++) {
			unsigned change = diagonal + (a[i] != b[j]);
			unsigned least = change < row[j] + 1 ? change : row[j] + 1;

			diagonal = row[j + 1];
			/* row[j + 1] still holds the row above: deletion */
			if (diagonal + 1 < least)
				least = diagonal + 1;
			row[j + 1] = least;
		}
	}
	return row[nb];
}
