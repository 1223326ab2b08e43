/** A minimal ELF64 file for tests: sections with content, no symbols. */
import { SHF, SHT } from '@livegraft/binfmt/elf/constants';

export interface TestSection {
  readonly name: string;
  readonly data: Uint8Array;
  readonly address?: bigint;
  readonly type?: number;
  /** Size of a section without content (SHT_NOBITS). */
  readonly size?: number;
}

export function buildElf(content: readonly TestSection[]): Uint8Array {
  const names = `\0${[...content.map(({ name }) => name), '.shstrtab'].join('\0')}\0`;
  const sections: TestSection[] = [{ name: '', data: new Uint8Array(0), type: SHT.NULL }, ...content];
  sections.push({ name: '.shstrtab', data: Buffer.from(names), type: SHT.STRTAB });
  const offsets: number[] = [];
  let at = 64;
  for (const { data } of sections) {
    offsets.push(at);
    at += Math.ceil(data.length / 16) * 16;
  }
  const bytes = new Uint8Array(at + sections.length * 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(40, BigInt(at), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, sections.length, true);
  view.setUint16(62, sections.length - 1, true);
  sections.forEach(({ name, data, address, type, size }, i) => {
    bytes.set(data, offsets[i]!);
    const header = at + i * 64;
    view.setUint32(header, name === '' ? 0 : names.indexOf(`\0${name}\0`) + 1, true);
    view.setUint32(header + 4, type ?? SHT.PROGBITS, true);
    view.setBigUint64(header + 8, BigInt(address === undefined ? 0 : SHF.ALLOC), true);
    view.setBigUint64(header + 16, address ?? 0n, true);
    view.setBigUint64(header + 24, BigInt(offsets[i]!), true);
    view.setBigUint64(header + 32, BigInt(size ?? data.length), true);
  });
  return bytes;
}
