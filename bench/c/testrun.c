// SPDX-License-Identifier: MIT
/*
 * testrun BLOCKS CALLS CASE...: nanoseconds of BPF programs, one packet per call (BPF_PROG_TEST_RUN, repeat 1), in
 * blocks of CALLS that take turns. A CASE is FD,FRAME,OFFSET,FIRST,COUNT,VERDICT: the program, its frame in hex, and
 * where in it the big-endian number is that tells sessions apart, at random in FIRST to FIRST + COUNT - 1.
 */
#include "tool.h"
#include <linux/bpf.h>
#include <sys/syscall.h>

#define CASES_MAX 32
#define FRAME_MAX 512

struct test_case {
	int fd;
	unsigned char frame[FRAME_MAX];
	unsigned int octets, offset, first, count, verdict;
	unsigned int *times, n, wrong;
};

static void parse(char *word, struct test_case *c)
{
	char hex[FRAME_MAX * 2 + 1];

	if (sscanf(word, "%d,%1024[0-9a-f],%u,%u,%u,%u", &c->fd, hex, &c->offset, &c->first, &c->count, &c->verdict) != 6) {
		fprintf(stderr, "not a case: %s\n", word);
		exit(1);
	}
	for (char *h = hex; h[0] && h[1]; h += 2)
		sscanf(h, "%2hhx", &c->frame[c->octets++]);
}

static void run(struct test_case *c, unsigned int *random)
{
	union bpf_attr attr;
	unsigned int id;

	*random = *random * 1664525 + 1013904223;
	id = c->first + (unsigned int)(((unsigned long long)*random * c->count) >> 32);
	for (int i = 0; i < 4; i++)
		c->frame[c->offset + i] = id >> (24 - 8 * i);
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = c->fd;
	attr.test.data_in = (unsigned long)c->frame;
	attr.test.data_size_in = c->octets;
	attr.test.repeat = 1;
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		fail("run program");
	c->wrong += attr.test.retval != c->verdict;
	c->times[c->n++] = attr.test.duration;
}

static void print(struct test_case *c, int last)
{
	qsort(c->times, c->n, sizeof(*c->times), by_value);
	printf("{\"median\":%u,\"best\":%u,\"tenth\":%u,\"wrong\":%u}%s", c->times[c->n / 2], c->times[0],
	       c->times[c->n / 10], c->wrong, last ? "]\n" : ",");
}

int main(int count, char **words)
{
	static struct test_case cases[CASES_MAX];
	int blocks, calls, n = count - 3;
	unsigned int random = 1;
	cpu_set_t one;

	if (n < 1 || n > CASES_MAX) {
		fprintf(stderr, "usage: testrun BLOCKS CALLS CASE...\n");
		return 1;
	}
	blocks = atoi(words[1]);
	calls = atoi(words[2]);
	/* the last CPU: interrupts tend to go to the first */
	CPU_ZERO(&one);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < n; i++) {
		parse(words[i + 3], &cases[i]);
		cases[i].times = calloc((size_t)blocks * calls, sizeof(unsigned int));
		if (!cases[i].times)
			fail("memory");
	}
	for (int block = 0; block < blocks; block++)
		for (int i = 0; i < n; i++)
			for (int call = 0; call < calls; call++)
				run(&cases[i], &random);
	printf("[");
	for (int i = 0; i < n; i++)
		print(&cases[i], i == n - 1);
	return 0;
}
