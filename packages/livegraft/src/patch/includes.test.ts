import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSourceIncludes } from './includes.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'livegraft-includes-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

describe('readSourceIncludes', () => {
  test('finds includers by relative path and by the end of a path, not in other folders of that name', async () => {
    write({
      'kernel/sched/policy.c': '#include "rt.c"\n',
      'kernel/sched/rt.c': '',
      'drivers/x/rt.c': '',
      'lib/a.h': '#if X\n# include "sub/b.c"\n#endif\n',
      'lib/sub/b.c': '',
      'arch/x86/boot/k.c': '\t#include "../../../lib/sub/b.c"\n',
      'arch/arm/k.c': '#include "../../lib/sub/b.c"\n',
      'tools/t.c': '#include "../lib/sub/b.c"\n',
      'mm/dash.c': '#include <inat.c>\n',
      'arch/x86/lib/inat.c': '',
      'mm/c.c': '/*\n * not #include "d.c"\n */\n',
    });
    const includes = await readSourceIncludes(root, join(root, 'cache.json'));
    expect(includes.includersOf('kernel/sched/rt.c')).toEqual(['kernel/sched/policy.c']);
    expect(includes.includersOf('drivers/x/rt.c')).toEqual([]);
    expect(includes.includersOf('lib/sub/b.c')).toEqual(['arch/x86/boot/k.c', 'lib/a.h']);
    expect(includes.includersOf('arch/x86/lib/inat.c')).toEqual(['mm/dash.c']);
    expect(includes.includersOf('mm/d.c')).toEqual([]);
  });

  test('the second time the source is not read', async () => {
    write({ 'mm/a.c': '#include "b.c"\n' });
    await readSourceIncludes(root, join(root, 'cache.json'));
    rmSync(join(root, 'mm'), { recursive: true });
    expect((await readSourceIncludes(root, join(root, 'cache.json'))).includersOf('mm/b.c')).toEqual(['mm/a.c']);
    writeFileSync(join(root, 'cache.json'), '{"schema":1,');
    expect((await readSourceIncludes(root, join(root, 'cache.json'))).includersOf('mm/b.c')).toEqual([]);
  });

  test('isUnit: a Makefile here or above names the object', async () => {
    write({
      'mm/Makefile': 'obj-y := a.o \\\n\tsub/c.o\nobj-$(CONFIG_X) += x-b.o\n',
      'mm/sub/c.c': '',
      'fs/Kbuild': 'foo-objs:=a.o\n',
    });
    const { isUnit } = await readSourceIncludes(root, join(root, 'cache.json'));
    expect(['mm/a.c', 'mm/b.c', 'mm/x-b.c', 'mm/sub/c.c', 'mm/sub/d.c', 'fs/a.c'].map(isUnit)).toEqual([
      true,
      false,
      true,
      true,
      false,
      true,
    ]);
  });
});
