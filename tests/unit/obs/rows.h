/* SPDX-License-Identifier: MIT */
/* rows.h - rows of a dump as tests write them: ROW(.state = ST_TIME_WAIT, .src = IP4(10, 0, 0, 1), ...). */
#pragma once
#include "obs/diag.h"

#define IP4(w, x, y, z) ((struct ip){.family = 4, .b = {w, x, y, z}})
#define IP6(last) ((struct ip){.family = 6, .b = {0x20, 0x01, [15] = (last)}})
#define ANY4 ((struct ip){.family = 4})
#define ANY6 ((struct ip){.family = 6})
#define LOCAL6 ((struct ip){.family = 6, .b = {[15] = 1}})
#define ROW(...) (&(const struct diag_row){__VA_ARGS__})

/* A timewait mini that entered its state age_ms ago. */
#define MINI_AGED(age_ms) .mini = true, .timer = DIAG_TIMER_TIMEWAIT, .expires_ms = 60000 - (age_ms)
