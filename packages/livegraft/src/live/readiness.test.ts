import { expect, test } from 'vitest';
import { type FakeHost, fakeHost } from '../host/testing/fake-host.ts';
import { readiness } from './readiness.ts';

let host: FakeHost | undefined;

/** What is not `yes`, as `what: state`. */
function doubts(prepare: (host: FakeHost) => void, isRoot = true): string[] {
  host = fakeHost({ 'proc/sys/kernel/ftrace_enabled': '1\n' });
  prepare(host);
  return readiness(host.roots, isRoot)
    .filter(({ state }) => state !== 'yes')
    .map(({ what, state }) => `${what}: ${state}`);
}

test('a stock kernel: nothing to say against it', () => {
  expect(doubts(() => undefined)).toEqual([]);
});

test('each thing that keeps livepatches out is told by itself', () => {
  expect(doubts((kernel) => kernel.remove('sys/kernel/livepatch'))).toEqual(['livepatching: no']);
  expect(doubts((kernel) => kernel.remove('sys/kernel/notes'))).toEqual(['kernel: no']);
  expect(doubts((kernel) => kernel.write({ 'proc/sys/kernel/ftrace_enabled': '0\n' }))).toEqual(['ftrace: no']);
  expect(doubts((kernel) => kernel.write({ 'proc/sys/kernel/modules_disabled': '1\n' }))).toEqual(['modules: no']);
});

test('what only limits is no refusal', () => {
  const locked = { 'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n' };
  expect(doubts((kernel) => kernel.write(locked))).toEqual(['signatures: limited']);
  expect(doubts((kernel) => kernel.remove('sys/kernel/tracing'))).toEqual(['tracing: limited']);
  expect(doubts((kernel) => kernel.write({ 'etc/off': '' }))).toEqual(['at boot: limited']);
});

test('who is not root is told what cannot be seen', () => {
  expect(doubts(() => undefined, false)).toEqual(['tracing: unknown']);
});
