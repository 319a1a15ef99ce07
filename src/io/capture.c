/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#include "io/capture.h"

struct capture {
	pcap_t *pcap;
	enum capture_link link;
};

/* False: none of ours. DLT_RAW is another number on OpenBSD, whose captures say 14. */
static bool link_of(int dlt, enum capture_link *ret)
{
	static const struct {
		int dlt;
		enum capture_link link;
	} known[] = {
		{DLT_EN10MB, CAPTURE_ETHERNET},
		{DLT_LINUX_SLL, CAPTURE_SLL},
		{DLT_LINUX_SLL2, CAPTURE_SLL2},
		{DLT_RAW, CAPTURE_IP},
		{14, CAPTURE_IP},
		{DLT_IPV4, CAPTURE_IP},
		{DLT_IPV6, CAPTURE_IP},
		{DLT_NULL, CAPTURE_NULL},
		{DLT_LOOP, CAPTURE_NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].dlt == dlt) {
			*ret = known[i].link;
			return true;
		}
	}
	return false;
}

/* What a user has when it is not a capture, from its first octets; "" if that is not known. */
static const char *mistaken_for(const char *file)
{
	unsigned char magic[4] = {0};
	FILE *f = strcmp(file, "-") == 0 ? NULL : fopen(file, "rb");
	size_t n = f ? fread(magic, 1, sizeof(magic), f) : 0;
	bool empty = f && n == 0 && !ferror(f); /* a directory cannot be read */

	if (f)
		fclose(f);
	if (n == 0)
		return empty ? ": it is empty" : "";
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		return ": it is compressed; gzip -dc FILE | lastack pcap -";
	if (memcmp(magic,
		   "\xfd"
		   "7zX",
		   4) == 0)
		return ": it is compressed; xz -dc FILE | lastack pcap -";
	if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
		return ": it is compressed; zstd -dc FILE | lastack pcap -";
	return "";
}

int capture_open(const char *file, struct capture **ret, struct why *w)
{
	char said[PCAP_ERRBUF_SIZE] = "";
	enum capture_link link;
	struct capture *c;
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, said);

	if (!pcap) {
		bool named = strncmp(said, file, strlen(file)) == 0; /* libpcap names the file if it cannot be opened */

		why_set(w, "%s%s%s%s", named ? "" : file, named ? "" : ": ", said, mistaken_for(file));
		return -EINVAL;
	}
	if (!link_of(pcap_datalink(pcap), &link)) {
		const char *name = pcap_datalink_val_to_description(pcap_datalink(pcap));

		why_set(w,
			"%s: frames of link type %d (%s) are not known: Ethernet, Linux cooked, raw IP and loopback are",
			file, pcap_datalink(pcap), name ? name : "without a name");
		pcap_close(pcap);
		return -EPROTONOSUPPORT;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		pcap_close(pcap);
		return why_errno(w, ENOMEM, "%s", file);
	}
	c->pcap = pcap;
	c->link = link;
	*ret = c;
	return 0;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	pcap_close(c->pcap);
	free(c);
}

enum capture_link capture_link(const struct capture *c) { return c->link; }

int capture_next(struct capture *c, struct captured *f, struct why *w)
{
	struct pcap_pkthdr *head;
	const u_char *data;
	int r = pcap_next_ex(c->pcap, &head, &data);

	if (r == PCAP_ERROR_BREAK)
		return 0;
	if (r != 1) {
		why_set(w, "%s", pcap_geterr(c->pcap));
		return -EIO;
	}
	/* A file may say anything; the fraction is nanoseconds here. */
	f->at = head->ts.tv_sec < 0 || (uint64_t)head->ts.tv_sec > UINT64_MAX / NSEC_PER_S / 2
			? 0
			: (nsec_t)head->ts.tv_sec * NSEC_PER_S + (uint64_t)head->ts.tv_usec % NSEC_PER_S;
	f->data = data;
	f->kept = head->caplen;
	f->len = head->len;
	return 1;
}
