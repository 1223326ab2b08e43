// SPDX-License-Identifier: GPL-2.0-only
/*
 * What patching was before there was a consistency model: all processors held by stop_machine() for as long as it takes to look at the stacks
 * of all tasks. Write anything to /sys/module/stopwalk/parameters/walk; reading tells tasks, frames and nanoseconds of the last walk.
 * It changes nothing in the kernel.
 */
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/stop_machine.h>

#define MOST 100

static int (*save_reliable)(struct task_struct *task, unsigned long *store, unsigned int size);
static unsigned long entries[MOST];
static unsigned long tasks, frames;
static u64 took;

static int walk_all(void *unused)
{
	struct task_struct *process, *task;
	u64 began = ktime_get_ns();

	tasks = frames = 0;
	rcu_read_lock();
	for_each_process_thread(process, task) {
		int found = save_reliable(task, entries, MOST);

		tasks++;
		if (found > 0)
			frames += found;
	}
	rcu_read_unlock();
	took = ktime_get_ns() - began;
	return 0;
}

static int set_walk(const char *text, const struct kernel_param *parameter)
{
	return stop_machine(walk_all, NULL, NULL);
}

static int get_walk(char *buffer, const struct kernel_param *parameter)
{
	return sprintf(buffer, "%lu %lu %llu\n", tasks, frames, took);
}

static const struct kernel_param_ops operations = { .set = set_walk, .get = get_walk };
module_param_cb(walk, &operations, NULL, 0600);

static int __init stopwalk_init(void)
{
	/* not exported; a kprobe that is taken away at once knows where it is */
	struct kprobe probe = { .symbol_name = "stack_trace_save_tsk_reliable" };
	int error = register_kprobe(&probe);

	if (error)
		return error;
	save_reliable = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

static void __exit stopwalk_exit(void)
{
}

module_init(stopwalk_init);
module_exit(stopwalk_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Holds all processors while all stacks are walked, for comparison");
