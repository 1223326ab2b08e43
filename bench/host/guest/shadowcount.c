// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many shadow variables the kernel keeps: counts the entries of klp_shadow_hash (kernel/livepatch/shadow.c), a static table of 4096 lists.
 * Reading /sys/module/shadowcount/parameters/count counts; `table` is the table's address from /proc/kallsyms. It changes nothing in the kernel.
 */
#include <linux/module.h>
#include <linux/rculist.h>

#define BUCKETS (1 << 12)

static unsigned long table;
module_param(table, ulong, 0400);

static int get_count(char *buffer, const struct kernel_param *parameter)
{
	struct hlist_head *buckets = (struct hlist_head *)table;
	struct hlist_node *node;
	unsigned long found = 0;
	int i;

	rcu_read_lock();
	for (i = 0; i < BUCKETS; i++)
		for (node = rcu_dereference(hlist_first_rcu(&buckets[i])); node; node = rcu_dereference(hlist_next_rcu(node)))
			found++;
	rcu_read_unlock();
	return sprintf(buffer, "%lu\n", found);
}

static const struct kernel_param_ops operations = { .get = get_count };
module_param_cb(count, &operations, NULL, 0400);

static int __init shadowcount_init(void)
{
	return table == 0 ? -EINVAL : 0;
}

static void __exit shadowcount_exit(void)
{
}

module_init(shadowcount_init);
module_exit(shadowcount_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Counts the shadow variables of livepatches");
