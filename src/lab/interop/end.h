/* SPDX-License-Identifier: MIT */
/*
 * end.h - one end of a connection, of the engine or of the kernel, behind the same non-blocking calls, so that what is
 * tried with the one can be tried with the other. Errors are negative errno values. Addresses are struct la_endpoint.
 */
#pragma once
#include "lab/interop/drive.h"

enum side { SIDE_ENGINE, SIDE_KERNEL, N_SIDES };

struct end {
	enum side side;
	struct drive *d;
	la_sock sock;
	int fd; /* both 0: closed */
	int rcvbuf; /* SO_RCVBUF, as early as can be; 0: leave it */
	void (*ready)(struct end *e); /* something came up; NULL: nobody cares */
	struct drive_fd watch;
	struct drive_sock hook;
};

/* All three fill e; side, d and ready are given by the caller in *e before. 0 or -errno; e is closed then. */
int end_listen(struct end *e, const struct la_endpoint *at);
int end_connect(struct end *e, const struct la_endpoint *to, uint16_t local_port); /* under way; local_port 0: any */
int end_accept(struct end *listener, struct end *e, uint16_t *ret_peer_port); /* -EAGAIN; ret may be NULL */
int end_move(struct end *to, const struct end *from); /* to another place, which has its rcvbuf already */

bool end_is_open(const struct end *e);
uint16_t end_local_port(const struct end *e);
int64_t end_send(struct end *e, const void *data, size_t len);
int64_t end_recv(struct end *e, void *buf, size_t len, bool peek); /* 0: the peer has closed */
int end_error(struct end *e); /* SO_ERROR, negative; cleared by asking */
int end_shutdown(struct end *e, bool both); /* SHUT_WR, SHUT_RDWR */
int end_linger(struct end *e, int seconds); /* SO_LINGER */
int end_linger2(struct end *e, int seconds); /* TCP_LINGER2 */
int end_close(struct end *e);
