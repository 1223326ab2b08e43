/**
 * All that a kernel's configuration builds, and by which commands, told by kbuild itself in one pass without compiling, with rules of
 * ours (`rules.ts`). Those that compile write their command down, expanded for their target as it would be run; rules that generate
 * sources and headers do their work. Linking is left out, and so what needs it fails (vDSO, real-mode code): such objects are listed
 * without a command.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { unitsNotListed } from '../diagnostics/kbuild.ts';
import type { Kernel } from '../kernel/types.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { errorLines, runMake, withBuildTree } from './make.ts';
import { rulesWith, useRules } from './rules.ts';

/** Fields are separated by tabs, which kbuild's variables do not have; a line an entry, a file a folder. */
const makefile = rulesWith(
  `livegraft-units:
livegraft-file := $(livegraft-out)/list!$(subst /,!,$(obj))
livegraft-linked = $(if $(filter $1,$(real-obj-m)),m)$(if $(filter $1,$(lib-y)),l)$(if $(filter $1,$(real-obj-y)),$(if $(need-builtin),y))
livegraft-note = $(file >>$(livegraft-file),$1	$@	$<	$(modname)	$($2))
`,
  `
ifeq ($(filter scripts scripts/%,$(obj)),)
livegraft-objects := $(sort $(filter %.o,$(real-obj-y) $(real-obj-m) $(lib-y) $(extra-y)))
$(foreach o,$(livegraft-objects),$(file >>$(livegraft-file),object	$o	$(call livegraft-linked,$o)))
$(foreach h,$(host-csingle),$(file >>$(livegraft-file),host	$h.c))
$(foreach h,$(host-cobjs),$(file >>$(livegraft-file),host	$(h:.o=.c)))

PHONY += livegraft-units
livegraft-units: $(livegraft-objects) $(filter %.lds,$(extra-y)) $(subdir-ym)
	@:
# what is compiled, up to date or not
if_changed_rule = $(rule_$(1))
define rule_cc_o_c
	$(call livegraft-note,c,cmd_cc_o_c)@:
endef
define rule_as_o_S
	$(call livegraft-note,assembly,cmd_as_o_S)@:
endef
# sources are named by $(src), and since 6.10 by $(obj) and VPATH: whichever this kernel's own rule has is replaced
define livegraft-rules
$(obj)/%.s: $1/%.c FORCE
	$$(call livegraft-note,offsets,cmd_cc_s_c)$$(call if_changed_dep,cc_s_c)
$(obj)/%.lds: $1/%.lds.S FORCE
	$$(call livegraft-note,script,cmd_cpp_lds_S)$$(call if_changed_dep,cpp_lds_S)
endef
$(foreach folder,$(sort $(src) $(obj)),$(eval $(call livegraft-rules,$(folder))))
endif
`,
);

/** What kbuild says of one target; paths as it spells them, `..` and all. */
export interface Listed {
  /** `c`: a unit; `offsets`: a .c file that only makes a header of numbers; `script`: a linker script. */
  readonly kind: 'c' | 'assembly' | 'offsets' | 'script';
  readonly object: string;
  /** Absolute in the source; relative where it was generated into the build tree. */
  readonly input: string;
  /** What it is linked into, as KBUILD_MODNAME has it: several names are joined by colons. */
  readonly modname: string;
  readonly command: string;
}

export interface UnitList {
  readonly listed: readonly Listed[];
  /** Object → `m` part of a module, `y` built in, `l` in a library; empty: made for another target (vDSO). */
  readonly linked: ReadonlyMap<string, string>;
  /** The .c files of programs that run while the kernel is built, without the source's path. */
  readonly host: readonly string[];
}

/** Asks kbuild: 10 to 60 seconds. @throws LivegraftError `units-not-listed` (exit 1), `config-drifted` (exit 5), `busy` (exit 75) */
export async function listUnits(kernel: Kernel, signal?: AbortSignal): Promise<UnitList> {
  return withBuildTree(kernel, signal, () =>
    withTemporaryFolder(kernel.dir, async (folder) => {
      const [rules, out] = [join(folder, 'list.mk'), join(folder, 'out')];
      await writeFile(rules, makefile);
      await mkdir(out);
      const more = ['-k', `-j${availableParallelism()}`, useRules(rules), `livegraft-out=${out}`, await goal(kernel)];
      const made = await runMake(kernel, more, signal);
      const files = (await readdir(out)).sort();
      const list = parseList(await Promise.all(files.map((file) => readFile(join(out, file), 'latin1'))));
      // some targets fail by design; without any, kbuild did not get so far
      if (!list.listed.some(({ kind }) => kind === 'c')) {
        const output = errorLines(`${made.stderr}\n${made.stdout}`);
        throw new LivegraftError(unitsNotListed({ kernel: kernel.name, output }));
      }
      return list;
    }),
  );
}

/** The target by which the top Makefile goes through all folders. */
async function goal({ paths }: Kernel): Promise<string> {
  const text = await readFile(join(paths.source, 'Makefile'), 'utf8');
  return /^descend:/m.test(text) ? 'descend' : '.';
}

export function parseList(texts: readonly string[]): UnitList {
  const listed: Listed[] = [];
  const linked = new Map<string, string>();
  const host: string[] = [];
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [kind = '', object = '', ...rest] = line.split('\t');
    if (kind === 'object') linked.set(object, rest[0] ?? '');
    else if (kind === 'host') host.push(object);
    else if (kind === 'c' || kind === 'assembly' || kind === 'offsets' || kind === 'script') {
      const [input = '', modname = '', ...command] = rest;
      listed.push({ kind, object, input, modname, command: command.join('\t').trim() });
    }
  }
  return { listed, linked, host };
}
