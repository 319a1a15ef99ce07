/* SPDX-License-Identifier: MIT */
/*
 * stack.h - an engine on virtual time that two threads share, packetdrill's two: the driver, which moves the clock, and one
 * that sits in a call that blocks. Everything below is called with the lock held, except where it says otherwise.
 */
#pragma once
#include "base/base.h"
#include "engine/lastack.h"
#include "packetdrill/flags.h"

#include <pthread.h>
#include <stdio.h>

enum { FILES_MAX = 1024, EPOLL_ITEMS_MAX = 32, KEPT_OPTS_MAX = 8 };

struct stack;

enum file_kind { FILE_NONE, FILE_SOCKET, FILE_EPOLL };

struct epoll_item {
	int fd;
	uint32_t events;
	uint64_t data;
	uint64_t received; /* octets, when last looked at */
	bool has_edge; /* something came up since it was last told (EPOLLET) */
	bool is_off; /* EPOLLONESHOT, and it was */
};

struct file {
	enum file_kind kind;
	int flags; /* O_NONBLOCK */
	/* FILE_SOCKET */
	la_sock sock;
	int family;
	/* An AF_INET6 socket learns from the first address it is told whether it is one of IPv4: what was set before is set again. */
	bool is_settled;
	struct kept_opt {
		enum la_opt opt;
		uint8_t value[8], len;
	} kept[KEPT_OPTS_MAX];
	unsigned n_kept;
	la_time recv_for, send_for; /* SO_RCVTIMEO, SO_SNDTIMEO; 0: for ever */
	/* FILE_EPOLL */
	struct epoll_item *items;
	unsigned n_items;
};

struct sent_packet {
	struct sent_packet *next;
	la_time at;
	size_t len;
	uint8_t data[];
};

enum sleeper { SLEEPER_NONE, SLEEPER_ASLEEP, SLEEPER_AWAKE };

struct stack {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	pthread_t driver, blocked;
	enum sleeper sleeper;
	la_time wake_at; /* when the sleeper's patience ends */

	struct la_engine *engine;
	uint32_t mtu;
	void *mem;
	size_t mem_size;
	la_time now;
	unsigned looks; /* calls of gettimeofday with nothing in between */
	bool has_sockets; /* there was one */
	bool has_lingered; /* a la_close() that was under way is over */
	struct sent_packet *first, **last;
	FILE *pcap; /* NULL: none is wanted */
	struct flags flags;
	struct file files[FILES_MAX];
};

struct stack *stack_new(const char *flags); /* no lock. Says what is wrong and exits: packetdrill cannot be told */
void stack_free(struct stack *s); /* no lock */

void stack_lock(struct stack *s); /* no lock, of course; it tells a call from a look at the clock */
void stack_unlock(struct stack *s);

void stack_settle(
	struct
	stack *s); /* after anything was done to the engine: takes packets and events out, lets the sleeper try again */
void stack_run(struct stack *s, la_time until); /* time goes by */
bool stack_step(struct stack *s, la_time most); /* to the next timer, at most that far away; false: there is none */
void stack_look(struct stack *s); /* somebody asks for the time */
void stack_input(struct stack *s, const void *packet, size_t len);
size_t stack_take(struct stack *s, void *packet, size_t cap,
		  long long *ret_us); /* the oldest packet out, and when; 0: none */

la_time stack_deadline(const struct stack *s, la_time patience); /* 0: for ever */
/* In a call that must block: returns when something may have changed; false: the deadline is over, or nothing will ever happen. */
bool stack_wait(struct stack *s, la_time deadline);

struct file *stack_file(struct stack *s, int fd, enum file_kind kind); /* NULL: none of that kind */
int stack_open(struct stack *s, enum file_kind kind, int flags); /* a placeholder; -errno */
void stack_close(struct stack *s, int fd);

void stack_learn_address(struct stack *s, const uint8_t addr[16]); /* one of ours */
/* What the script's init command made of its namespace; with the first socket it is settled: the MTU of tun0. */
void stack_first_socket(struct stack *s);
void sysctls_load(struct stack *s); /* of this process's network namespace, as far as the engine has them */

/* ---- epoll.c ---- */
void epoll_raise(struct stack *s, int fd); /* something came up on this socket */
void epoll_forget(struct stack *s, int fd); /* it is being closed */
