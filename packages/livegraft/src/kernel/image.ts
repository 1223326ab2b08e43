/** A kernel's image as values: sections, symbols, code, types; what runs, read from what was shipped. */
import { readFile } from 'node:fs/promises';
import { type Btf, readBtf } from '@livegraft/binfmt/btf';
import { readBzImage } from '@livegraft/binfmt/bzimage';
import { SHF, SHT } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import { FormatError } from '@livegraft/binfmt/format-error';
import { type Anchor, type KernelSymbols, readKallsyms } from '@livegraft/binfmt/kallsyms';
import { buildIdOf, readNotes } from '@livegraft/binfmt/notes';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { addressOutside, imageCorrupt } from '../diagnostics/kernel.ts';
import { beginsWithEndbr } from '../support/endbr.ts';
import { writeFileWhole } from '../support/files.ts';
import { decompress } from './decompress.ts';
import { type ExportedSymbol, parseSymvers } from './symvers.ts';
import type { Kernel } from './types.ts';

/** Symbols that the linker script puts on a section's border (arch/x86/kernel/vmlinux.lds.S, include/asm-generic/vmlinux.lds.h). */
const BORDERS: readonly (readonly [symbol: string, section: string, edge: 'start' | 'end'])[] = [
  ['_text', '.text', 'start'],
  ['_etext', '.text', 'end'],
  ['__start_rodata', '.rodata', 'start'],
  ['__start___ksymtab', '__ksymtab', 'start'],
  ['__start___ex_table', '__ex_table', 'start'],
  ['__start_BTF', '.BTF', 'start'],
  ['_sdata', '.data', 'start'],
  ['_sinittext', '.init.text', 'start'],
  ['__bss_start', '.bss', 'start'],
];

/** Reads the image of a kernel in the cache: 1 s for 66 MB. Throws `image-corrupt` (exit 4). */
export async function readImage(kernel: Kernel): Promise<KernelImage> {
  const bytes = await readFile(kernel.paths.vmlinux);
  return parseImage(bytes, kernel.paths.vmlinux, parseSymvers(await readFile(kernel.paths.symvers, 'utf8')));
}

/** The same for bytes at hand; `path` is for messages. */
export function parseImage(
  bytes: Uint8Array,
  path: string,
  exported: ReadonlyMap<string, ExportedSymbol>,
): KernelImage {
  try {
    const sections = readElf(bytes).sections;
    return new KernelImage(sections, readSymbols(sections), exported);
  } catch (error) {
    throw asImageError(error, path);
  }
}

/**
 * Unpacks the vmlinux of a boot image into a file that appears whole.
 * @returns the version string of the boot header
 */
export async function extractVmlinux(vmlinuz: string, vmlinux: string, signal?: AbortSignal): Promise<string> {
  const corrupt = (problem: string): LivegraftError => new LivegraftError(imageCorrupt({ path: vmlinuz, problem }));
  const bytes = await readFile(vmlinuz);
  let boot: ReturnType<typeof readBzImage>;
  try {
    boot = readBzImage(bytes);
  } catch (error) {
    throw asImageError(error, vmlinuz);
  }
  const unpacked = await decompress(boot.compressed, boot.compression, corrupt, signal);
  if (unpacked.length !== boot.unpackedSize) {
    throw corrupt(`its payload unpacks to ${unpacked.length} bytes; the header says ${boot.unpackedSize}`);
  }
  await writeFileWhole(vmlinux, unpacked);
  return boot.version;
}

export class KernelImage {
  readonly sections: readonly ElfSection[];
  readonly symbols: KernelSymbols;
  /** By name, from Module.symvers: the kernel's and the shipped modules'. */
  readonly exports: ReadonlyMap<string, ExportedSymbol>;
  /** Places that boot hands to ftrace: where `call __fentry__` stands. With IBT that is four bytes into the function; see `ftraceEntry`. */
  readonly mcount: ReadonlySet<bigint>;
  readonly #byAddress: readonly ElfSection[];
  #btf: Btf | undefined;

  constructor(sections: readonly ElfSection[], symbols: KernelSymbols, exported: ReadonlyMap<string, ExportedSymbol>) {
    this.sections = sections;
    this.symbols = symbols;
    this.exports = exported;
    this.#byAddress = sections
      .filter(({ flags, size, type }) => (flags & SHF.ALLOC) !== 0 && size > 0 && type !== SHT.NULL)
      .sort((a, b) => (a.address < b.address ? -1 : 1));
    this.mcount = this.#readMcount();
  }

  /** GNU build-id, lower-case hex. */
  get buildId(): string {
    const notes = this.section('.notes');
    const id = notes && buildIdOf(readNotes(notes.data));
    if (id === undefined) throw new FormatError('image-build-id', 'The image has no GNU build-id');
    return id;
  }

  /** `linux_banner`, without the newline. */
  get banner(): string {
    const [symbol] = this.symbols.named('linux_banner');
    const section = symbol && this.sectionAt(symbol.address);
    if (symbol === undefined || section === undefined)
      throw new FormatError('image-banner', 'The image has no linux_banner');
    const text = section.data.subarray(Number(symbol.address - section.address));
    return Buffer.from(text.subarray(0, text.indexOf(0)))
      .toString('latin1')
      .trimEnd();
  }

  /** The kernel's types. Throws FormatError when it was built without BTF. */
  get btf(): Btf {
    if (this.#btf !== undefined) return this.#btf;
    const section = this.section('.BTF');
    if (section === undefined) throw new FormatError('image-btf', 'The image has no .BTF section');
    this.#btf = readBtf(section.data);
    return this.#btf;
  }

  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** The section that holds an address, as linked (without KASLR). */
  sectionAt(address: bigint): ElfSection | undefined {
    return this.#byAddress.find(
      (section) => section.address <= address && address < section.address + BigInt(section.size),
    );
  }

  /** Bytes of the image as linked; zeros for .bss. Throws `address-outside` unless one section holds them all. */
  read(address: bigint, size: number): Uint8Array {
    const section = this.sectionAt(address);
    const offset = section === undefined ? 0 : Number(address - section.address);
    if (section === undefined || size < 0 || offset + size > section.size) {
      throw new LivegraftError(addressOutside({ address: `0x${address.toString(16)}`, size }));
    }
    return section.type === SHT.NOBITS ? new Uint8Array(size) : section.data.subarray(offset, offset + size);
  }

  /** Where ftrace hooks the function that begins at `address`; undefined when it cannot be live-patched. */
  ftraceEntry(address: bigint): bigint | undefined {
    if (this.mcount.has(address)) return address;
    const afterEndbr = address + 4n;
    if (!this.mcount.has(afterEndbr)) return undefined;
    return beginsWithEndbr(this.read(address, 4)) ? afterEndbr : undefined;
  }

  #readMcount(): ReadonlySet<bigint> {
    const [start] = this.symbols.named('__start_mcount_loc');
    const [stop] = this.symbols.named('__stop_mcount_loc');
    if (start === undefined || stop === undefined || stop.address === start.address) return new Set();
    if (this.sectionAt(start.address)?.type === SHT.NOBITS)
      throw new FormatError(
        'image-mcount',
        `__start_mcount_loc is 0x${start.address.toString(16)}, in a section without bytes`,
      );
    // a copy: BigUint64Array needs its bytes aligned; not slice(), which for a Buffer is no copy
    const bytes = Uint8Array.from(this.read(start.address, Number(stop.address - start.address)));
    // entries of overridden weak functions are zeroed by the build since 6.15
    return new Set([...new BigUint64Array(bytes.buffer, 0, bytes.length >> 3)].filter((address) => address !== 0n));
  }
}

function readSymbols(sections: readonly ElfSection[]): KernelSymbols {
  const rodata = sections.find(({ name }) => name === '.rodata');
  if (rodata === undefined) throw new FormatError('image-rodata', 'The image has no .rodata section');
  const anchors = BORDERS.flatMap(([name, sectionName, edge]): Anchor[] => {
    const section = sections.find((candidate) => candidate.name === sectionName);
    return section === undefined
      ? []
      : [{ name, address: section.address + (edge === 'end' ? BigInt(section.size) : 0n) }];
  });
  return readKallsyms(rodata.data, rodata.address, anchors);
}

function asImageError(error: unknown, path: string): unknown {
  return error instanceof FormatError ? new LivegraftError(imageCorrupt({ path, problem: error.message })) : error;
}
