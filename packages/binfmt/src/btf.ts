/**
 * Reads BTF, the kernel's compact type information (Documentation/bpf/btf.rst, include/uapi/linux/btf.h).
 *
 * ```
 *  header     magic 0xeb9f, version 1, then offsets and sizes of the two parts, counted from the header's end
 *  types      one after the other, numbered from 1 (0 is void): name, kind + count, size or type, then what the kind adds
 *  strings    NUL-ended; a name is an offset in here, 0 is ""
 * ```
 * The BTF of a module is split: its numbers and its strings go on where the kernel's end, and may refer to those.
 * A kernel has about 100,000 types: opening notes only where each begins; the rest is decoded when asked for.
 */
import { ByteReader } from './bytes.ts';
import { FormatError } from './format-error.ts';

export const BTF_KIND = {
  VOID: 0,
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

export interface BtfType {
  readonly id: number;
  readonly kind: number;
  readonly name: string;
  /** Bytes; for the kinds that have a size (INT, STRUCT, UNION, ENUM, ENUM64, FLOAT, DATASEC), else 0. */
  readonly size: number;
  /** The type referred to; for PTR, TYPEDEF, qualifiers, FUNC, FUNC_PROTO (its result), VAR and tags, else 0. */
  readonly type: number;
  /** How many members, parameters or values. */
  readonly count: number;
}

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  /** From the start of the structure. */
  readonly bitOffset: number;
  /** 0 unless it is a bit field. */
  readonly bitSize: number;
}

export interface BtfParameter {
  readonly name: string;
  readonly type: number;
}

export interface BtfArray {
  /** Of the elements. */
  readonly type: number;
  /** 0 for a flexible one. */
  readonly count: number;
}

export interface BtfValue {
  readonly name: string;
  /** As the type's signedness says. */
  readonly value: bigint;
}

const HEADER = 24;
/** The kernel takes names of up to KSYM_NAME_LEN, 512 (kernel/bpf/btf.c, __btf_name_valid); many types may share the end of a long one. */
const NAME_LIMIT = 1024;
const SIZED: ReadonlySet<number> = new Set([
  BTF_KIND.INT,
  BTF_KIND.STRUCT,
  BTF_KIND.UNION,
  BTF_KIND.ENUM,
  BTF_KIND.ENUM64,
  BTF_KIND.FLOAT,
  BTF_KIND.DATASEC,
]);

/**
 * Opens BTF. Throws FormatError (`btf-*`, `truncated`).
 * @param base the kernel's, for that of a module
 */
export function readBtf(bytes: Uint8Array, base?: Btf): Btf {
  const reader = new ByteReader(bytes, 'BTF');
  if (reader.u16(0) !== 0xeb9f)
    throw new FormatError('btf-magic', 'Not little-endian BTF: it does not begin with 9f eb', 0);
  if (reader.u8(2) !== 1) throw new FormatError('btf-version', `BTF version ${reader.u8(2)}; 1 expected`, 2);
  const headerSize = reader.u32(4);
  if (headerSize < HEADER)
    throw new FormatError('btf-header', `BTF header of ${headerSize} bytes; at least ${HEADER} expected`, 4);
  const types = reader.slice(headerSize + reader.u32(8), reader.u32(12));
  const strings = reader.slice(headerSize + reader.u32(16), reader.u32(20));
  return new Btf(types, strings, base);
}

export class Btf {
  readonly #types: ByteReader;
  readonly #strings: ByteReader;
  /** Where type i+1 begins. */
  readonly #starts: Uint32Array;
  readonly #base: Btf | undefined;
  readonly #names = new Map<number, ReadonlyMap<string, readonly number[]>>();

  constructor(types: Uint8Array, strings: Uint8Array, base?: Btf) {
    this.#base = base;
    this.#types = new ByteReader(types, 'BTF types');
    this.#strings = new ByteReader(strings, 'BTF strings');
    const starts: number[] = [];
    for (let at = 0; at < types.length; ) {
      starts.push(at);
      at += 12 + this.#extra(at);
    }
    if (types.length > 0) this.#types.need(starts.at(-1)!, 12 + this.#extra(starts.at(-1)!));
    this.#starts = Uint32Array.from(starts);
  }

  /** Number of types, void not counted, those of the base included; they have the ids 1 … count. */
  get count(): number {
    return this.#first + this.#starts.length;
  }

  /** Types of the base come first. */
  get #first(): number {
    return this.#base?.count ?? 0;
  }

  /** Bytes of strings that come first. */
  get #baseStrings(): number {
    return this.#base === undefined ? 0 : this.#base.#baseStrings + this.#base.#strings.length;
  }

  /** Type by id; 0 is void. Throws FormatError (`btf-id`) when there is none. */
  type(id: number): BtfType {
    if (id === 0) return { id, kind: BTF_KIND.VOID, name: '', size: 0, type: 0, count: 0 };
    if (id <= this.#first) return this.#base!.type(id);
    const at = this.#start(id);
    const kind = this.#kind(at);
    const last = this.#types.u32(at + 8);
    const sized = SIZED.has(kind);
    return {
      id,
      kind,
      name: this.#string(this.#types.u32(at)),
      size: sized ? last : 0,
      type: sized ? 0 : last,
      count: this.#types.u32(at + 4) & 0xffff,
    };
  }

  /** Ids of the types of that kind (see `BTF_KIND`) and name, those of the base left out; names of static functions and local structures may repeat. */
  named(kind: number, name: string): readonly number[] {
    return this.names(kind).get(name) ?? [];
  }

  /** Names of one kind and their ids, those of the base left out; made once per kind. */
  names(kind: number): ReadonlyMap<string, readonly number[]> {
    const known = this.#names.get(kind);
    if (known !== undefined) return known;
    const names = new Map<string, number[]>();
    this.#starts.forEach((at, index) => {
      if (this.#kind(at) !== kind) return;
      const name = this.#string(this.#types.u32(at));
      const ids = names.get(name);
      if (ids === undefined) names.set(name, [this.#first + index + 1]);
      else ids.push(this.#first + index + 1);
    });
    this.#names.set(kind, names);
    return names;
  }

  /** Members of a STRUCT or UNION, in order. Throws FormatError (`btf-kind`) for other kinds. */
  members(id: number): BtfMember[] {
    if (id <= this.#first && id > 0) return this.#base!.members(id);
    const at = this.#expect(id, BTF_KIND.STRUCT, BTF_KIND.UNION);
    // with kind_flag the offset word holds the bit field's size in its top byte
    const flagged = this.#types.u32(at + 4) >>> 31 === 1;
    return this.#each(at, 12, (entry) => {
      const offset = this.#types.u32(entry + 8);
      return {
        name: this.#string(this.#types.u32(entry)),
        type: this.#types.u32(entry + 4),
        bitOffset: flagged ? offset & 0xffffff : offset,
        bitSize: flagged ? offset >>> 24 : 0,
      };
    });
  }

  /** Parameters of a FUNC_PROTO, in order; a last one without name and type stands for `...`. */
  parameters(id: number): BtfParameter[] {
    if (id <= this.#first && id > 0) return this.#base!.parameters(id);
    const at = this.#expect(id, BTF_KIND.FUNC_PROTO);
    return this.#each(at, 8, (entry) => ({
      name: this.#string(this.#types.u32(entry)),
      type: this.#types.u32(entry + 4),
    }));
  }

  /** Whether a FWD stands for a union; otherwise for a structure. Throws FormatError (`btf-kind`) for other kinds. */
  isUnion(id: number): boolean {
    if (id <= this.#first && id > 0) return this.#base!.isUnion(id);
    return this.#types.u32(this.#expect(id, BTF_KIND.FWD) + 4) >>> 31 === 1;
  }

  /** What an ARRAY is made of. Throws FormatError (`btf-kind`) for other kinds. */
  array(id: number): BtfArray {
    if (id <= this.#first && id > 0) return this.#base!.array(id);
    const at = this.#expect(id, BTF_KIND.ARRAY);
    return { type: this.#types.u32(at + 12), count: this.#types.u32(at + 20) };
  }

  /** Values of an ENUM or ENUM64, in order. Throws FormatError (`btf-kind`) for other kinds. */
  values(id: number): BtfValue[] {
    if (id <= this.#first && id > 0) return this.#base!.values(id);
    const at = this.#expect(id, BTF_KIND.ENUM, BTF_KIND.ENUM64);
    const wide = this.#kind(at) === BTF_KIND.ENUM64;
    // kind_flag: signed; before Linux 6.0 (6089fb325cf7) nobody set it, and 32-bit values were signed
    const signed = !wide || this.#types.u32(at + 4) >>> 31 === 1;
    return this.#each(at, wide ? 12 : 8, (entry) => {
      const low = BigInt(this.#types.u32(entry + 4));
      const value = wide ? (BigInt(this.#types.u32(entry + 8)) << 32n) | low : low;
      return {
        name: this.#string(this.#types.u32(entry)),
        value: signed ? BigInt.asIntN(wide ? 64 : 32, value) : value,
      };
    });
  }

  #each<T>(at: number, size: number, decode: (entry: number) => T): T[] {
    return Array.from({ length: this.#types.u32(at + 4) & 0xffff }, (_, i) => decode(at + 12 + i * size));
  }

  #expect(id: number, ...kinds: number[]): number {
    const at = this.#start(id);
    const kind = this.#kind(at);
    if (!kinds.includes(kind))
      throw new FormatError('btf-kind', `BTF type ${id} is of kind ${kind}; ${kinds.join(' or ')} expected`, at);
    return at;
  }

  #start(id: number): number {
    const at = this.#starts[id - 1 - this.#first];
    if (at === undefined) throw new FormatError('btf-id', `BTF has no type ${id}; the last one is ${this.count}`);
    return at;
  }

  #kind(at: number): number {
    return (this.#types.u32(at + 4) >>> 24) & 0x1f;
  }

  #string(offset: number): string {
    const own = offset - this.#baseStrings;
    return own < 0 ? this.#base!.#string(offset) : this.#strings.string(own, NAME_LIMIT);
  }

  /** Bytes that follow the three common words. */
  #extra(at: number): number {
    const count = this.#types.u32(at + 4) & 0xffff;
    const kind = this.#kind(at);
    switch (kind) {
      case BTF_KIND.INT:
      case BTF_KIND.VAR:
      case BTF_KIND.DECL_TAG:
        return 4;
      case BTF_KIND.ARRAY:
        return 12;
      case BTF_KIND.STRUCT:
      case BTF_KIND.UNION:
      case BTF_KIND.DATASEC:
      case BTF_KIND.ENUM64:
        return count * 12;
      case BTF_KIND.ENUM:
      case BTF_KIND.FUNC_PROTO:
        return count * 8;
      case BTF_KIND.PTR:
      case BTF_KIND.FWD:
      case BTF_KIND.TYPEDEF:
      case BTF_KIND.VOLATILE:
      case BTF_KIND.CONST:
      case BTF_KIND.RESTRICT:
      case BTF_KIND.FUNC:
      case BTF_KIND.FLOAT:
      case BTF_KIND.TYPE_TAG:
        return 0;
      default:
        throw new FormatError('btf-unknown-kind', `BTF has a type of kind ${kind}, which is not known`, at);
    }
  }
}
