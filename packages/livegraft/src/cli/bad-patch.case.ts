/** Patches that cannot become a livepatch, do not fit, or are none: one clear message, the right exit code, nothing left behind. */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { livegraft } from '../testing/program.ts';
import { type Edits, sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { cmdline, good, workplace } from '../testing/workplace.ts';

const kernel = await testKernel();
const { dir, out, build, expectRefused } = workplace(kernel);

describe('a patch that cannot become a livepatch', () => {
  const cases: readonly [what: string, exit: number, edits: Edits, ...words: (string | RegExp)[]][] = [
    [
      'comments only',
      3,
      { [cmdline]: ['#include <linux/fs.h>', '/* one\n * two */\n#include <linux/fs.h>'] },
      /nothing-to-replace/,
      /changes no code/,
    ],
    [
      'documentation only',
      3,
      { 'Documentation/admin-guide/README.rst': ['Linux', 'linux'] },
      /nothing-to-patch/,
      /README\.rst is left out: it is documentation/,
    ],
    [
      'assembly',
      4,
      { 'arch/x86/lib/memcpy_64.S': ['rep movsb', 'rep movsb\n\tnop'] },
      /assembly-change.* arch\/x86\/lib\/memcpy_64\.S/,
    ],
    [
      'the vDSO',
      4,
      { 'arch/x86/entry/vdso/vclock_gettime.c': ['return __cvdso_time(t);', 'return 0;'] },
      /outside-running-kernel/,
      /vDSO, which runs in user space/,
    ],
    ['a Makefile', 4, { 'fs/proc/Makefile': ['proc-y', 'proc-y += a.o\nproc-y'] }, /build-system-change/],
    [
      '__init code',
      4,
      { [cmdline]: ['proc_create_single("cmdline"', 'proc_create_single("other"'] },
      /init-changed.* fs\/proc\/cmdline\.c: proc_cmdline_init/,
    ],
    [
      'an initial value',
      4,
      { 'mm/vmscan.c': ['int vm_swappiness = 60;', 'int vm_swappiness = 61;'] },
      /data-changed.* mm\/vmscan\.c: vm_swappiness/,
      /goes from 60 to 61/,
    ],
    [
      'code that does not compile',
      4,
      { [cmdline]: ["seq_putc(m, '\\n');", 'seq_putc(m);'] },
      /does-not-compile/,
      /fs\/proc\/cmdline\.c:10:\d+: error: too few arguments/,
    ],
    [
      'a notrace function',
      4,
      {
        'kernel/watchdog.c': ['	wq_watchdog_touch(raw_smp_processor_id());', '	barrier();\n	wq_watchdog_touch(0);'],
      },
      /no-ftrace-entry.* kernel\/watchdog\.c: touch_softlockup_watchdog/,
      /has no ftrace entry/,
    ],
    [
      'a noinstr function',
      4,
      {
        'kernel/entry/common.c': [
          'noinstr void irqentry_enter_from_user_mode(struct pt_regs *regs)\n{',
          'noinstr void irqentry_enter_from_user_mode(struct pt_regs *regs)\n{\n	regs->ax++;',
        ],
      },
      /no-ftrace-entry.* irqentry_enter_from_user_mode/,
    ],
    [
      'a file built without -pg',
      4,
      {
        'arch/x86/kernel/tsc.c': [
          'unsigned long native_calibrate_tsc(void)\n{',
          'unsigned long native_calibrate_tsc(void)\n{\n	tsc_khz++;',
        ],
      },
      /no-ftrace-entry.* native_calibrate_tsc/,
    ],
  ];
  test.each(cases)('%s: %i', async (_what, exit, edits, ...words) => {
    await expectRefused(await build(sourcePatch(kernel, edits)), exit, ...words);
  });

  test('several reasons are told at once', async () => {
    const edits = {
      ...good,
      'arch/x86/lib/memcpy_64.S': ['rep movsb', 'nop'],
      'fs/proc/Makefile': ['proc-y', 'proc-y += a.o\nproc-y'],
    } as const;
    await expectRefused(await build(sourcePatch(kernel, edits)), 4, /assembly-change/, /build-system-change/);
  });
});

describe('a patch that does not fit', () => {
  test('the hunk, what it expects, what stands there', async () => {
    const text = sourcePatch(kernel, good).replace('saved_command_line', 'other_command_line');
    const ran = await build(text);
    await expectRefused(
      ran,
      4,
      /hunk-fails.*input\.patch:8/,
      /Hunk 1 of fs\/proc\/cmdline\.c does not apply: at fs\/proc\/cmdline\.c:9/,
    );
    expect(ran.stderr).toMatch(/the patch expects.*other_command_line/);
    expect(ran.stderr).toMatch(/the source has.*saved_command_line/);
  });

  test('already applied', async () => {
    const [before, after] = good[cmdline]!;
    const text = sourcePatch(kernel, good)
      .split('\n')
      .map((line) => (line === `-\t${before}` ? `-\t${after}` : line === `+\t${after}` ? `+\t${before}` : line))
      .join('\n');
    await expectRefused(
      await build(text),
      4,
      /hunk-already-applied/,
      /is in this kernel already, at fs\/proc\/cmdline\.c/,
    );
  });

  test('a file that does not exist', async () => {
    await expectRefused(
      await build(sourcePatch(kernel, good).replaceAll('cmdline.c', 'cmdlime.c')),
      4,
      /patch-file-missing/,
    );
  });

  test('a path that leads out of the tree', async () => {
    await expectRefused(
      await build(sourcePatch(kernel, good).replace('+++ b/fs', '+++ b/../fs')),
      4,
      /patch-path/,
      /leaves the source tree/,
    );
  });
});

describe('a patch that is none', () => {
  const cases: readonly [string, () => string | Uint8Array, RegExp][] = [
    ['empty', () => '', /patch-empty/],
    ['text', () => 'hello\n', /patch-empty/],
    ['random bytes', () => randomBytes(20_000), /patch-empty/],
    ['50 MB of random bytes', () => randomBytes(50 << 20), /patch-empty|patch-malformed/],
    ['50 MB of lines', () => sourcePatch(kernel, good) + '+line\n'.repeat(9 << 20), /patch-malformed/],
    ['more than 64 MiB', () => new Uint8Array(65 << 20), /patch-unreadable.*\n.*the limit is 67108864/],
    ['cut off', () => sourcePatch(kernel, good).slice(0, -40), /patch-malformed/],
  ];
  test.each(cases)('%s: 4', async (_what, make, word) => {
    await expectRefused(await build(make()), 4, word);
  });

  test('a folder; no file', async () => {
    const on = (path: string) => livegraft(['build', path, '--kernel', kernel.name, '-o', out, '--quiet']);
    await expectRefused(await on(dir), 4, /patch-unreadable.*\n.*it is a folder/);
    await expectRefused(await on(join(dir, 'none')), 4, /patch-unreadable.*\n.*no such file/);
  });

  test('lines that end in CR LF are read as lines', async () => {
    const ran = await build(sourcePatch(kernel, good).replaceAll('\n', '\r\n'));
    expect({ ...ran, stdout: '' }).toEqual({ exit: 0, stdout: '', stderr: '', processes: [], files: [] });
    expect(await readdir(out)).toEqual(['livegraft_input']);
  });
});
