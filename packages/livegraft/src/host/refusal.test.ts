import { expect, test } from 'vitest';
import { explainRefusal } from './refusal.ts';

test('explainRefusal prefers the kernel’s log to the bare error', () => {
  const log = ["livepatch: pre-patch callback failed for object 'vmlinux'", "livepatch: failed to enable patch 'x'"];
  expect(explainRefusal('Device or resource busy', log).why).toMatch(/pre-patch callback/);
});

// kmod 30 and busybox 1.35 on the same errors
test.each([
  ['Device or resource busy', /in transition/],
  ['File exists', /of this name/],
  ['Key was rejected by service', /signature/],
  ['Invalid module format', /another kernel/],
  ['invalid module format', /another kernel/],
  ['Operation not permitted', /lockdown/],
])('explainRefusal: %s', (said, why) => {
  expect(explainRefusal(said, []).why).toMatch(why);
});

test('explainRefusal admits what it does not know', () => {
  expect(explainRefusal('Numerical result out of range', [])).toEqual({ why: '', next: '' });
});
