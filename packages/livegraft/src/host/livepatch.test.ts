import { expect, test } from 'vitest';
import { findTransition, readLivepatch, readLivepatches } from './livepatch.ts';
import { livepatchModules, readModule } from './modules.ts';
import { type FakeHost, fakeHost, livepatchFiles, moduleFiles, moduleLine } from './testing/fake-host.ts';

let host: FakeHost;

test('readLivepatches reads state, objects, functions and build-ids, the oldest first', () => {
  host = fakeHost({
    ...livepatchFiles('a_new', ['vmlinux/pipe_read,1', 'ext4/ext4_mb_init.isra.0,2'], { transition: 1 }),
    ...livepatchFiles('z_old', ['vmlinux/meminfo_proc_show,1'], { id: 'aa'.repeat(20) }),
    // the newest is at the top
    'proc/modules': moduleLine('a_new') + moduleLine('z_old'),
  });
  const [old, recent] = readLivepatches(host.roots);
  expect(old).toMatchObject({ name: 'z_old', state: 'active', buildId: 'aa'.repeat(20) });
  expect(recent).toEqual({
    name: 'a_new',
    state: 'enabling',
    enabled: true,
    inTransition: true,
    buildId: '22a8ec2abcdae7736b338628d99258c8bc8c1a73',
    objects: [
      { name: 'vmlinux', patched: true, functions: [{ name: 'pipe_read', position: 1 }] },
      { name: 'ext4', patched: true, functions: [{ name: 'ext4_mb_init.isra.0', position: 2 }] },
    ],
  });
  expect(findTransition(host.roots)?.name).toBe('a_new');
});

test('where the kernel says in which order it stacks them, that counts', () => {
  const files = { ...livepatchFiles('a', []), ...livepatchFiles('b', []) };
  const names = (): string[] => readLivepatches(host.roots).map(({ name }) => name);
  host = fakeHost({ ...files, 'proc/modules': moduleLine('a') + moduleLine('b') });
  expect(names()).toEqual(['b', 'a']);
  host.write({ 'sys/kernel/livepatch/a/stack_order': '1\n', 'sys/kernel/livepatch/b/stack_order': '2\n' });
  expect(names()).toEqual(['a', 'b']);
  // one that goes while they are read
  host.remove('sys/kernel/livepatch/b/stack_order');
  expect(names()).toEqual(['b', 'a']);
});

test('readLivepatches knows all four states', () => {
  host = fakeHost({
    ...livepatchFiles('a', [], { enabled: 1, transition: 1 }),
    ...livepatchFiles('b', [], { enabled: 1, transition: 0 }),
    ...livepatchFiles('c', [], { enabled: 0, transition: 1 }),
    ...livepatchFiles('d', [], { enabled: 0, transition: 0 }),
  });
  const states = readLivepatches(host.roots).map(({ name, state }) => `${name} ${state}`);
  expect(states).toEqual(['a enabling', 'b active', 'c disabling', 'd inactive']);
});

test('a livepatch that is half gone is none, and a kernel without livepatching has none', () => {
  host = fakeHost(livepatchFiles('a', ['vmlinux/f,1']));
  host.remove('sys/kernel/livepatch/a/transition');
  expect(readLivepatch(host.roots, 'a')).toBeUndefined();
  expect(readLivepatches(host.roots)).toEqual([]);
  host.remove('sys/kernel/livepatch');
  expect(readLivepatches(host.roots)).toEqual([]);
});

test('livepatchModules finds modules whose livepatch is gone, by taint K', () => {
  host = fakeHost({
    ...moduleFiles('left', 'bb'.repeat(20), 'OEK'),
    ...moduleFiles('ext4', 'cc'.repeat(20)),
    'proc/modules': moduleLine('left') + moduleLine('ext4', ''),
  });
  expect(livepatchModules(host.roots).map(({ name }) => name)).toEqual(['left']);
});

test('readModule: not loaded, built in, and notes that are damaged', () => {
  host = fakeHost({
    'sys/module/kernel/parameters/panic': '0\n',
    ...moduleFiles('odd', 'dd'.repeat(20)),
    'sys/module/odd/notes/.note.gnu.build-id': Uint8Array.of(4, 0, 0, 0, 255, 255),
  });
  expect(readModule(host.roots, 'nothing')).toBeUndefined();
  expect(readModule(host.roots, 'kernel')).toBeUndefined();
  expect(readModule(host.roots, 'odd')).toEqual({ name: 'odd', state: 'live', references: 1, taint: '' });
});
