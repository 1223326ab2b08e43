/**
 * The makefile that livegraft puts in the place of scripts/Makefile.build, which it includes: kbuild goes through its folders by
 * `$(MAKE) $(build)=FOLDER` (scripts/Kbuild.include, Makefile), and `build` can be set on make's command line.
 */
import { join } from 'node:path';
import type { Kernel } from '../kernel/types.ts';
import { writeFileWhole } from '../support/files.ts';

/** tools/ have a build of their own, by a variable of the same name (tools/build/Makefile.include). */
const intoTools = `ifneq ($(filter $(abspath $(srctree))/tools/%,$(CURDIR)),)
dir := .
include $(srctree)/tools/build/Makefile.build
else
`;

/** Before 5.17 objtool was a step of its own behind the compiler, and the command that is saved did not show it. */
const objtoolShown = `ifneq ($(findstring cmd$(comma)objtool,$(value rule_cc_o_c)),)
$(eval livegraft-objtool = $(value cmd_objtool))
$(eval cmd_cc_o_c = $(value cmd_cc_o_c)$$(if $$(strip $$(livegraft-objtool)),; $$(livegraft-objtool)))
cmd_objtool :=
endif
`;

/**
 * kbuild's own rules, changed in nothing but what is saved of a command.
 * @param before stands before kbuild's rules, so that its first target is made; `behind` comes after them
 */
export function rulesWith(before: string, behind: string): string {
  return `${intoTools}${before}\ninclude $(srctree)/scripts/Makefile.build\n${objtoolShown}${behind}endif\n`;
}

/** What makes make use a file of such rules. */
export function useRules(file: string): string {
  return `build=-f ${file} obj`;
}

/** The rules without more, in the kernel's folder. */
export async function plainRules(kernel: Kernel): Promise<string> {
  const file = join(kernel.dir, 'kbuild-rules.mk');
  await writeFileWhole(file, rulesWith('', ''));
  return useRules(file);
}
