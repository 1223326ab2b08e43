/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls the callbacks of several files of one livepatch object, for which the core has room for one of each kind.
 *
 * The table has a row for each file, in the order of the patch, and an empty one at its end. Rows are undone in the reverse
 * order. The core calls nothing more for an object whose pre_patch failed, so the rows before it are undone here.
 * noipa: the checker of the finished module reads the tables that are passed.
 */
#include <linux/livepatch.h>

struct livegraft_callbacks {
	int (*pre_patch)(struct klp_object *obj);
	void (*post_patch)(struct klp_object *obj);
	void (*pre_unpatch)(struct klp_object *obj);
	void (*post_unpatch)(struct klp_object *obj);
};

static inline bool livegraft_is_end(const struct livegraft_callbacks *row)
{
	return !row->pre_patch && !row->post_patch && !row->pre_unpatch && !row->post_unpatch;
}

static __attribute__((__noipa__, __unused__)) int
livegraft_run_pre_patch(struct klp_object *obj, const struct livegraft_callbacks *table)
{
	const struct livegraft_callbacks *row;
	int err;

	for (row = table; !livegraft_is_end(row); row++) {
		err = row->pre_patch ? row->pre_patch(obj) : 0;
		if (!err)
			continue;
		while (row > table)
			if ((--row)->post_unpatch)
				row->post_unpatch(obj);
		return err;
	}
	return 0;
}

static __attribute__((__noipa__, __unused__)) void
livegraft_run_post_patch(struct klp_object *obj, const struct livegraft_callbacks *table)
{
	const struct livegraft_callbacks *row;

	for (row = table; !livegraft_is_end(row); row++)
		if (row->post_patch)
			row->post_patch(obj);
}

static __attribute__((__noipa__, __unused__)) void
livegraft_run_pre_unpatch(struct klp_object *obj, const struct livegraft_callbacks *table)
{
	const struct livegraft_callbacks *row = table;

	while (!livegraft_is_end(row))
		row++;
	while (row > table)
		if ((--row)->pre_unpatch)
			row->pre_unpatch(obj);
}

static __attribute__((__noipa__, __unused__)) void
livegraft_run_post_unpatch(struct klp_object *obj, const struct livegraft_callbacks *table)
{
	const struct livegraft_callbacks *row = table;

	while (!livegraft_is_end(row))
		row++;
	while (row > table)
		if ((--row)->post_unpatch)
			row->post_unpatch(obj);
}
