import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { causeOfDeath, parseConsole } from './console.ts';

const golden = new URL('./console.golden/', import.meta.url);

describe('parseConsole', () => {
  // Logs of real guests; `npx vitest -u` rewrites what is expected of them.
  test.each(readdirSync(golden).filter((name) => name.endsWith('.log')))('%s', async (name) => {
    const findings = parseConsole(readFileSync(new URL(name, golden), 'utf8'));
    const text = findings
      .map(({ kind, severity, step, title, lines }) =>
        [`${kind} ${severity} step ${step ?? '-'}: ${title}`, ...lines.map((line) => `    ${line}`)].join('\n'),
      )
      .join('\n\n');
    const died = causeOfDeath(findings);
    await expect(`${text}\n\ncause of death: ${died?.title ?? 'none'}\n`).toMatchFileSnapshot(
      new URL(name.replace(/log$/, 'findings'), golden).pathname,
    );
  });

  // Forms as the named kernel files print them.
  test.each([
    [
      'rcu-stall',
      'rcu: INFO: rcu_preempt self-detected stall on CPU',
      'rcu: INFO: rcu_preempt self-detected stall on CPU',
    ],
    [
      'hung-task',
      'INFO: task dd:123 blocked for more than 120 seconds.',
      'INFO: task dd:123 blocked for more than 120 seconds.',
    ],
    [
      'lockup',
      'watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [sh:99]',
      'BUG: soft lockup - CPU#0 stuck for 26s! [sh:99]',
    ],
    ['sanitizer', 'BUG: KASAN: use-after-free in f+0x1/0x2', 'BUG: KASAN: use-after-free in f+0x1/0x2'],
    ['sanitizer', 'UBSAN: array-index-out-of-bounds in fs/x.c:3:4', 'UBSAN: array-index-out-of-bounds in fs/x.c:3:4'],
    ['bug', 'kernel BUG at fs/x.c:12!', 'kernel BUG at fs/x.c:12'],
    ['bug', 'BUG: unable to handle page fault for address: ffff8880', 'BUG: unable to handle page fault'],
    ['bug', 'BUG: scheduling while atomic: sh/1/0x00000002', 'BUG: scheduling while atomic: sh/1/0x00000002'],
    [
      'oops',
      'general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP',
      'general protection fault',
    ],
    ['warning', 'WARNING: CPU: 1 PID: 7 at net/x.c:9 f+0x1/0x2 [m]', 'WARNING at net/x.c:9 in f+0x1/0x2 [m]'],
    ['module-refused', "livepatch: patch 'p' failed for module 'm', refusing to load module 'm'", undefined],
    [
      'module-refused',
      'x86/modules: Skipping invalid relocation target, existing value is nonzero for type 11',
      undefined,
    ],
    ['panic', 'Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009', undefined],
    ['out-of-memory', 'Out of memory: Killed process 9 (sh) total-vm:1kB', undefined],
    ['livepatch', "livepatch: 'p': patching complete", undefined],
  ])('%s: %s', (kind, line, title) => {
    const [finding, ...more] = parseConsole(`[    1.000000] quiet before\n[   12.345678][  T123] ${line}\r\n`);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ kind, title: title ?? line, time: 12.345678, lines: [line] });
  });

  test('a report takes its place from the instruction pointer, and ends at its end', () => {
    const log = [
      'BUG: kernel NULL pointer dereference, address: 0000000000000028',
      'Oops: 0000 [#1] PREEMPT SMP NOPTI',
      'RIP: 0010:ext4_f+0xbc/0x380 [ext4]',
      '---[ end trace 0000000000000000 ]---',
      'RIP: 0010:ext4_f+0xbc/0x380 [ext4]',
      "livepatch: 'p': patching complete",
    ];
    expect(parseConsole(log.join('\n')).map(({ title, lines }) => [title, lines.length])).toEqual([
      ['BUG: kernel NULL pointer dereference in ext4_f+0xbc/0x380 [ext4]', 4],
      ["livepatch: 'p': patching complete", 1],
    ]);
  });

  test('an instruction pointer that leads nowhere gives way to the first caller', () => {
    const log = [
      'BUG: kernel NULL pointer dereference, address: 0000000000000000',
      'RIP: 0010:0x0',
      'Call Trace:',
      ' <TASK>',
      ' caller+0x1/0x2',
    ];
    expect(parseConsole(log.join('\n'))[0]?.title).toBe('BUG: kernel NULL pointer dereference in caller+0x1/0x2');
  });

  test('a finding belongs to the step whose marks enclose it', () => {
    const log = [
      'WARNING: CPU: 0 PID: 1 at a.c:1',
      'livegraft: step 1 begins: script',
      'livegraft: step 1 ended: 0',
      'WARNING: CPU: 0 PID: 1 at b.c:1',
      'livegraft: step 2 begins: load p',
      'WARNING: CPU: 0 PID: 1 at c.c:1',
      'livegraft: step 2 ended: 0',
    ];
    expect(parseConsole(log.join('\n')).map(({ step }) => step)).toEqual([undefined, undefined, 2]);
  });

  test('any text is taken without a throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => void parseConsole(`${a}\nWARNING: ${b}\n[ 1.0] BUG: ${a}\n${b}`)),
    );
  });
});
