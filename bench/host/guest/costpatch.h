/* SPDX-License-Identifier: GPL-2.0-only */
/* A livepatch of one function of callcost; FUNCTION and ADDS say which, and tell the new one from the old. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/stringify.h>

static noinline unsigned long replacement(unsigned long x)
{
	asm volatile("" : "+r"(x));
	return x + ADDS;
}

static struct klp_func functions[] = {
	{ .old_name = __stringify(FUNCTION), .new_func = replacement },
	{ }
};

static struct klp_object objects[] = {
	{ .name = "callcost", .funcs = functions },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init cost_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit cost_exit(void)
{
}

module_init(cost_init);
module_exit(cost_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
