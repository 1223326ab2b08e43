// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel threads that hold a transition back, and a hand on the kernel's own signal: while `quiet` is set it never comes, `signal` brings it
 * with the next try. So what is tested does not depend on who is faster, livegraft or the kernel's 15 s.
 */
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

static ulong counter;
module_param(counter, ulong, 0400);
MODULE_PARM_DESC(counter, "address of klp_signals_cnt");

static bool quiet = true;
module_param(quiet, bool, 0600);

static bool signal;
module_param(signal, bool, 0600);

static bool threads;
module_param(threads, bool, 0400);

static bool leave;
module_param(leave, bool, 0600);
MODULE_PARM_DESC(leave, "zoo_spin and zoo_wait leave their functions");

/* kernel/livepatch/transition.c: SIGNALS_TIMEOUT; counted in klp_try_complete_transition() */
static int at_try(struct kprobe *probe, struct pt_regs *regs)
{
	if (signal)
		*(unsigned int *)counter = 15;
	else if (quiet)
		*(unsigned int *)counter = 0;
	signal = false;
	return 0;
}

static struct kprobe try_probe = {
	.symbol_name = "klp_try_complete_transition",
	.pre_handler = at_try,
};

/* Never out of this function while it works. RCU is told that all is well: without that, no livepatch could be taken back meanwhile. */
static noinline void zoo_spin(void)
{
	while (!READ_ONCE(leave) && !kthread_should_stop()) {
		cpu_relax();
		cond_resched_tasks_rcu_qs();
	}
}

/* Sleeps in here until it is woken, by whomever. */
static noinline void zoo_wait(void)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (!READ_ONCE(leave) && !kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
}

static int spin(void *unused)
{
	while (!kthread_should_stop()) {
		zoo_spin();
		msleep_interruptible(2500);
	}
	return 0;
}

static int wait(void *unused)
{
	while (!kthread_should_stop()) {
		zoo_wait();
		msleep_interruptible(2500);
	}
	return 0;
}

/* Busy as well, but in no function that anybody replaces. */
static int busy(void *unused)
{
	while (!kthread_should_stop()) {
		cpu_relax();
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static struct {
	int (*work)(void *unused);
	const char *name;
	struct task_struct *task;
} all[] = { { spin, "zoo_spin" }, { wait, "zoo_wait" }, { busy, "zoo_busy" } };

/* All on the last CPU: so those that run get off it now and then, and who looks has another. */
static void start(int i)
{
	struct task_struct *task = kthread_create(all[i].work, NULL, all[i].name);

	if (IS_ERR(task))
		return;
	kthread_bind(task, num_online_cpus() - 1);
	all[i].task = task;
	wake_up_process(task);
}

static int __init zoo_init(void)
{
	int i, err = register_kprobe(&try_probe);

	if (err)
		return err;
	for (i = 0; threads && i < ARRAY_SIZE(all); i++)
		start(i);
	return 0;
}

static void __exit zoo_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].task)
			kthread_stop(all[i].task);
	unregister_kprobe(&try_probe);
}

module_init(zoo_init);
module_exit(zoo_exit);
MODULE_DESCRIPTION("livegraft's tests: kernel threads that hold a livepatch transition back");
MODULE_LICENSE("GPL");
