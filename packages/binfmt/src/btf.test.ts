import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BTF_KIND, readBtf } from './btf.ts';
import { FormatError } from './format-error.ts';

/** struct point { int x; unsigned flag : 3; }; int move(struct point *p, ...); */
function sample(): Uint8Array {
  const strings = '\0int\0point\0x\0flag\0move\0p\0';
  const name = (text: string): number => strings.indexOf(`\0${text}\0`) + 1;
  const head = (text: string, kind: number, count: number, last: number, flag = 0): number[] => [
    text === '' ? 0 : name(text),
    ((flag << 31) | (kind << 24) | count) >>> 0,
    last,
  ];
  const types = [
    [...head('int', BTF_KIND.INT, 0, 4), 0x01000020],
    [...head('point', BTF_KIND.STRUCT, 2, 8, 1), name('x'), 1, 0, name('flag'), 1, ((3 << 24) | 32) >>> 0],
    head('', BTF_KIND.PTR, 0, 2),
    [...head('', BTF_KIND.FUNC_PROTO, 2, 1), name('p'), 3, 0, 0],
    head('move', BTF_KIND.FUNC, 0, 4),
  ].flat();
  const header = [0x0001eb9f, 24, 0, types.length * 4, types.length * 4, strings.length];
  return Uint8Array.from([
    ...new Uint8Array(Uint32Array.from([...header, ...types]).buffer),
    ...Buffer.from(strings, 'latin1'),
  ]);
}

describe('readBtf', () => {
  test('types by id, kind and name', () => {
    const btf = readBtf(sample());
    expect(btf.count).toBe(5);
    expect(btf.type(0).kind).toBe(BTF_KIND.VOID);
    expect(btf.type(2)).toEqual({ id: 2, kind: BTF_KIND.STRUCT, name: 'point', size: 8, type: 0, count: 2 });
    expect(btf.named(BTF_KIND.FUNC, 'move')).toEqual([5]);
    expect(btf.named(BTF_KIND.STRUCT, 'move')).toEqual([]);
    expect([...btf.names(BTF_KIND.FUNC).keys()]).toEqual(['move']);
  });

  test('members with bit fields, parameters', () => {
    const btf = readBtf(sample());
    expect(btf.members(2)).toEqual([
      { name: 'x', type: 1, bitOffset: 0, bitSize: 0 },
      { name: 'flag', type: 1, bitOffset: 32, bitSize: 3 },
    ]);
    expect(btf.parameters(4)).toEqual([
      { name: 'p', type: 3 },
      { name: '', type: 0 },
    ]);
    expect(() => btf.members(1)).toThrow(expect.objectContaining({ code: 'btf-kind' }));
    expect(() => btf.type(6)).toThrow(expect.objectContaining({ code: 'btf-id' }));
  });

  test('a name longer than any that the kernel takes is refused: many types may share it', () => {
    const bytes = sample();
    const long = Buffer.concat([bytes, Buffer.from(`${'x'.repeat(2000)}\0`)]);
    const view = new DataView(long.buffer, long.byteOffset, long.length);
    const strings = view.getUint32(20, true);
    view.setUint32(20, strings + 2001, true);
    view.setUint32(24, strings, true);
    expect(() => readBtf(long).type(1)).toThrow(expect.objectContaining({ code: 'unterminated' }));
    view.setUint32(24, strings + 1500, true);
    expect(readBtf(long).type(1).name).toHaveLength(500);
  });

  test('split: numbers and strings go on where the base ends', () => {
    const base = readBtf(sample());
    const own = '\0inode\0';
    const strings = Buffer.from('\0int\0point\0x\0flag\0move\0p\0').length;
    // struct inode { struct point x; }; a pointer to it
    const types = [strings + 1, ((BTF_KIND.STRUCT << 24) | 1) >>> 0, 8, 11, 2, 0, 0, (BTF_KIND.PTR << 24) >>> 0, 6];
    const header = [0x0001eb9f, 24, 0, types.length * 4, types.length * 4, own.length];
    const split = readBtf(
      Uint8Array.from([...new Uint8Array(Uint32Array.from([...header, ...types]).buffer), ...Buffer.from(own)]),
      base,
    );
    expect(split.count).toBe(7);
    expect(split.named(BTF_KIND.STRUCT, 'inode')).toEqual([6]);
    expect(split.named(BTF_KIND.STRUCT, 'point')).toEqual([]);
    expect(split.members(6)).toEqual([{ name: 'x', type: 2, bitOffset: 0, bitSize: 0 }]);
    expect(split.type(7).type).toBe(6);
    expect(split.type(2)).toEqual(base.type(2));
    expect(split.members(2)).toEqual(base.members(2));
    expect(() => split.type(8)).toThrow(expect.objectContaining({ code: 'btf-id' }));
  });

  test('cut anywhere: a FormatError', () => {
    const bytes = sample();
    for (let length = 0; length < bytes.length; length++)
      expect(() => readBtf(bytes.subarray(0, length))).toThrow(FormatError);
  });

  test('damaged anywhere: a FormatError or types, nothing else', () => {
    const bytes = sample();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = value;
        try {
          const btf = readBtf(damaged);
          for (let id = 1; id <= btf.count; id++) btf.type(id);
          for (const id of btf.named(BTF_KIND.STRUCT, 'point')) btf.members(id);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});
