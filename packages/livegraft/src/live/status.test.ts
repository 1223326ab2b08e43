import { expect, test } from 'vitest';
import {
  type FakeHost,
  fakeHost,
  livepatchFiles,
  moduleFiles,
  moduleLine,
  taskFiles,
} from '../host/testing/fake-host.ts';
import { checkStatus, readStatus } from './status.ts';
import { findSubject } from './subject.ts';

let host: FakeHost;

async function check(...names: string[]): Promise<string[]> {
  const problems = checkStatus(
    await readStatus(host.roots, true),
    names.map((name) => ({ name })),
  );
  return problems.map(({ code, place, exit }) => `${exit} ${code} ${place}`);
}

test('readStatus tells whose version of a function runs', async () => {
  host = fakeHost({
    ...livepatchFiles('first', ['vmlinux/f,1', 'vmlinux/g,1']),
    ...livepatchFiles('second', ['vmlinux/f,1', 'vmlinux/g,2']),
    'proc/modules': moduleLine('second') + moduleLine('first'),
  });
  const { livepatches } = await readStatus(host.roots, true);
  expect(livepatches.map(({ objects }) => objects[0]!.functions)).toEqual([
    [
      { name: 'f', position: 1, overriddenBy: 'second' },
      { name: 'g', position: 1 },
    ],
    [
      { name: 'f', position: 1 },
      { name: 'g', position: 2 },
    ],
  ]);
  expect(await check()).toEqual(['1 check-failed first']);
  expect(await check('second')).toEqual([]);
});

test('checkStatus: not loaded, reverted, in transition, a target that was not patched', async () => {
  host = fakeHost({
    ...moduleFiles('left', 'bb'.repeat(20), 'OEK'),
    ...moduleFiles('ext4', 'cc'.repeat(20)),
    ...livepatchFiles('fix', ['ext4/f,1', 'xfs/g,1']),
    'proc/modules': moduleLine('fix') + moduleLine('left') + moduleLine('ext4', ''),
    'sys/kernel/livepatch/fix/xfs/patched': '0\n',
    ...taskFiles(207, 'cat', 0),
  });
  // xfs is not there: its functions wait for it
  expect(await check()).toEqual([]);
  expect(await check('left', 'nothing')).toEqual(['1 check-failed left', '1 check-failed nothing']);
  host.write({ 'sys/kernel/livepatch/fix/ext4/patched': '0\n' });
  expect(await check('fix')).toEqual(['1 check-failed fix']);
  host.write({ 'sys/kernel/livepatch/fix/transition': '1\n' });
  expect(await check()).toEqual(['6 check-moving fix']);
  const { transition, leftovers } = await readStatus(host.roots, true);
  expect(transition).toMatchObject({ name: 'fix', side: 1, tasks: 1, left: 1 });
  expect(leftovers).toEqual(['left']);
});

test('findSubject takes a word for a name, written as files write it too', async () => {
  host = fakeHost();
  expect(await findSubject(host.roots, 'livegraft-fix.ko')).toEqual({ name: 'livegraft_fix' });
  await expect(findSubject(host.roots, './nothing')).rejects.toMatchObject({ code: 'bundle-unreadable' });
});
