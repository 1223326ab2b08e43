import { expect, test } from 'vitest';
import type { Cause } from '../../objdiff/explain/cause.ts';
import { sourceOf } from './source.ts';

interface Text {
  readonly original: string;
  readonly patched: string;
}

/** Pairs as `kind name: before → after`, each side as FILE:LINE and its lines. */
function shown(unit: Text, name: string, causes: readonly Cause[] = [], more: Readonly<Record<string, Text>> = {}) {
  const files = new Map(
    Object.entries({ 'a.c': unit, ...more }).map(([path, text]) => [path, { path, ...text, marked: text.patched }]),
  );
  return sourceOf({ source: 'a.c', text: unit }, files, name, causes).map((pair) => {
    const side = (one: typeof pair.before): string =>
      one === undefined ? 'none' : `${one.file}:${one.line} ${one.lines.join('|')}`;
    return `${pair.kind} ${pair.name}: ${side(pair.before)} → ${side(pair.after)}`;
  });
}

const f = (body: string): string => `int f(void)\n{\n\treturn ${body};\n}\n`;
const at = (file: string, line: number): Cause => ({ kind: 'source', file, line });

test('sourceOf: the function on both sides, each by its own lines', () => {
  const unit = { original: `int x;\n${f('1')}`, patched: `int x;\nint y;\n${f('2')}` };
  expect(shown(unit, 'f', [at('a.c', 5)])).toEqual([
    'function f: a.c:2 int f(void)|{|\treturn 1;|} → a.c:3 int f(void)|{|\treturn 2;|}',
  ]);
});

test('sourceOf: a clone is its function; the comment right above belongs to it, one further up does not', () => {
  const commented = (gap: string) => `int x;\n/*\n * Says one.\n */\n${gap}${f('1')}`;
  expect(shown({ original: commented(''), patched: commented('') }, 'f.isra.0')).toEqual([
    expect.stringMatching(/^function f: a\.c:2 \/\*\| \* Says one\.\| \*\/\|int f\(void\)\|.* → a\.c:2 /),
  ]);
  expect(shown({ original: commented('\n'), patched: commented('\n') }, 'f')).toEqual([
    expect.stringMatching(/^function f: a\.c:6 int f\(void\)\|.* → a\.c:6 /),
  ]);
});

test('sourceOf: with the changed line that is the reason, where it stands elsewhere', () => {
  const unit = { original: f('ONE'), patched: f('ONE') };
  const header = { original: '#define ONE 1\n', patched: '#define ZERO 0\n#define ONE 2\n' };
  const causes: Cause[] = [{ kind: 'macro', name: 'ONE' }, at('a.h', 2)];
  expect(shown(unit, 'f', causes, { 'a.h': header })).toEqual([
    'function f: a.c:1 int f(void)|{|\treturn ONE;|} → a.c:1 int f(void)|{|\treturn ONE;|}',
    'macro ONE: a.h:1 #define ONE 1 → a.h:2 #define ONE 2',
  ]);
});

test('sourceOf: what is gone is found in the original', () => {
  const unit = { original: `int g(void)\n{\n\treturn 3;\n}\n${f('g()')}`, patched: f('3') };
  expect(shown(unit, 'f', [{ kind: 'inlined', name: 'g' }, { ...at('a.c', 3), gone: true } as Cause])).toEqual([
    'function f: a.c:5 int f(void)|{|\treturn g();|} → a.c:1 int f(void)|{|\treturn 3;|}',
    'function g: a.c:1 int g(void)|{|\treturn 3;|} → none',
  ]);
});

test('sourceOf: nothing for what a macro made, nor for a line in a file that the patch leaves alone', () => {
  const unit = { original: 'DEFINE_SHOW(f)\n', patched: 'DEFINE_SHOW(f)\n' };
  expect(shown(unit, 'f_show', [at('other.h', 1)])).toEqual([]);
});
