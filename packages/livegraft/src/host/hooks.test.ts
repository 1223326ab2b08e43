import { expect, test } from 'vitest';
import { parseEnabledFunctions, parseKprobes } from './hooks.ts';

// 6.1.0-55-amd64 in a guest: a kretprobe on one function, a livepatch on another
const enabled = `pipe_read (1) R    	tramp: livegraft_init+0x0/0x1000 [livegraft_meminfo2] (kprobe_ftrace_handler+0x0/0x1b0) ->kprobe_ftrace_handler+0x0/0x1b0
meminfo_proc_show (1)   I  	tramp: 0xffffffffc0306000 (klp_ftrace_handler+0x0/0x110) ->klp_ftrace_handler+0x0/0x110
`;

test('parseEnabledFunctions tells redirection from watching', () => {
  expect(parseEnabledFunctions(enabled)).toEqual([
    { name: 'pipe_read', users: 1, redirects: false, direct: false, callees: ['kprobe_ftrace_handler'] },
    { name: 'meminfo_proc_show', users: 1, redirects: true, direct: false, callees: ['klp_ftrace_handler'] },
  ]);
});

test('before 5.11 ftrace stands between: the handler is in brackets', () => {
  // 5.10.0-46-amd64 in a guest, with a livepatch
  const text =
    'meminfo_proc_show (1) R I  \ttramp: 0xffffffffc03db000 (klp_ftrace_handler+0x0/0xa0) ->ftrace_ops_assist_func+0x0/0x110\n';
  expect(parseEnabledFunctions(text)).toEqual([
    { name: 'meminfo_proc_show', users: 1, redirects: true, direct: false, callees: ['klp_ftrace_handler'] },
  ]);
});

// kernel/trace/ftrace.c, t_show: a direct call is a line of its own; several users have no trampoline in common
test('parseEnabledFunctions reads modules, direct calls and several users', () => {
  const text = `ext4_file_open [ext4] (2) R I D 	tramp: ftrace_regs_caller+0x0/0x70 (call_direct_funcs+0x0/0x10)
	direct-->bpf_trampoline_6442535930_0+0x0/0x1000
vfs_read (3)      \n`;
  expect(parseEnabledFunctions(text)).toEqual([
    {
      name: 'ext4_file_open',
      module: 'ext4',
      users: 2,
      redirects: true,
      direct: true,
      callees: ['bpf_trampoline_6442535930_0'],
    },
    { name: 'vfs_read', users: 3, redirects: false, direct: false, callees: [] },
  ]);
});

test('parseKprobes', () => {
  const text = `ffffffffb4372af0  r  pipe_read+0x0    [FTRACE]
ffffffffc0372b10  k  ext4_file_open+0x1c ext4 [DISABLED]
`;
  expect(parseKprobes(text)).toEqual([
    { kind: 'r', name: 'pipe_read', offset: 0 },
    { kind: 'k', name: 'ext4_file_open', offset: 0x1c, module: 'ext4' },
  ]);
});
