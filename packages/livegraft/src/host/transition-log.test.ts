import { expect, test } from 'vitest';
import { transitionTimes } from './transition-log.ts';

// as /dev/kmsg gives them; the times are those of a guest with 6.1.0-55-amd64
const log = `6,301,19522260,-;livepatch: enabling patch 'livegraft_zoo'
5,302,19636272,-;livepatch: 'livegraft_zoo': starting patching transition
6,303,21941478,-;zoo: pipe_read
 SUBSYSTEM=none
5,304,35124583,-;livepatch: signaling remaining tasks
5,305,36108830,-;livepatch: 'livegraft_zoo': patching complete
5,306,40000000,-;livepatch: 'livegraft_zoo': starting unpatching transition
`;

test('transitionTimes: beginning and first signal of the newest transition to that side', () => {
  expect(transitionTimes(log.split('\n').slice(0, 6).join('\n'), 'livegraft_zoo', 1)).toEqual({
    began: 19.636272,
    signalled: 35.124583,
  });
  expect(transitionTimes(log, 'livegraft_zoo', 0)).toEqual({ began: 40 });
});

test('transitionTimes: another transition came after it, or the log does not have it', () => {
  expect(transitionTimes(log, 'livegraft_zoo', 1)).toBeUndefined();
  expect(transitionTimes(log, 'other', 0)).toBeUndefined();
  expect(transitionTimes('', 'livegraft_zoo', 1)).toBeUndefined();
});
