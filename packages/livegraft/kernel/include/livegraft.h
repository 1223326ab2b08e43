/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a patch can say to livegraft beside its code: #include <livegraft.h> in the patched .c file.
 *
 * Found by the compiler for the patched side only; the kernel's own source never has it. The macros leave entries
 * in the section .livegraft of the patched object. livegraft reads them and loads none of them. docs/authors.md
 * has an example of each.
 */
#ifndef LIVEGRAFT_H
#define LIVEGRAFT_H

#ifdef __GENKSYMS__

/* the versions of exports are computed from the text: what is said here must not change them */
#define LIVEGRAFT_PRE_PATCH(fn)
#define LIVEGRAFT_POST_PATCH(fn)
#define LIVEGRAFT_PRE_UNPATCH(fn)
#define LIVEGRAFT_POST_UNPATCH(fn)
#define LIVEGRAFT_STATE(id, version)
#define LIVEGRAFT_INCLUDE(fn, why)
#define LIVEGRAFT_IGNORE(name, reason)
#define LIVEGRAFT_SHADOW(name, type, id, constructor, destructor)
#define LIVEGRAFT_KEY_ENABLED(key) 0

#else

#include <linux/jump_label.h>
#include <linux/livepatch.h>

/* One entry; read by livegraft (src/support/author.ts), which knows this layout. */
struct livegraft_entry {
	unsigned int kind;
	unsigned int version;
	unsigned long id;
	const void *function;
	const char *name;
	const char *reason;
};

#define LIVEGRAFT_ENTRY(label, ...)						\
	static const struct livegraft_entry __livegraft_##label			\
	__attribute__((__used__, __section__(".livegraft"), __aligned__(8))) = { __VA_ARGS__ }

/*
 * Callbacks. They are functions that the patch adds, static as a rule, one of a kind in a file. They run for the
 * file's livepatch object, vmlinux or the module, and only while that is loaded:
 *
 *	int  pre_patch(struct klp_object *obj)		before any task runs the new code. An error keeps the livepatch
 *							(or, for a module that is being loaded, the module) out.
 *	void post_patch(struct klp_object *obj)		all tasks run the new code.
 *	void pre_unpatch(struct klp_object *obj)	the patch is about to be taken back. Not called when it is turned
 *							round before its transition ended.
 *	void post_unpatch(struct klp_object *obj)	no task runs the new code any more. Called whenever pre_patch
 *							succeeded, also when post_patch was never reached.
 *
 * Several files of one object: in the order of the patch on the way in, in the reverse order on the way out. When one
 * pre_patch fails, post_unpatch is called for the files before it. All run in process context and may sleep; they hold
 * the lock of the livepatch core, so they must neither load modules nor wait for someone who does.
 */
#define LIVEGRAFT_PRE_PATCH(fn)							\
	static int (*const __livegraft_type_##fn)(struct klp_object *) __attribute__((__unused__)) = fn; \
	LIVEGRAFT_ENTRY(pre_patch_##fn, .kind = 1, .function = fn, .name = #fn)
#define LIVEGRAFT_VOID_CALLBACK(label, number, fn)				\
	static void (*const __livegraft_type_##label)(struct klp_object *) __attribute__((__unused__)) = fn; \
	LIVEGRAFT_ENTRY(label, .kind = number, .function = fn, .name = #fn)
#define LIVEGRAFT_POST_PATCH(fn) LIVEGRAFT_VOID_CALLBACK(post_patch_##fn, 2, fn)
#define LIVEGRAFT_PRE_UNPATCH(fn) LIVEGRAFT_VOID_CALLBACK(pre_unpatch_##fn, 3, fn)
#define LIVEGRAFT_POST_UNPATCH(fn) LIVEGRAFT_VOID_CALLBACK(post_unpatch_##fn, 4, fn)

/*
 * A state: something that the patch changes in the kernel and that outlives a replacement by another livepatch, such as
 * a shadow variable. `state` is a number that all your patches agree on, not 0; `number` rises when its meaning changes.
 * The kernel takes a livepatch only if it knows every state of those that are loaded (one with atomic replacement),
 * in the same version or a higher one.
 */
#define LIVEGRAFT_STATE(state, number)						\
	LIVEGRAFT_STATE_AT(__LINE__, state, number)
#define LIVEGRAFT_STATE_AT(line, state, number) LIVEGRAFT_STATE_ENTRY(line, state, number)
#define LIVEGRAFT_STATE_ENTRY(line, state, number)				\
	LIVEGRAFT_ENTRY(state_##line, .kind = 5, .id = (state), .version = (number))

/*
 * In a callback: this livepatch's own state (its `data` is yours), or NULL. What an earlier livepatch that is being
 * replaced left is found by klp_get_prev_state(id): not NULL means that it did the conversion already.
 */
static inline __maybe_unused struct klp_state *livegraft_state(struct klp_object *obj, unsigned long id)
{
	return klp_get_state(container_of(obj->kobj.parent, struct klp_patch, kobj), id);
}

/*
 * A new field for objects that exist: a shadow variable of a type, found by the object's address and a number that all
 * loaded livepatches must keep apart. Makes four functions:
 *
 *	type *NAME_get(const void *obj)			the object's field, or NULL when it has none
 *	type *NAME_attach(const void *obj, gfp_t gfp, void *arg)
 *							the field, made by constructor(obj, field, arg) when there is none:
 *							zeroed before, NULL when there is no memory or the constructor fails
 *	void NAME_detach(const void *obj)		destructor(obj, field), and gone: where the object is freed
 *	void NAME_detach_all(void)			the same for all objects: in post_unpatch
 *
 * constructor: int (*)(void *obj, void *field, void *arg), runs under a spin lock and must not sleep; or NULL.
 * destructor: void (*)(void *obj, void *field), the same; or NULL.
 * _get is cheap and may be called anywhere; what it returns stays valid until the field is detached.
 */
#define LIVEGRAFT_SHADOW(prefix, type, number, constructor, destructor)	\
	static inline __maybe_unused type *prefix##_get(const void *obj)	\
	{									\
		return klp_shadow_get((void *)obj, number);			\
	}									\
	static inline __maybe_unused type *prefix##_attach(const void *obj, gfp_t gfp, void *arg) \
	{									\
		return klp_shadow_get_or_alloc((void *)obj, number, sizeof(type), gfp, constructor, arg); \
	}									\
	static inline __maybe_unused void prefix##_detach(const void *obj)	\
	{									\
		klp_shadow_free((void *)obj, number, destructor);		\
	}									\
	static inline __maybe_unused void prefix##_detach_all(void)		\
	{									\
		klp_shadow_free_all(number, destructor);			\
	}									\
	LIVEGRAFT_ENTRY(constructor_##prefix, .kind = 8, .name = #constructor);	\
	LIVEGRAFT_ENTRY(destructor_##prefix, .kind = 8, .name = #destructor)

/*
 * Replaces a function although its code is what it was: its new copy then calls, and is called by, the new code
 * directly. For functions whose meaning changes through something that the compiler does not see. The reason is shown by
 * the build and the review, and stays in the manifest.
 */
#define LIVEGRAFT_INCLUDE(fn, why) LIVEGRAFT_ENTRY(include_##fn, .kind = 6, .name = #fn, .reason = why)

/*
 * Leaves a change out: a function stays as it is in the running kernel, a variable keeps its value (its initial value may
 * change, its size may not). The reason is shown by the build and stays in the manifest. For __init code that has
 * run, and for initial values that a callback sets in the running kernel.
 */
#define LIVEGRAFT_IGNORE(what, why) LIVEGRAFT_ENTRY(ignore_##what, .kind = 7, .name = #what, .reason = why)

/*
 * Whether a static key (DEFINE_STATIC_KEY_TRUE, DEFINE_STATIC_KEY_FALSE) is on, read from its counter instead of by a
 * patched jump: the way to test a key of a module, in the place of static_branch_likely() and static_branch_unlikely().
 * Static calls of modules need nothing: they go through their trampoline. For a tracepoint: __tracepoint_NAME; its key is a
 * struct static_key, or one in a struct static_key_false (4a8840af5f53, "tracepoints: Use new static branch API").
 */
#define LIVEGRAFT_KEY_ENABLED(which) (atomic_read(&((struct static_key *)&(which).key)->enabled) != 0)

#endif /* __GENKSYMS__ */
#endif /* LIVEGRAFT_H */
