/** Damaged inputs of every kind, from fixed seeds: each ends as a value or as an error with a code. `npm run fuzz` goes on without end. */
import { describe, expect, test } from 'vitest';
import { execute, prepare, reduce } from './execute.ts';
import { type Target, targets } from './targets.ts';

/** Starting a program for every execution, or a folder of files, takes its time. */
const slow: Readonly<Record<string, number>> = { apply: 15, bundle: 60, 'module-file': 60, diff: 100, link: 100 };

describe('damaged inputs', () => {
  test.each(targets.map((target) => [target.name, target] as const))('%s', async (name, target) => {
    const wholes = target.seeds();
    const found: string[] = [];
    for (let seed = 1; seed <= (slow[name] ?? 120); seed++) {
      const outcome = await execute(prepare(target, seed, wholes), 10_000);
      if (outcome.kind === 'finding') found.push(`--target ${name} --seed ${seed}: ${outcome.label}`);
    }
    expect(found).toEqual([]);
  });

  test.each(targets.map((target) => [target.name, target] as const))(
    'undamaged, %s takes the first',
    async (_, target) => {
      const [whole] = target.seeds();
      await expect(Promise.resolve(target.run(whole!, whole!))).resolves.not.toContain('reader');
    },
  );
});

/** A target that does what the test says. */
function stub(run: Target['run'], errors: Target['errors'] = 'livegraft'): Target {
  const mutators = { one: (bytes: Uint8Array) => Uint8Array.from(bytes).fill(1, 3, 9) };
  return { name: 'stub', takes: 'other', seeds: () => [new Uint8Array(16)], mutators, errors, run };
}

describe('execute', () => {
  const once = (target: Target, limit = 1000) => execute(prepare(target, 1, target.seeds()), limit);

  test('an error without a code is a finding', async () => {
    const target = stub(() => {
      throw new TypeError('x is not a function');
    });
    expect(await once(target)).toMatchObject({
      kind: 'finding',
      label: expect.stringContaining('TypeError: x is not'),
    });
  });

  test('a rejected promise is a finding, too', async () => {
    expect(await once(stub(() => Promise.reject(new RangeError('later'))))).toMatchObject({ kind: 'finding' });
  });

  test('work that does not end is stopped', async () => {
    const target = stub(() => {
      for (;;);
    });
    expect(await once(target, 50)).toMatchObject({ kind: 'finding', label: expect.stringContaining('too much time') });
  });

  test('memory that is held is a finding', async () => {
    const held: Uint8Array[] = [];
    const target = stub(() => {
      held.push(new Uint8Array(300 * 1024 * 1024));
      return 'value';
    });
    expect(await once(target)).toMatchObject({ kind: 'finding', label: expect.stringContaining('too much memory') });
  });

  test('the same seed damages in the same way', () => {
    const [target] = targets;
    const wholes = target!.seeds();
    expect(prepare(target!, 77, wholes)).toEqual(prepare(target!, 77, wholes));
    expect(prepare(target!, 77, wholes).input).not.toEqual(prepare(target!, 78, wholes).input);
  });
});

test('reduce puts back what does not matter', async () => {
  const target = stub((input) => {
    if (input[5] === 1) throw new Error('five');
    return 'value';
  });
  const execution = prepare(target, 1, target.seeds());
  const outcome = await execute(execution, 1000);
  const reduced = await reduce(execution, outcome.label, 1000);
  expect([...reduced.input].flatMap((byte, i) => (byte === 0 ? [] : [i]))).toEqual([5]);
});
