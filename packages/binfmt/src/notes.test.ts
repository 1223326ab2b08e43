import { describe, expect, test } from 'vitest';
import { FormatError } from './format-error.ts';
import { buildIdOf, readNotes } from './notes.ts';

function note(name: string, type: number, description: readonly number[]): number[] {
  const text = [...Buffer.from(`${name}\0`)];
  const padded = (bytes: readonly number[]): number[] => [
    ...bytes,
    ...Array.from({ length: -bytes.length & 3 }, () => 0),
  ];
  const words = new Uint8Array(Uint32Array.of(text.length, description.length, type).buffer);
  return [...words, ...padded(text), ...padded(description)];
}

describe('readNotes', () => {
  const bytes = Uint8Array.from([
    ...note('Xen', 6, [1]),
    ...note('Xen', 3, [2, 2]),
    ...note('GNU', 3, [0xde, 0xad, 0x0b, 0xef, 0x01]),
  ]);

  test('every note in order; the build-id is the GNU one of type 3', () => {
    expect(readNotes(bytes).map(({ name, type }) => `${name} ${type}`)).toEqual(['Xen 6', 'Xen 3', 'GNU 3']);
    expect(buildIdOf(readNotes(bytes))).toBe('dead0bef01');
    expect(buildIdOf(readNotes(Uint8Array.from(note('Xen', 3, [1]))))).toBeUndefined();
  });

  test('cut inside a note: a FormatError', () => {
    const single = Uint8Array.from(note('GNU', 3, [1, 2, 3, 4]));
    for (let length = 1; length < single.length; length++)
      expect(() => readNotes(single.subarray(0, length))).toThrow(FormatError);
  });
});
