/** Damage to text: lines and words in the wrong place, numbers that are too large, lines without end. */
import type { Mutator } from './bytes.ts';
import type { Random } from './random.ts';

type LineMutator = (lines: string[], random: Random, others: readonly string[][]) => void;

const onLines =
  (change: LineMutator): Mutator =>
  (bytes, random, others) => {
    const lines = textOf(bytes).split('\n');
    change(
      lines,
      random,
      others.map((other) => textOf(other).split('\n')),
    );
    return Buffer.from(lines.join('\n'), 'latin1');
  };

const dropLine = onLines((lines, random) => {
  lines.splice(random.below(lines.length), 1 + random.below(3));
});

const repeatLine = onLines((lines, random) => {
  const from = random.below(lines.length);
  lines.splice(random.below(lines.length + 1), 0, ...lines.slice(from, from + 1 + random.below(5)));
});

const otherLine = onLines((lines, random, others) => {
  const source = others.length === 0 ? lines : random.pick(others);
  lines.splice(random.below(lines.length + 1), random.below(2), source[random.below(source.length)] ?? '');
});

const changeNumber = onLines((lines, random) => {
  const withNumber = lines.flatMap((line, i) => (/\d/.test(line) ? [i] : []));
  if (withNumber.length === 0) return;
  const at = random.pick(withNumber);
  const numbers = [...lines[at]!.matchAll(/\d+/g)];
  const { 0: old, index } = random.pick(numbers);
  const values = [
    '0',
    '1',
    '-1',
    String(Number(old) + 1),
    String(Number(old) - 1),
    '99999999',
    '999999999',
    '1e9',
    '18446744073709551616',
    '9'.repeat(40),
    '007',
  ];
  lines[at] = lines[at]!.slice(0, index) + random.pick(values) + lines[at]!.slice(index + old.length);
});

const oddCharacter = onLines((lines, random) => {
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  const where = random.below(line.length + 1);
  const odd = random.pick([
    '\0',
    '\r',
    '\t',
    ' ',
    '"',
    "'",
    '\\',
    '\\\\',
    '$',
    '`',
    ';',
    '/',
    '../',
    '{',
    '}',
    '(',
    ')',
    '[',
    ']',
    '%',
    '#',
    '/*',
    '*/',
    '\n',
    '\xff',
    '\xc3',
    '-',
    '+',
    '@@',
    '=',
  ] as const);
  lines[at] = line.slice(0, where) + odd + line.slice(where + random.below(2));
});

const longLine = onLines((lines, random) => {
  const at = random.below(lines.length);
  const unit = random.pick([
    'a',
    ' ',
    '(',
    '{',
    '"',
    '\\',
    '\t',
    '0',
    '/',
    '=?utf-8?q?',
    '((',
    '\\\\',
    '#',
    'ab ',
    ' [',
    '<>',
  ]);
  lines[at] = (lines[at] ?? '') + unit.repeat(1 << (4 + random.below(13)));
});

/** What makes sense for text in lines. */
export const textMutators: Readonly<Record<string, Mutator>> = {
  dropLine,
  repeatLine,
  otherLine,
  changeNumber,
  oddCharacter,
  longLine,
};

/** One part of a JSON text becomes a value of another sort, goes away, or comes twice. */
export const jsonMutators: Readonly<Record<string, Mutator>> = {
  otherValue: (bytes, random) => {
    let root: unknown;
    try {
      root = JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch {
      return bytes;
    }
    const places: [Record<string, unknown>, string][] = [];
    const collect = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const key of Object.keys(value)) {
        places.push([value as Record<string, unknown>, key]);
        collect((value as Record<string, unknown>)[key]);
      }
    };
    collect(root);
    if (places.length === 0) return bytes;
    const [owner, key] = random.pick(places);
    const values: readonly unknown[] = [
      null,
      true,
      0,
      -1,
      1.5,
      1e308,
      '',
      '../x',
      'a\0b',
      '\ud800',
      [],
      {},
      [[]],
      'x'.repeat(5000),
    ];
    if (random.oneIn(5)) delete owner[key];
    else owner[key] = random.oneIn(5) ? random.pick(places)[0] : random.pick(values);
    try {
      return Buffer.from(JSON.stringify(root));
    } catch {
      // it contains itself now
      return bytes;
    }
  },
};

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
