/* SPDX-License-Identifier: MIT */
/* report.h - findings and model as text for people and JSON for programs. Writes to the given FILE only. */
#pragma once
#include "diag/rule.h"
#include "model/service.h"
#include "model/snapshot.h"
#include <stdio.h>

struct json;

struct style {
	bool colour;
	bool verbose; /* everything; else the first screen of at most 24 lines */
	unsigned width; /* columns; text is cut or wrapped to it */
};

/* obs = one or two snapshots; with two, rates are shown. */
void report_status_text(FILE *out, const struct observation *obs, const struct style *st);
void report_status_json(FILE *out, const struct observation *obs);

/* What netstat -n | awk '/^tcp/{++S[$NF]}END{for(s in S) print s, S[s]}' prints, in a fixed order. */
void report_states(FILE *out, const struct observation *obs);

void report_doctor_text(FILE *out, const struct observation *obs, const struct findings *f, const struct style *st);
void report_doctor_json(FILE *out, const struct observation *obs, const struct findings *f);

/*
 * One line about a connection that ended. to_wall_ns is added to its times to make them CLOCK_REALTIME; 0 for captures.
 * The text is cut to st->width unless st->verbose. The JSON is one object.
 */
void report_close_text(FILE *out, const struct conn *c, int64_t to_wall_ns, const struct style *st);
void report_close_json(struct json *j, const struct conn *c, int64_t to_wall_ns);

/* What the closes of each service say together; f is what causes_diagnose() found in s. The JSON is keys of an open object. */
void report_services_text(FILE *out, const struct services *s, const struct findings *f, const struct style *st);
void report_services_json(struct json *j, const struct services *s, const struct findings *f);

/* The page of a finding (docs/findings/ID.md, built in). NULL: no such id. */
const char *report_page(const char *id);
void report_page_text(FILE *out, const char *id, const struct style *st); /* must exist */

/* True if some question could not be asked, so that "nothing found" is not an answer. */
bool report_is_blind(const struct observation *obs);
