/** With real make, and a few lines in the place of scripts/Makefile.build: as kernels before and after 5.17 have them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rulesWith } from './rules.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'livegraft-rules-'));
  for (const folder of ['scripts', 'tools/build', 'tools/objtool', 'build'])
    mkdirSync(join(dir, folder), { recursive: true });
  writeFileSync(join(dir, 'rules.mk'), rulesWith('', ''));
  writeFileSync(join(dir, 'tools/build/Makefile.build'), 'tool:\n\t@echo tool in $(dir)\n');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const common = `comma := ,
cmd = $(cmd_$(1))
a.o:
	$(rule_cc_o_c)
`;
function make(rules: string, target: string, { folder = 'build', more = [] as string[] } = {}): string[] {
  writeFileSync(join(dir, 'scripts/Makefile.build'), rules);
  const args = [
    '-f',
    join(dir, 'rules.mk'),
    '-C',
    join(dir, folder),
    '--no-print-directory',
    `srctree=${dir}`,
    ...more,
    target,
  ];
  return execFileSync('make', args, { encoding: 'utf8', env: { PATH: process.env['PATH'] } })
    .trimEnd()
    .split('\n');
}

describe('rulesWith', () => {
  const before517 = `${common}
cmd_cc_o_c = cc -c -o $@ a.c
cmd_objtool = $(if $(OBJECT_FILES_NON_STANDARD),,objtool check $@)
define rule_cc_o_c
	@echo 'saved: $(cmd_cc_o_c)'
	@echo 'then: $(call cmd,objtool)'
endef
`;
  test('objtool as a step of its own becomes a part of what is saved', () => {
    expect(make(before517, 'a.o')).toEqual(['saved: cc -c -o a.o a.c; objtool check a.o', 'then:']);
  });

  test('what is kept from objtool stays so', () => {
    const more = ['OBJECT_FILES_NON_STANDARD=y'];
    expect(make(before517, 'a.o', { more })).toEqual(['saved: cc -c -o a.o a.c', 'then:']);
  });

  test('near miss: a command that has objtool already, and a step that only mentions it', () => {
    const since517 = `${common}
cmd_objtool = ; objtool check $@
cmd_gen_objtooldep = dependency
cmd_cc_o_c = cc -c -o $@ a.c $(cmd_objtool)
define rule_cc_o_c
	@echo 'saved: $(cmd_cc_o_c)'
	@echo 'then: $(call cmd,gen_objtooldep)'
endef
`;
    expect(make(since517, 'a.o')).toEqual(['saved: cc -c -o a.o a.c ; objtool check a.o', 'then: dependency']);
  });

  test('tools/ go by their own rules', () => {
    expect(make(before517, 'tool', { folder: 'tools/objtool' })).toEqual(['tool in .']);
  });
});
