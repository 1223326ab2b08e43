import { expect, test } from 'vitest';
import { exitPathOfModule, onExitPath } from './exit-path.ts';
import { type FakeHost, fakeHost } from './testing/fake-host.ts';

let host: FakeHost;

test('onExitPath names functions in which a dying task may be unseen', () => {
  host = fakeHost();
  expect(onExitPath(['pipe_read', 'do_exit', 'kthread_exit', 'do_exit_not'])).toEqual(['do_exit', 'kthread_exit']);
});

test('exitPathOfModule reads the symbols of that module alone', () => {
  host = fakeHost({
    'proc/kallsyms':
      'ffffffff81081690 T do_exit\nffffffffc0305000 t pipe_read\t[fix]\nffffffffc0305100 t do_exit\t[fix]\nffffffffc0306000 t get_signal\t[fix_2]\n',
  });
  expect(exitPathOfModule(host.roots, 'fix')).toEqual(['do_exit']);
  expect(exitPathOfModule(host.roots, 'other')).toEqual([]);
});
