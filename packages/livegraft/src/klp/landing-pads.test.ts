import { SHF, SHT, STT } from '@livegraft/binfmt/elf/constants';
import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { ABS64, PC32, PLT32 } from '../objdiff/testing/object.ts';
import { extract } from './extract.ts';
import { sealPiece } from './landing-pads.ts';
import type { Piece, PieceRelocation } from './piece.ts';
import { type Lines, unitOf } from './testing.ts';

const endbr = [0xf3, 0x0f, 0x1e, 0xfa];

function code(name: string, bytes: readonly number[], relocations: PieceRelocation[] = []): Piece {
  return {
    section: '.text',
    type: SHT.PROGBITS,
    flags: SHF.ALLOC | SHF.EXECINSTR,
    align: 16,
    entsize: 0,
    size: bytes.length,
    bytes: Uint8Array.from(bytes),
    symbols: [{ name, offset: 0, size: bytes.length, type: STT.FUNC }],
    relocations,
  };
}
const table = (section: string, piece: Piece): Piece => ({
  ...code('', [0, 0, 0, 0, 0, 0, 0, 0]),
  section,
  flags: SHF.ALLOC,
  relocations: [{ offset: 0, type: ABS64, addend: 0, target: { kind: 'piece', piece } }],
});
const seals = (pieces: readonly Piece[]) =>
  (sealPiece(pieces)?.relocations ?? []).map(({ offset, target }) => [
    offset,
    target.kind === 'piece' ? target.piece.symbols[0]!.name : '',
  ]);

describe('sealPiece', () => {
  test('a function that is only called is sealed; one whose address is kept in data or in a register is not', () => {
    const called = code('called', [...endbr, 0xc3]);
    const jumped = code('jumped', [...endbr, 0xc3]);
    const kept = code('kept', [...endbr, 0xc3]);
    const loaded = code('loaded', [...endbr, 0xc3]);
    const bare = code('bare', [0xc3]);
    const to = (piece: Piece, offset: number, type: number): PieceRelocation => ({
      offset,
      type,
      addend: -4,
      target: { kind: 'piece', piece },
    });
    // call called; je jumped; lea loaded(%rip), %rdi; call bare
    const user = code(
      'user',
      [0xe8, 0, 0, 0, 0, 0x0f, 0x84, 0, 0, 0, 0, 0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0],
      [to(called, 1, PLT32), to(jumped, 7, PC32), to(loaded, 14, PC32), to(bare, 19, PLT32)],
    );
    const pieces = [called, jumped, kept, loaded, bare, user, table('.data', kept)];
    expect(seals(pieces)).toEqual([
      [0, 'called'],
      [4, 'jumped'],
    ]);
    expect(seals([...pieces, table('__mcount_loc', called), table('.rodata', jumped)])).toEqual([[0, 'called']]);
  });

  test('nothing to seal is no list', () => {
    expect(sealPiece([code('f', [0xc3])])).toBeUndefined();
  });
});

describe('an address that is newly taken', () => {
  const zeros = [0, 0, 0, 0];
  const lea = [0x48, 0x8d, 0x3d, ...zeros];
  const helper = (bytes: readonly number[]): Lines => ({
    '.text.helper': { flags: 'x', bytes: [...bytes, 0xc3], symbols: [{ name: 'helper', bind: 'global' }] },
    '.text.other': { flags: 'x', bytes: [...endbr, 0x90, 0xc3], symbols: [{ name: 'other', bind: 'global' }] },
  });
  const seal = (name: string) => ({
    '.ibt_endbr_seal': { bytes: zeros, relocations: [[0, PC32, name, 0]] as const },
  });
  const unit = (body: readonly number[], relocation: readonly [number, number, string, number]): Lines => ({
    '.text.f': {
      flags: 'x',
      bytes: [...body, 0xc3],
      symbols: [{ name: 'f', bind: 'global' }],
      relocations: [relocation],
    },
  });
  const calls = unit([0xe8, ...zeros], [1, PLT32, 'helper', -4]);
  const takes = unit(lea, [3, PC32, 'helper', -4]);

  async function findings(original: Lines, patched: Lines, kernel: Lines): Promise<string[]> {
    const shipped = { ...original, ...kernel };
    try {
      await extract([unitOf({ ...original }, { ...patched }, { shipped })]);
      return [];
    } catch (error) {
      if (!(error instanceof LivegraftError)) throw error;
      return error.diagnostics.map(({ code, message }) => `${code}: ${message}`);
    }
  }

  test('of a function whose landing pad the kernel seals is refused', async () => {
    const [found, ...more] = await findings(calls, takes, { ...helper(endbr), ...seal('helper') });
    expect(found).toMatch(
      /^landing-pad-missing: f newly takes the address of helper of vmlinux, which has its endbr64 over/,
    );
    expect(more).toEqual([]);
  });

  test('near misses: another function is sealed, the function is only called, the kernel has no IBT', async () => {
    expect(await findings(calls, takes, { ...helper(endbr), ...seal('other') })).toEqual([]);
    const calledTwice = unit([0x90, 0xe8, ...zeros], [2, PLT32, 'helper', -4]);
    expect(await findings(calls, calledTwice, { ...helper(endbr), ...seal('helper') })).toEqual([]);
    expect(await findings(calls, takes, helper([]))).toEqual([]);
  });

  test('of a function without a landing pad is refused, unless the original takes it as well', async () => {
    const [found] = await findings(calls, takes, { ...helper([]), ...seal('other') });
    expect(found).toContain('which does not begin with endbr64');
    const takesLater = unit([0x90, ...lea], [4, PC32, 'helper', -4]);
    expect(await findings(takes, takesLater, { ...helper([]), ...seal('other') })).toEqual([]);
  });
});
