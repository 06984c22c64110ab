// SPDX-License-Identifier: MIT
/*
 * echo FROM ADDRESS COUNT: round-trip times of ICMP echoes, one at a time as ping -f, in nanoseconds. ping itself
 * prints whole microseconds, too coarse for a veth pair. As there, a packet's arrival counts, not the reader's wake-up.
 */
#include "tool.h"
#include <arpa/inet.h>
#include <linux/icmp.h>
#include <sys/socket.h>

#define COUNT_MAX 100000

static unsigned short checksum(const void *data, unsigned int words)
{
	const unsigned short *w = data;
	unsigned int sum = 0;

	for (unsigned int i = 0; i < words; i++)
		sum += w[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static long long clock_ns(const struct timespec *t)
{
	return t->tv_sec * 1000000000LL + t->tv_nsec;
}

/* Waits for the answer with that number. Returns when it came in, by the kernel's stamp, or 0. */
static long long answered(int fd, unsigned short id, unsigned short sequence)
{
	unsigned char answer[256], control[256];
	struct iovec one = { .iov_base = answer, .iov_len = sizeof(answer) };

	for (;;) {
		struct msghdr message = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		struct icmphdr *head = (struct icmphdr *)(answer + 20);
		struct cmsghdr *stamp;

		if (recvmsg(fd, &message, 0) < 0)
			return 0;
		stamp = CMSG_FIRSTHDR(&message);
		if (stamp && head->un.echo.id == id && head->un.echo.sequence == sequence)
			return clock_ns((struct timespec *)CMSG_DATA(stamp));
	}
}

/* Nanoseconds from before the request until the answer, 0 if none came within the socket's time-out. */
static unsigned int echo_once(int fd, unsigned short sequence)
{
	struct {
		struct icmphdr head;
		char payload[56];
	} request = { .head = { .type = ICMP_ECHO } };
	struct timespec start;
	long long end;

	request.head.un.echo.id = getpid();
	request.head.un.echo.sequence = sequence;
	request.head.checksum = checksum(&request, sizeof(request) / 2);
	clock_gettime(CLOCK_REALTIME, &start);
	if (send(fd, &request, sizeof(request), 0) < 0)
		fail("send");
	end = answered(fd, request.head.un.echo.id, sequence);
	return end ? end - clock_ns(&start) : 0;
}

int main(int count, char **words)
{
	static unsigned int times[COUNT_MAX];
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct icmp_filter only_replies = { .data = ~(1U << ICMP_ECHOREPLY) };
	struct timeval patience = { .tv_usec = 500000 };
	unsigned int wanted, got = 0, lost = 0;
	int fd, on = 1;

	if (count != 4 || inet_pton(AF_INET, words[2], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: echo FROM ADDRESS COUNT\n");
		return 1;
	}
	wanted = atoi(words[3]) > COUNT_MAX ? COUNT_MAX : atoi(words[3]);
	enter(words[1]);
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_RAW, ICMP_FILTER, &only_replies, sizeof(only_replies)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		fail("socket");
	for (unsigned int i = 0; i < wanted && lost < 3; i++) {
		unsigned int time = echo_once(fd, i);

		if (time)
			times[got++] = time;
		else
			lost++;
	}
	if (!got) {
		fprintf(stderr, "%s does not answer\n", words[2]);
		return 1;
	}
	qsort(times, got, sizeof(*times), by_value);
	printf("{\"received\":%u,\"lost\":%u,\"median\":%u,\"best\":%u}\n", got, lost, times[got / 2], times[0]);
	return 0;
}
