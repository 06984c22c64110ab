// SPDX-License-Identifier: MIT
/*
 * flood FROM TO ADDRESS SECONDS OCTETS: how many UDP datagrams a second get through from one namespace to another
 * when the sender does its utmost. Prints what arrived until the sender stopped, and the CPU time of both ends.
 */
#include "tool.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define PORT 5300
#define BATCH 32
#define OCTETS_MAX 9000
#define RECEIVE_BUFFER (1 << 20)

static const char *from, *to;
static struct sockaddr_in address = { .sin_family = AF_INET };
static unsigned int octets;
static atomic_ulong received;
static atomic_int ready, done;

static int udp_socket(const char *netns)
{
	int fd;

	enter(netns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	return fd;
}

/* One message for each slot, all over the same octets: nobody looks at them. */
static void prepare(struct mmsghdr *messages, struct iovec *one, char *payload)
{
	*one = (struct iovec){ .iov_base = payload, .iov_len = octets };
	memset(messages, 0, BATCH * sizeof(*messages));
	for (int i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = one;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static void *receive(void *unused)
{
	struct timeval patience = { .tv_usec = 100000 };
	struct mmsghdr messages[BATCH];
	int fd = udp_socket(to), size = RECEIVE_BUFFER;
	char payload[OCTETS_MAX];
	struct iovec one;

	(void)unused;
	prepare(messages, &one, payload);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fail("bind");
	ready = 1;
	while (!done) {
		int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);

		if (n > 0)
			atomic_fetch_add(&received, n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			fail("recvmmsg");
	}
	return NULL;
}

static unsigned long send_until(int fd, long long end)
{
	struct mmsghdr messages[BATCH];
	char payload[OCTETS_MAX] = { 0 };
	unsigned long sent = 0;
	struct iovec one;

	prepare(messages, &one, payload);
	while (now_ns() < end) {
		int n = sendmmsg(fd, messages, BATCH, 0);

		if (n > 0)
			sent += n;
		else if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			fail("sendmmsg");
	}
	return sent;
}

int main(int count, char **words)
{
	unsigned long sent, got;
	pthread_t receiver;
	long long start;
	double cpu, seconds;
	int fd;

	if (count != 6 || inet_pton(AF_INET, words[3], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: flood FROM TO ADDRESS SECONDS OCTETS\n");
		return 1;
	}
	from = words[1];
	to = words[2];
	address.sin_port = htons(PORT);
	octets = atoi(words[5]) > OCTETS_MAX ? OCTETS_MAX : atoi(words[5]);
	if (pthread_create(&receiver, NULL, receive, NULL))
		fail("thread");
	while (!ready)
		sched_yield();
	fd = udp_socket(from);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail("connect");
	cpu = cpu_seconds(RUSAGE_SELF);
	start = now_ns();
	sent = send_until(fd, start + (long long)(atof(words[4]) * 1e9));
	got = received;
	seconds = (now_ns() - start) / 1e9;
	cpu = cpu_seconds(RUSAGE_SELF) - cpu;
	done = 1;
	pthread_join(receiver, NULL);
	printf("{\"sent\":%lu,\"received\":%lu,\"seconds\":%.6f,\"cpu\":%.6f}\n", sent, got, seconds, cpu);
	return 0;
}
