// SPDX-License-Identifier: MIT
/*
 * Measures the gaps in its own execution on one processor. Every 100 us there is a mark; counted is how late after each mark it ran, for every
 * mark, also those that passed while it did not run (a request that arrived then would have waited as long).
 *   gaps CPU spin PHASE OUT      reads the clock without a pause
 *   gaps CPU sleep PHASE OUT     sleeps from mark to mark, at real-time priority
 * PHASE is a file whose first four bytes say what is going on now, as a number; -1 ends it. OUT gets the figures, as JSON.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { step_ns = 100000, phases = 32, octaves = 40, parts = 16, worst_kept = 16 };

/* 16 buckets for each power of two */
static uint64_t histogram[phases][octaves * parts];
static uint64_t marks[phases], longest[phases];
static struct gap {
	uint64_t length, began;
	int phase;
} worst[worst_kept];
static double ns_per_tick;

static uint64_t raw_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int bucket(uint64_t ns)
{
	int octave;

	if (ns < parts)
		return ns;
	octave = 63 - __builtin_clzll(ns);
	if (octave >= octaves)
		return octaves * parts - 1;
	return octave * parts + ((ns >> (octave - 4)) & (parts - 1));
}

static void keep(uint64_t length, uint64_t began, int phase)
{
	int least = 0;

	if (length > longest[phase])
		longest[phase] = length;
	for (int i = 1; i < worst_kept; i++)
		if (worst[i].length < worst[least].length)
			least = i;
	if (length > worst[least].length)
		worst[least] = (struct gap){ length, began, phase };
}

static int now_is(const volatile int32_t *phase)
{
	int p = *phase;

	return p >= phases ? 0 : p;
}

static void late(uint64_t ns, int phase)
{
	histogram[phase][bucket(ns)]++;
	marks[phase]++;
}

static void spin(const volatile int32_t *phase)
{
	uint64_t start = __rdtsc(), mark = 0, before = 0, now;
	int p;

	while ((p = now_is(phase)) >= 0) {
		now = (__rdtsc() - start) * ns_per_tick;
		for (; mark <= now; mark += step_ns)
			late(now - mark, p);
		if (now - before > 1000)
			keep(now - before, before, p);
		before = now;
	}
}

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void sleeping(const volatile int32_t *phase)
{
	uint64_t start = mono_ns(), mark = start + step_ns, now;
	struct sched_param high = { .sched_priority = 50 };
	int p;

	if (sched_setscheduler(0, SCHED_FIFO, &high))
		perror("sched_setscheduler");
	while ((p = now_is(phase)) >= 0) {
		struct timespec at = { mark / 1000000000, mark % 1000000000 };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		now = mono_ns();
		keep(now - mark, mark - start, p);
		for (; mark <= now; mark += step_ns)
			late(now - mark, p);
	}
}

static void calibrate(void)
{
	uint64_t t = __rdtsc(), n = raw_ns(), ticks, ns;

	while ((ns = raw_ns() - n) < 200000000)
		;
	ticks = __rdtsc() - t;
	ns_per_tick = (double)ns / ticks;
}

static void report(const char *path)
{
	FILE *f = fopen(path, "w");

	fprintf(f, "{\"stepNs\":%d,\"nsPerTick\":%.6f,\"phases\":[", step_ns, ns_per_tick);
	for (int p = 0, first = 1; p < phases; p++) {
		if (!marks[p])
			continue;
		fprintf(f, "%s{\"phase\":%d,\"marks\":%lu,\"longest\":%lu,\"histogram\":[", first ? "" : ",", p, marks[p],
			longest[p]);
		first = 0;
		for (int b = 0, one = 1; b < octaves * parts; b++) {
			if (!histogram[p][b])
				continue;
			fprintf(f, "%s[%d,%lu]", one ? "" : ",", b, histogram[p][b]);
			one = 0;
		}
		fprintf(f, "]}");
	}
	fprintf(f, "],\"worst\":[");
	for (int i = 0; i < worst_kept; i++)
		fprintf(f, "%s{\"ns\":%lu,\"at\":%lu,\"phase\":%d}", i ? "," : "", worst[i].length, worst[i].began,
			worst[i].phase);
	fprintf(f, "]}\n");
	fclose(f);
}

int main(int argc, char **argv)
{
	const volatile int32_t *phase;
	cpu_set_t set;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "gaps CPU spin|sleep PHASE OUT\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	fd = open(argv[3], O_RDONLY);
	phase = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (sched_setaffinity(0, sizeof set, &set) || phase == MAP_FAILED || mlockall(MCL_CURRENT | MCL_FUTURE)) {
		perror("gaps");
		return 1;
	}
	/* touched before it matters */
	memset(histogram, 0, sizeof histogram);
	calibrate();
	if (!strcmp(argv[2], "spin"))
		spin(phase);
	else
		sleeping(phase);
	report(argv[4]);
	return 0;
}
