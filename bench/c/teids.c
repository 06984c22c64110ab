// SPDX-License-Identifier: MIT
/*
 * teids FROM TO ADDRESS PORT RATE: G-PDUs with TEIDs that nobody has, RATE a second, from one namespace to ADDRESS in another, until
 * SIGINT. At a PORT other than 2152 they meet a socket that is never read. Prints how many were sent, in which time, with how much CPU
 * time (over a veth pair reception is on the sender's account, for the most part), and how many answers came.
 */
#include "tool.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#define GTPU_PORT 2152
#define BATCH 100
#define INNER 84	/* octets: an ICMP echo */
#define RECEIVE_BUFFER (4 << 20)
#define LATEST 50000000LL	/* nanoseconds */

struct gpdu {
	unsigned char flags, type;
	unsigned short length;
	unsigned int teid;
	unsigned char inner[INNER];
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static int udp_socket(const char *netns, const struct sockaddr_in *address)
{
	int fd, size = RECEIVE_BUFFER;

	enter(netns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		fail("socket");
	return fd;
}

/* Sends a batch each time one is due, and catches up when it is not much late. Returns how many were sent. */
static unsigned long flood(int fd, unsigned int rate)
{
	long long gap = 1000000000LL * BATCH / rate, due = now_ns();
	static struct gpdu packets[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	unsigned int teid = 0x80000000;
	unsigned long sent = 0;

	for (int i = 0; i < BATCH; i++) {
		packets[i] = (struct gpdu){ .flags = 0x30, .type = 255, .length = htons(INNER), .inner = { 0x45 } };
		parts[i] = (struct iovec){ .iov_base = &packets[i], .iov_len = sizeof(packets[i]) };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (!stopped) {
		struct timespec next = { .tv_sec = due / 1000000000, .tv_nsec = due % 1000000000 };
		int n;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		for (int i = 0; i < BATCH; i++)
			packets[i].teid = htonl(teid++);
		n = sendmmsg(fd, messages, BATCH, 0);
		if (n > 0)
			sent += n;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
			fail("sendmmsg");
		due += gap;
		if (now_ns() > due + LATEST)
			due = now_ns();
	}
	return sent;
}

int main(int count, char **words)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, any = { .sin_family = AF_INET, .sin_port = htons(GTPU_PORT) };
	unsigned long sent, answers = 0;
	struct sigaction action = { .sa_handler = stop };
	char answer[64];
	long long start;
	int fd;

	if (count != 6 || inet_pton(AF_INET, words[3], &to.sin_addr) != 1 || atoi(words[5]) < BATCH) {
		fprintf(stderr, "usage: teids FROM TO ADDRESS PORT RATE\n");
		return 1;
	}
	to.sin_port = htons(atoi(words[4]));
	if (atoi(words[4]) != GTPU_PORT)
		udp_socket(words[2], &to);
	fd = udp_socket(words[1], &any);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) || sigaction(SIGINT, &action, NULL))
		fail("connect");
	if (setpriority(PRIO_PROCESS, 0, -20)) /* a flood from elsewhere waits for no CPU of ours */
		fail("setpriority");
	fprintf(stderr, "ready\n");
	start = now_ns();
	sent = flood(fd, atoi(words[5]));
	printf("{\"sent\":%lu,\"seconds\":%.6f,\"cpu\":%.6f,", sent, (now_ns() - start) / 1e9, cpu_seconds(RUSAGE_SELF));
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		answers++;
	printf("\"answers\":%lu}\n", answers);
	return 0;
}
