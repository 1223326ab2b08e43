import { beforeEach, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { type FakeHost, fakeHost, moduleFiles, taskFiles } from '../host/testing/fake-host.ts';
import { reviewRunning } from './running.ts';
import { ext4Id, testBundle } from './testing/bundle.ts';

let host: FakeHost;
beforeEach(() => {
  host = fakeHost(moduleFiles('ext4', ext4Id));
});

test('what a load would say, and who is in the functions', async () => {
  host.write({
    ...taskFiles(10, 'cat', -1, '[<0>] pipe_read+0x3df/0x470\n'),
    ...taskFiles(11, 'sh', -1, '[<0>] do_wait+0x163/0x340\n'),
    'sys/kernel/tracing/enabled_functions':
      'pipe_read (1)           \ttramp: 0xffffffffc0000000 (function_trace_call+0x0/0x230) ->function_trace_call+0x0/0x230\n',
  });
  const { release, tasks, findings, blockers } = await reviewRunning(testBundle(), host.roots);
  expect({ release, tasks }).toEqual({ release: '6.1.0-55-amd64', tasks: 2 });
  expect(findings.map(({ code }) => code)).toEqual(['function-occupied', 'function-traced']);
  expect(blockers).toMatchObject([{ task: { tid: 10 }, reason: 'in-function', where: { symbol: 'pipe_read' } }]);
});

test('near miss: nobody in them, nothing on them', async () => {
  host.write(taskFiles(11, 'sh', -1, '[<0>] do_wait+0x163/0x340\n'));
  expect(await reviewRunning(testBundle(), host.roots)).toMatchObject({ tasks: 1, findings: [], blockers: [] });
});

test('another kernel, one that does not say which it is, one without livepatching: by name', async () => {
  const codeOf = (bundle = testBundle()): Promise<string> =>
    reviewRunning(bundle, host.roots).then(
      () => 'none',
      (error: unknown) => (error instanceof LivegraftError ? `${error.code} ${error.exit}` : String(error)),
    );
  const { kernel } = testBundle().manifest;
  expect(await codeOf(testBundle({ kernel: { ...kernel, buildId: 'ab'.repeat(20) } }))).toBe(
    'bundle-for-other-kernel 5',
  );
  host.remove('sys/kernel/livepatch');
  expect(await codeOf()).toBe('livepatch-unsupported 7');
  host.write({ 'sys/kernel/notes': '' });
  expect(await codeOf()).toBe('kernel-build-id-unknown 5');
});
