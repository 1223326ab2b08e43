// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a call costs: read /sys/module/callcost/parameters/target (or other, or bare) for the time stamp counter's ticks that `calls` calls took,
 * with interrupts off. The functions do nothing; bare has no entry for ftrace.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <asm/msr.h>

#define CALLS 20000

noinline unsigned long callcost_target(unsigned long x)
{
	asm volatile("" : "+r"(x));
	return x + 1;
}

noinline unsigned long callcost_other(unsigned long x)
{
	asm volatile("" : "+r"(x));
	return x + 2;
}

static noinline notrace unsigned long callcost_bare(unsigned long x)
{
	asm volatile("" : "+r"(x));
	return x + 1;
}

#define MEASURE(which)                                                            \
	static int get_##which(char *buffer, const struct kernel_param *parameter) \
	{                                                                          \
		unsigned long flags, sum = 0;                                      \
		u64 began, took;                                                   \
		int i;                                                             \
                                                                                   \
		local_irq_save(flags);                                             \
		began = rdtsc_ordered();                                           \
		for (i = 0; i < CALLS; i++)                                        \
			sum = callcost_##which(sum);                               \
		took = rdtsc_ordered() - began;                                    \
		local_irq_restore(flags);                                          \
		return sprintf(buffer, "%d %llu %lu\n", CALLS, took, sum);         \
	}                                                                          \
	static const struct kernel_param_ops which##_operations = { .get = get_##which }; \
	module_param_cb(which, &which##_operations, NULL, 0400)

MEASURE(target);
MEASURE(other);
MEASURE(bare);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("What a call of a function costs");
