/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lets a patched module come again while the livepatch stays.
 *
 * Before Linux 6.3 the livepatch core leaves the addresses of a module that goes away in the livepatch's code;
 * when the module comes back, apply_relocate_add() finds the fields filled and the module is refused
 * ("Skipping invalid relocation target, existing value is nonzero"). Since 0c05e7bd2d01 ("livepatch,x86: Clear
 * relocation targets on a module removal") the core clears them; this does the same for the kernels before.
 *
 * The core still leaves those of a module that a pre_patch callback keeps out (klp_module_coming() cleans up after
 * the livepatches before the one that failed, not after that one): this clears them then, on all kernels.
 *
 * Called when nobody runs in the code that is cleared, and nobody will before apply_relocate_add() has filled the
 * fields again, which makes all processors see them. noipa: the checker of the finished module reads the callers.
 */
#include <linux/elf.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>

/* not exported; the livepatch core resolves them when this module is loaded */
extern void *text_poke(void *addr, const void *opcode, size_t len);
extern struct mutex text_mutex;

static size_t livegraft_field_size(const Elf_Rela *rela)
{
	switch (ELF_R_TYPE(rela->r_info)) {
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		return 4;
	default:
		return 0;
	}
}

static __attribute__((__noipa__)) void livegraft_forget(struct klp_object *obj)
{
	static const char zeros[8];
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	char prefix[16 + MODULE_NAME_LEN];
	size_t length = snprintf(prefix, sizeof(prefix), ".klp.rela.%s.", obj->name);
	unsigned int i;

	mutex_lock(&text_mutex);
	for (i = 1; i < info->hdr.e_shnum; i++) {
		const Elf_Shdr *section = &info->sechdrs[i];
		const Elf_Rela *rela = (const void *)section->sh_addr;
		const Elf_Rela *end = rela + section->sh_size / sizeof(*rela);
		char *target;

		if (!(section->sh_flags & SHF_RELA_LIVEPATCH) ||
		    strncmp(info->secstrings + section->sh_name, prefix, length))
			continue;
		target = (char *)info->sechdrs[section->sh_info].sh_addr;
		for (; rela < end; rela++)
			if (livegraft_field_size(rela))
				text_poke(target + rela->r_offset, zeros, livegraft_field_size(rela));
	}
	mutex_unlock(&text_mutex);
}
