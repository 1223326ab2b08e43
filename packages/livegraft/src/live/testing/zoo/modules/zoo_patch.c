// SPDX-License-Identifier: GPL-2.0-only
/* A livepatch by hand, for functions of zoo.ko that its threads stay in. */
#include <linux/livepatch.h>
#include <linux/module.h>

static void leave_at_once(void)
{
}

static struct klp_func funcs[] = {
	{ .old_name = "zoo_spin", .new_func = leave_at_once },
	{ .old_name = "zoo_wait", .new_func = leave_at_once },
	{}
};

static struct klp_object objects[] = { { .name = "zoo", .funcs = funcs }, {} };
static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init zoo_patch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit zoo_patch_exit(void)
{
}

module_init(zoo_patch_init);
module_exit(zoo_patch_exit);
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("livegraft's tests: a livepatch of zoo.ko");
MODULE_LICENSE("GPL");
