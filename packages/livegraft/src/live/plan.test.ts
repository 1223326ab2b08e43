import { expect, test } from 'vitest';
import type { Livepatch } from '../host/livepatch.ts';
import { asLivepatch, planLoad } from './plan.ts';
import { testBundle } from './testing/bundle.ts';

const fn = { unit: 'fs/x.c', oldSize: 1, newSize: 1, why: 'changed', provenance: 'equal' } as const;
function manifest(name: string, functions: readonly string[], replace = false) {
  const parsed = functions.map((each) => {
    const [object, rest] = each.split('/');
    const [symbol, position] = rest!.split(',');
    return { ...fn, object: object!, name: symbol!, sympos: Number(position ?? 0) };
  });
  return testBundle({ name, functions: parsed, replace }).manifest;
}
const livepatch = (name: string, ...functions: string[]): Livepatch => asLivepatch(manifest(name, functions));

function rows(...args: Parameters<typeof planLoad>): string[] {
  return planLoad(...args).functions.map(
    ({ object, name, position, now, loaded, reverted }) =>
      `${object}/${name},${position}: ${now} → ${loaded} → ${reverted}`,
  );
}

test('a livepatch beside others, and one over another', () => {
  const before = [livepatch('one', 'vmlinux/f', 'ext4/g')];
  expect(rows(before, [manifest('two', ['vmlinux/h,2'])])).toEqual([
    'vmlinux/f,1: one → one → one',
    'ext4/g,1: one → one → one',
    'vmlinux/h,2: null → two → null',
  ]);
  expect(planLoad(before, [manifest('two', ['vmlinux/h'])]).livepatches).toEqual([{ name: 'one', fate: 'stays' }]);
  const over = [manifest('two', ['vmlinux/f'])];
  expect(rows(before, over)).toEqual(['vmlinux/f,1: one → two → one', 'ext4/g,1: one → one → one']);
  expect(planLoad(before, over).livepatches).toEqual([{ name: 'one', fate: 'covered' }]);
});

test('atomic replace sweeps away what is loaded, and a revert does not bring it back', () => {
  const before = [livepatch('one', 'vmlinux/f', 'vmlinux/g')];
  const plan = [manifest('two', ['vmlinux/f'], true)];
  expect(rows(before, plan)).toEqual(['vmlinux/f,1: one → two → null', 'vmlinux/g,1: one → null → null']);
  expect(planLoad(before, plan).livepatches).toEqual([{ name: 'one', fate: 'replaced' }]);
});

test('several bundles, one after the other', () => {
  expect(rows([], [manifest('one', ['vmlinux/f']), manifest('two', ['vmlinux/f', 'vmlinux/g'])])).toEqual([
    'vmlinux/f,1: null → two → null',
    'vmlinux/g,1: null → two → null',
  ]);
  expect(rows([], [manifest('one', ['vmlinux/f']), manifest('two', ['vmlinux/g'], true)])).toEqual([
    'vmlinux/f,1: null → null → null',
    'vmlinux/g,1: null → two → null',
  ]);
});

test('one that is being taken back does not count as running', () => {
  const leaving: Livepatch = {
    ...livepatch('one', 'vmlinux/f'),
    state: 'disabling',
    enabled: false,
    inTransition: true,
  };
  expect(rows([leaving], [manifest('two', ['vmlinux/f'])])).toEqual(['vmlinux/f,1: null → two → null']);
  expect(planLoad([leaving], []).livepatches).toEqual([{ name: 'one', fate: 'leaving' }]);
});

test('an earlier version of the same name, replaced, is not taken for the new one', () => {
  const plan = planLoad([livepatch('fix', 'vmlinux/f')], [manifest('fix', ['vmlinux/f'], true)]);
  expect(plan.livepatches).toEqual([{ name: 'fix', fate: 'replaced' }]);
});
