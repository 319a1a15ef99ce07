/* SPDX-License-Identifier: MIT */
/* document.h - whole JSON documents, written where jansson's names are not known. */
#pragma once
#include "report/report.h"

void document_of_close(FILE *out, const struct conn *c);
void document_of_services(FILE *out, const struct services *s, const struct findings *f);
