// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many shadow variables the kernel keeps: counts the entries of klp_shadow_hash (kernel/livepatch/shadow.c), a static table of 4096 lists.
 * Reading /sys/module/shadowcount/parameters/count counts; `strays` are those whose object is no user that the kernel knows (uidhash_table,
 * kernel/user.c). Addresses come from /proc/kallsyms, `object`, the offset of klp_shadow.obj, from BTF. It changes nothing in the kernel.
 */
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/sched/user.h>

#define BUCKETS (1 << 12)
#define USER_BUCKETS (1 << (CONFIG_BASE_SMALL ? 3 : 7))

static unsigned long table, users, lock, object;
module_param(table, ulong, 0400);
module_param(users, ulong, 0400);
module_param(lock, ulong, 0400);
module_param(object, ulong, 0400);

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

static bool is_user(const void *obj)
{
	struct hlist_head *buckets = (struct hlist_head *)users;
	struct user_struct *user;
	int i;

	for (i = 0; i < USER_BUCKETS; i++)
		hlist_for_each_entry(user, &buckets[i], uidhash_node)
			if (user == obj)
				return true;
	return false;
}

/* Under the lock of the users: the example takes a field from a user that goes before it lets go of that lock. */
static int get_strays(char *buffer, const struct kernel_param *parameter)
{
	struct hlist_head *buckets = (struct hlist_head *)table;
	spinlock_t *users_lock = (spinlock_t *)lock;
	struct hlist_node *node;
	unsigned long found = 0;
	int i;

	spin_lock_irq(users_lock);
	rcu_read_lock();
	for (i = 0; i < BUCKETS; i++)
		for (node = rcu_dereference(hlist_first_rcu(&buckets[i])); node; node = rcu_dereference(hlist_next_rcu(node)))
			if (!is_user(*(void **)((char *)node + object)))
				found++;
	rcu_read_unlock();
	spin_unlock_irq(users_lock);
	return sprintf(buffer, "%lu\n", found);
}

static const struct kernel_param_ops stray_operations = { .get = get_strays };
module_param_cb(strays, &stray_operations, NULL, 0400);

static int __init shadowcount_init(void)
{
	return table && users && lock && object ? 0 : -EINVAL;
}

static void __exit shadowcount_exit(void)
{
}

module_init(shadowcount_init);
module_exit(shadowcount_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Counts the shadow variables of livepatches");
