/* SPDX-License-Identifier: MIT */
/* path.h - what becomes of a packet between two hosts. */
#pragma once
#include "sim/net.h"

/* A place for a packet. There is always one: when all are under way a spare one, and what is put there is lost. */
struct packet_slot *path_slot(struct net *n);
void path_slot_free(struct net *n, struct packet_slot *p);
/* The host has put a packet of p->len octets there and sends it. p is no longer the caller's. */
void path_send(struct net *n, unsigned from, struct packet_slot *p);
