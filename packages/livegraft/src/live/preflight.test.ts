import { beforeEach, expect, test } from 'vitest';
import {
  type FakeHost,
  fakeHost,
  livepatchFiles,
  moduleFiles,
  moduleLine,
  taskFiles,
} from '../host/testing/fake-host.ts';
import { preflight } from './preflight.ts';
import { bundleId, ext4Id, testBundle } from './testing/bundle.ts';

let host: FakeHost;
beforeEach(() => {
  host = fakeHost(moduleFiles('ext4', ext4Id));
});

async function codes(bundle = testBundle(), options = {}): Promise<string[]> {
  const { findings } = await preflight(bundle, host.roots, options);
  return findings.map(({ severity, code, exit }) => `${severity}${severity === 'error' ? ` ${exit}` : ''} ${code}`);
}

test('nothing to say where nothing is in the way', async () => {
  expect(await codes()).toEqual([]);
});

test('another kernel, a kernel without a build-id, one without livepatching', async () => {
  host.remove('sys/kernel/livepatch');
  expect(await codes()).toEqual(['error 7 livepatch-unsupported']);
  const other = testBundle();
  const kernel = { ...other.manifest.kernel, buildId: 'ab'.repeat(20) };
  expect(await codes(testBundle({ kernel }))).toEqual(['error 5 bundle-for-other-kernel']);
  host.write({ 'sys/kernel/notes': '' });
  expect(await codes()).toEqual(['error 5 kernel-build-id-unknown']);
});

test('target modules: another build, one without build-id, one that is not loaded', async () => {
  host.write(moduleFiles('ext4', 'ab'.repeat(20)));
  expect(await codes()).toEqual(['error 5 target-differs']);
  host.remove('sys/module/ext4/notes');
  expect(await codes()).toEqual(['error 5 target-differs']);
  host.remove('sys/module/ext4');
  expect(await codes()).toEqual(['note target-absent']);
});

test('what the kernel lets in: modules_disabled, signatures, memory', async () => {
  host.write({
    'proc/sys/kernel/modules_disabled': '1\n',
    'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
    'proc/meminfo': 'MemAvailable:    100 kB\n',
  });
  expect(await codes()).toEqual(['error 7 modules-disabled', 'error 7 module-unsigned', 'warning memory-low']);
  host.write({ 'proc/sys/kernel/modules_disabled': '0\n', 'proc/meminfo': '' });
  const signed = { ...testBundle(), module: Buffer.from('… ~Module signature appended~\n') };
  expect(await codes(signed)).toEqual(['note signature-unchecked']);
  host.write({
    'sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
    'sys/module/module/parameters/sig_enforce': 'Y\n',
  });
  expect(await codes()).toEqual(['error 7 module-unsigned']);
});

test('loaded already, left behind after a revert, the name taken by another', async () => {
  host.write({ ...livepatchFiles('livegraft_fix', [], { id: bundleId }), 'proc/modules': moduleLine('livegraft_fix') });
  expect(await codes()).toEqual(['error 3 already-loaded']);
  host.remove('sys/kernel/livepatch/livegraft_fix');
  expect(await codes()).toEqual(['error 7 module-left']);
  host.write(moduleFiles('livegraft_fix', 'ab'.repeat(20), 'OEK'));
  expect(await codes()).toEqual(['error 7 module-name-taken']);
});

test('the same function in another livepatch: by name, object and position', async () => {
  host.write(livepatchFiles('foreign', ['vmlinux/s_show,2', 'ext4/pipe_read,1']));
  expect(await codes()).toEqual([]);
  host.write(livepatchFiles('foreign', ['vmlinux/s_show,3', 'vmlinux/pipe_read,1']));
  expect(await codes()).toEqual(['error 7 function-taken', 'error 7 function-taken']);
  expect(await codes(testBundle(), { onTop: true })).toEqual(['warning function-on-top', 'warning function-on-top']);
  expect(await codes(testBundle({ replace: true }))).toEqual(['warning replaces-loaded']);
});

test('bundles that are loaded before this one count as loaded', async () => {
  const first = testBundle({ name: 'livegraft_first' });
  expect(await codes(testBundle(), { after: [first] })).toEqual([
    'error 7 function-taken',
    'error 7 function-taken',
    'error 7 function-taken',
  ]);
  host.write(livepatchFiles('foreign', ['vmlinux/pipe_read,1']));
  const sweeping = testBundle({ name: 'livegraft_first', replace: true, functions: [] });
  expect(await codes(testBundle(), { after: [sweeping] })).toEqual([]);
});

test('another transition', async () => {
  host.write(livepatchFiles('foreign', ['vmlinux/x,1'], { enabled: 0, transition: 1 }));
  expect(await codes()).toEqual(['error 7 transition-running']);
});

test('hooks on its functions: foreign redirection, BPF, tracer, probes; those of the livepatch core are no matter', async () => {
  const list = (text: string) => host.write({ 'sys/kernel/tracing/enabled_functions': text });
  list(
    'pipe_read (1)   I  \ttramp: 0xffffffffc0306000 (klp_ftrace_handler+0x0/0x110) ->klp_ftrace_handler+0x0/0x110\n',
  );
  expect(await codes()).toEqual([]);
  list('pipe_read (1) R I  \ttramp: 0xffffffffc0306000 (other_handler+0x0/0x110) ->other_handler+0x0/0x110\n');
  expect(await codes()).toEqual(['error 7 function-held']);
  list('pipe_read (1) R   D\n\tdirect-->bpf_trampoline_6442535930_0+0x0/0x1000\n');
  expect(await codes()).toEqual(['warning function-trampoline']);
  list(
    'pipe_read (1)      \ttramp: 0xffffffffc02df000 (function_trace_call+0x0/0x120) ->function_trace_call+0x0/0x120\n',
  );
  expect(await codes()).toEqual(['note function-traced']);
  list('pipe_read (1) R    \ttramp: 0xffffffffc02df000 ->kprobe_ftrace_handler+0x0/0x1b0\n');
  host.write({ 'sys/kernel/debug/kprobes/list': 'ffffffffb4372af0  r  pipe_read+0x0    [FTRACE]\n' });
  expect(await codes()).toEqual(['warning function-probed']);
  host.remove('sys/kernel/tracing');
  host.remove('sys/kernel/debug');
  expect(await codes()).toEqual(['note tracing-unseen']);
});

test('tasks that sleep in its functions now are named', async () => {
  const stack = '[<0>] pipe_read+0x3df/0x470\n[<0>] vfs_read+0x2de/0x310\n';
  const elsewhere = '[<0>] pipe_read+0x10/0x20 [other]\n[<0>] do_nanosleep+0x67/0x190\n';
  host.write({ ...taskFiles(207, 'cat', -1, stack), ...taskFiles(208, 'sleep', -1, elsewhere) });
  const { findings } = await preflight(testBundle(), host.roots);
  expect(findings).toMatchObject([{ code: 'function-occupied', place: 'pipe_read', data: { tasks: ['cat (207)'] } }]);
});
