/** Stacks are those of a guest with 6.1.0-55-amd64. */
import { expect, test } from 'vitest';
import { foreignCode, parseStack, showFrame } from './stacks.ts';

/** A reader of a pipe while an fexit program is attached to vfs_read() and a livepatch of pipe_read() is loaded. */
const traced = `[<0>] pipe_read+0x3ec/0x480 [livegraft_zoo]
[<0>] vfs_read+0x2de/0x310
[<0>] bpf_trampoline_6442532892+0x46/0x1000
[<0>] vfs_read+0x5/0x310
[<0>] ksys_read+0xb7/0xf0
[<0>] do_syscall_64+0x5d/0xb0
[<0>] entry_SYSCALL_64_after_hwframe+0x6e/0xd8
`;

test('parseStack reads symbol, offset, size and module', () => {
  const frames = parseStack(traced);
  expect(frames).toHaveLength(7);
  expect(frames[0]).toEqual({ symbol: 'pipe_read', offset: 0x3ec, size: 0x480, module: 'livegraft_zoo' });
  expect(frames[4]).toEqual({ symbol: 'ksys_read', offset: 0xb7, size: 0xf0 });
  expect(showFrame(frames[0]!)).toBe('pipe_read+0x3ec [livegraft_zoo]');
});

test('parseStack: nothing while the task runs; an address without a symbol; other text', () => {
  expect(parseStack('')).toEqual([]);
  expect(parseStack('[<0>] 0xffffffffc0241660\n')).toEqual([{ symbol: '0xffffffffc0241660', offset: 0, size: 0 }]);
  expect(parseStack('Permission denied\n\n')).toEqual([]);
});

test('foreignCode finds what the unwinder has no records for, and what it was attached to', () => {
  expect(foreignCode(parseStack(traced))).toMatchObject({
    kind: 'bpf',
    frame: { symbol: 'bpf_trampoline_6442532892' },
    inner: { symbol: 'vfs_read' },
  });
  expect(foreignCode(parseStack('[<0>] arch_rethook_trampoline+0x0/0x60\n'))?.kind).toBe('kretprobe');
  expect(foreignCode(parseStack('[<0>] 0xffffffffc0241660\n'))?.kind).toBe('unknown');
  expect(foreignCode(parseStack('[<0>] do_syscall_64+0x5d/0xb0\n'))).toBeUndefined();
});

test('foreignCode does not take the kernel’s own BPF functions for programs', () => {
  for (const name of ['bpf_prog_load', 'bpf_trampoline_link_prog', 'bpf_prog_array_free', 'bpf_prog_test_run_skb'])
    expect(foreignCode(parseStack(`[<0>] ${name}+0x10/0x200\n`)), name).toBeUndefined();
  for (const name of ['bpf_prog_a04f5eef06a7f555_watch_reads', 'bpf_trampoline_6442532892'])
    expect(foreignCode(parseStack(`[<0>] ${name}+0x10/0x200 [bpf]\n`)), name).toBeDefined();
});
