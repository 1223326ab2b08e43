// SPDX-License-Identifier: MIT
/*
 * A small TCP server and a client that hammers it: every request has a number, every answer is checked.
 *   echo server PORT
 *   echo client PORT THREADS REPORT    until SIGTERM; writes its counters to REPORT every second and at its end
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { per_connection = 100, pause_us = 5000, most_threads = 64, slow_us = 1000000, patience_s = 60, buckets = 40 };

struct message {
	uint64_t number;
	uint64_t sum;
	uint8_t body[112];
};

static int port;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static uint64_t sum_of(const struct message *m)
{
	uint64_t sum = m->number;

	for (size_t i = 0; i < sizeof m->body; i++)
		sum = sum * 31 + m->body[i];
	return sum;
}

/* 1: all of it; 0: the other side closed; -1: error, in errno */
static int transfer(int fd, void *data, size_t size, int out)
{
	uint8_t *at = data;

	while (size > 0) {
		ssize_t n = out ? send(fd, at, size, MSG_NOSIGNAL) : recv(fd, at, size, 0);

		if (n <= 0)
			return n;
		at += n;
		size -= n;
	}
	return 1;
}

static void *serve(void *argument)
{
	int fd = (intptr_t)argument;
	struct message m;

	while (transfer(fd, &m, sizeof m, 0) == 1) {
		m.sum = sum_of(&m);
		if (transfer(fd, &m, sizeof m, 1) != 1)
			break;
	}
	close(fd);
	return NULL;
}

static struct sockaddr_in address(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int server(void)
{
	struct sockaddr_in a = address();
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	pthread_attr_t attributes;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (void *)&a, sizeof a) || listen(fd, 128)) {
		perror("listen");
		return 1;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		pthread_t thread;

		if (peer < 0) {
			perror("accept");
			return 1;
		}
		if (pthread_create(&thread, &attributes, serve, (void *)(intptr_t)peer))
			close(peer);
	}
}

static struct {
	atomic_ulong asked, answered, wrong, refused, reset, closed, interrupted, slow, connections, longest;
	atomic_ulong bucket[buckets];
} count;
/* since when a thread waits for an answer; 0: it does not */
static atomic_ulong since[most_threads];
static atomic_int stop, running;

static void failed(int result)
{
	if (result == 0)
		count.closed++;
	else if (errno == EINTR)
		count.interrupted++;
	else if (errno == ECONNREFUSED)
		count.refused++;
	else
		count.reset++;
}

/* one request; 0 when the connection is of no use any more */
static int ask(int fd, int self)
{
	struct message m, answer;
	uint64_t began = now_us(), took;
	unsigned long before, b = 0;
	int result;

	m.number = atomic_fetch_add(&count.asked, 1) + 1;
	m.sum = 0;
	for (size_t i = 0; i < sizeof m.body; i++)
		m.body[i] = m.number * 7 + i;
	since[self] = began;
	result = transfer(fd, &m, sizeof m, 1);
	if (result == 1)
		result = transfer(fd, &answer, sizeof answer, 0);
	took = now_us() - began;
	since[self] = 0;
	if (result != 1) {
		failed(result);
		return 0;
	}
	if (answer.number == m.number && answer.sum == sum_of(&m))
		count.answered++;
	else
		count.wrong++;
	if (took > slow_us)
		count.slow++;
	before = count.longest;
	while (took > before && !atomic_compare_exchange_weak(&count.longest, &before, took))
		;
	while (b < buckets - 1 && (1ul << b) <= took)
		b++;
	count.bucket[b]++;
	return 1;
}

static void *hammer(void *argument)
{
	int self = (intptr_t)argument;
	struct sockaddr_in a = address();

	while (!stop) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		count.connections++;
		if (connect(fd, (void *)&a, sizeof a))
			failed(-1);
		else
			for (int i = 0; i < per_connection && !stop && ask(fd, self); i++)
				usleep(pause_us);
		close(fd);
	}
	running--;
	return NULL;
}

static void report(const char *path)
{
	char next[4096];
	unsigned long waiting = 0;
	FILE *f;

	snprintf(next, sizeof next, "%s.new", path);
	f = fopen(next, "w");
	if (!f)
		return;
	for (int i = 0; i < most_threads; i++)
		waiting += since[i] != 0;
	fprintf(f,
		"{\"asked\":%lu,\"answered\":%lu,\"waiting\":%lu,\"wrong\":%lu,\"refused\":%lu,\"reset\":%lu,\"closed\":%lu,"
		"\"interrupted\":%lu,\"slow\":%lu,\"connections\":%lu,\"longest\":%lu,\"log2us\":[",
		count.asked, count.answered, waiting, count.wrong, count.refused, count.reset, count.closed,
		count.interrupted, count.slow, count.connections, count.longest);
	for (int i = 0; i < buckets; i++)
		fprintf(f, "%s%lu", i ? "," : "", count.bucket[i]);
	fprintf(f, "]}\n");
	fclose(f);
	rename(next, path);
}

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

static int client(int threads, const char *path)
{
	struct sigaction action = { .sa_handler = on_term, .sa_flags = SA_RESTART };
	uint64_t until;

	sigaction(SIGTERM, &action, NULL);
	for (int i = 0; i < threads; i++) {
		pthread_t thread;

		running++;
		if (pthread_create(&thread, NULL, hammer, (void *)(intptr_t)i))
			return 1;
	}
	while (!stop) {
		sleep(1);
		report(path);
	}
	/* whoever still waits then will never have an answer */
	until = now_us() + patience_s * 1000000ull;
	while (running && now_us() < until)
		usleep(10000);
	report(path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2)
		port = atoi(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "server"))
		return server();
	if (argc == 5 && !strcmp(argv[1], "client") && atoi(argv[3]) <= most_threads)
		return client(atoi(argv[3]), argv[4]);
	fprintf(stderr, "echo server PORT | echo client PORT THREADS REPORT\n");
	return 2;
}
