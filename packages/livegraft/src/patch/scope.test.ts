import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { sourceIncludes } from './includes.ts';
import { parsePatch } from './parse.ts';
import { scopePatches } from './scope.ts';
import { bytesOf } from './text.ts';

const modify = (path: string): string =>
  `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-a\n+b\n`;
const create = (path: string): string =>
  `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+a\n`;

const includes = sourceIncludes('/nonexistent', [
  { from: 'kernel/sched/build_policy.c', name: 'rt.c' },
  { from: 'fs/compat_binfmt_elf.c', name: 'binfmt_elf.c' },
  { from: 'arch/x86/boot/compressed/kaslr.c', name: '../../../../lib/ctype.c' },
  { from: 'arch/x86/entry/vdso/v.c', name: '../../../../lib/time.c' },
]);
const withUnits = (...units: string[]) => ({ ...includes, isUnit: (path: string) => units.includes(path) });
const scope = (text: string, known = includes) => scopePatches([parsePatch('p', bytesOf(text))], known);

function codes(text: string, known = includes): (string | undefined)[][] {
  try {
    return scope(text, known).findings.map(({ code, place }) => [code, place]);
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return [['exit', String(error.exit)], ...error.diagnostics.map(({ code, place }) => [code, place])];
  }
}

describe('scopePatches', () => {
  test('units, and files that do not matter', () => {
    const text = [
      modify('fs/b.c'),
      modify('Documentation/x.rst'),
      modify('fs/a.c'),
      modify('arch/arm64/kernel/x.c'),
      modify('tools/perf/p.c'),
    ].join('');
    const result = scope(text);
    expect(result.units).toEqual(['fs/a.c', 'fs/b.c']);
    expect(result.changed).toEqual(['fs/a.c', 'fs/b.c']);
    expect(result.findings.map(({ code, severity, place }) => [code, severity, place])).toEqual([
      ['file-ignored', 'note', 'Documentation/x.rst'],
      ['file-ignored', 'note', 'arch/arm64/kernel/x.c'],
      ['file-ignored', 'note', 'tools/perf/p.c'],
    ]);
  });

  test('nothing left: exit 3', () => {
    expect(codes(modify('Documentation/x.rst') + modify('samples/x.c'))).toEqual([
      ['exit', '3'],
      ['nothing-to-patch', 'p'],
      ['file-ignored', 'Documentation/x.rst'],
      ['file-ignored', 'samples/x.c'],
    ]);
  });

  test.each([
    ['arch/x86/entry/entry_64.S', 'assembly-change'],
    ['arch/x86/kernel/vmlinux.lds.S', 'assembly-change'],
    ['fs/Makefile', 'build-system-change'],
    ['Makefile', 'build-system-change'],
    ['arch/Kconfig', 'build-system-change'],
    ['fs/Kconfig.binfmt', 'build-system-change'],
    ['arch/x86/entry/vdso/vclock_gettime.c', 'outside-running-kernel'],
    ['lib/vdso/gettimeofday.c', 'outside-running-kernel'],
    ['arch/x86/boot/compressed/misc.c', 'outside-running-kernel'],
    ['arch/x86/purgatory/purgatory.c', 'outside-running-kernel'],
    ['arch/x86/realmode/rm/regs.c', 'outside-running-kernel'],
    ['drivers/firmware/efi/libstub/file.c', 'outside-running-kernel'],
    ['arch/x86/entry/syscalls/syscall_64.tbl', 'unsupported-file'],
    ['rust/kernel/lib.rs', 'unsupported-file'],
  ])('%s is refused as %s', (path, code) => {
    expect(codes(modify('fs/a.c') + modify(path))).toEqual([
      ['exit', '4'],
      [code, path],
    ]);
  });

  test('headers, changed or new, are told apart; deleted or renamed ones are refused', () => {
    const result = scope(modify('include/linux/fs.h') + create('fs/new.h') + modify('fs/a.c') + modify('tools/x.h'));
    expect([result.units, result.changed, result.headers]).toEqual([
      ['fs/a.c'],
      ['fs/a.c', 'fs/new.h', 'include/linux/fs.h'],
      ['fs/new.h', 'include/linux/fs.h'],
    ]);
    expect(scope(modify('include/linux/fs.h')).units).toEqual([]);
    expect(codes('diff --git a/a.h b/b.h\nsimilarity index 100%\nrename from a.h\nrename to b.h\n')[1]).toEqual([
      'unit-removed',
      'b.h',
    ]);
    expect(codes(modify('arch/x86/boot/boot.h'))[1]).toEqual(['outside-running-kernel', 'arch/x86/boot/boot.h']);
  });

  test('all refusals are told at once', () => {
    expect(codes(modify('fs/Kconfig') + create('fs/new.c') + modify('fs/a.c') + modify('fs/b.S'))).toEqual([
      ['exit', '4'],
      ['build-system-change', 'fs/Kconfig'],
      ['new-unit', 'fs/new.c'],
      ['assembly-change', 'fs/b.S'],
    ]);
  });

  test('a deleted or renamed unit is refused, a change of mode ignored', () => {
    expect(codes('diff --git a/a.c b/b.c\nsimilarity index 100%\nrename from a.c\nrename to b.c\n')[1]).toEqual([
      'unit-removed',
      'b.c',
    ]);
    expect(codes('diff --git a/a.c b/a.c\nold mode 100644\nnew mode 100755\n')[0]).toEqual(['exit', '3']);
  });

  test('a file that others include: they are compiled; itself only if it is a unit', () => {
    const policy = scope(modify('kernel/sched/rt.c'), withUnits('kernel/sched/build_policy.c'));
    expect([policy.units, policy.changed]).toEqual([['kernel/sched/build_policy.c'], ['kernel/sched/rt.c']]);
    const elf = scope(modify('fs/binfmt_elf.c'), withUnits('fs/binfmt_elf.c', 'fs/compat_binfmt_elf.c'));
    expect(elf.units).toEqual(['fs/binfmt_elf.c', 'fs/compat_binfmt_elf.c']);
  });

  test('a copy in the boot loader is told, one in the vDSO is refused', () => {
    expect(codes(modify('lib/ctype.c'), withUnits('lib/ctype.c', 'arch/x86/boot/compressed/kaslr.c'))).toEqual([
      ['copy-outside-kernel', 'lib/ctype.c'],
    ]);
    expect(codes(modify('lib/time.c'), withUnits('lib/time.c', 'arch/x86/entry/vdso/v.c'))[1]).toEqual([
      'outside-running-kernel',
      'lib/time.c',
    ]);
  });
});
