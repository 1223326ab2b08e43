/**
 * Types of rebuilt units against those of the running kernel, which come from its own BTF and that of its modules. Provenance proves code; a
 * type that code says nothing about (another structure of the same use, a field that nobody touches) shows here.
 */
import { type Btf, readBtf } from '@livegraft/binfmt/btf';
import { readElf, sectionNamed } from '@livegraft/binfmt/elf/read';
import { FormatError } from '@livegraft/binfmt/format-error';
import { type Diagnostic, LivegraftError } from '../../diagnostics/diagnostic.ts';
import { moduleCorrupt } from '../../diagnostics/kernel.ts';
import * as say from '../../diagnostics/review-types.ts';
import type { KernelImage } from '../../kernel/image.ts';
import { readModule } from '../../kernel/modules.ts';
import type { Kernel } from '../../kernel/types.ts';
import type { ReviewSubject } from '../subject.ts';
import { compareLayouts, type Layout, layoutsNamed, layoutsOf } from './layout.ts';
import { sideBySide } from './side-by-side.ts';

/** Of several units that share a type the first tells it. */
export async function reviewShipped({
  kernel,
  image,
  units,
}: Pick<ReviewSubject, 'kernel' | 'image' | 'units'>): Promise<Diagnostic[]> {
  const found = new Map<string, Diagnostic>();
  for (const { source, types, space } of units) {
    const shipped = types === undefined ? undefined : await shippedTypes(kernel, image, space.own.name);
    if (types === undefined || shipped === undefined) continue;
    for (const { rebuilt, shipped: other } of mismatches(types.original, shipped)) {
      const { kind, name } = rebuilt;
      const key = `${kind} ${name}`;
      const fields = bothSides(rebuilt, other);
      if (!found.has(key))
        found.set(key, say.typeNotShipped({ unit: source, kind, name, object: space.own.name, fields }));
    }
  }
  return [...found.values()];
}

/** Where a unit of the object can have its types from; undefined where that is not known. */
async function shippedTypes(kernel: Kernel, image: KernelImage, object: string): Promise<Btf[] | undefined> {
  if (image.section('.BTF') === undefined) return undefined;
  if (object === 'vmlinux') return [image.btf];
  try {
    const section = sectionNamed(readElf(await readModule(kernel, object)), '.BTF');
    // without it a type of the module would be taken for another of its name
    return section === undefined ? undefined : [readBtf(section.data, image.btf), image.btf];
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new LivegraftError(moduleCorrupt({ path: `${object}.ko of ${kernel.name}`, problem: error.message }));
  }
}

interface Mismatch {
  readonly rebuilt: Layout;
  readonly shipped: Layout;
}

/**
 * @param shipped what the unit may have its types from: its module's BTF, the kernel's
 * @returns types of which the kernel has some of that name, and none like it. One that it has not at all is no mismatch: pahole leaves types out.
 */
export function mismatches(unit: Btf, shipped: readonly Btf[]): Mismatch[] {
  return [...layoutsOf(unit).values()].flatMap((layouts) =>
    layouts.flatMap((rebuilt): Mismatch[] => {
      const others = shipped
        .flatMap((btf) => layoutsNamed(btf, rebuilt.name))
        .filter(({ kind }) => kind === rebuilt.kind);
      const [first] = others;
      if (first === undefined || others.some((other) => isAlike(rebuilt, other))) return [];
      return [{ rebuilt, shipped: first }];
    }),
  );
}

function bothSides(rebuilt: Layout, shipped: Layout): string[] {
  if (rebuilt.kind !== 'enum')
    return sideBySide(rebuilt, shipped, compareLayouts(rebuilt, shipped), ['rebuilt', 'shipped']);
  const list = ({ values }: Layout): string => values.map(({ name, value }) => `${name} ${value}`).join(', ');
  return [`rebuilt: ${list(rebuilt)}`, `shipped: ${list(shipped)}`];
}

function isAlike(one: Layout, other: Layout): boolean {
  if (one.kind !== 'enum') return compareLayouts(one, other).length === 0;
  // ENUM64 and ENUM, signed or not: encoders differ
  const bits = Math.max(one.size, other.size) * 8;
  const plain = ({ values }: Layout): string =>
    values.map(({ name, value }) => `${name} ${BigInt.asUintN(bits, value)}`).join();
  return plain(one) === plain(other);
}
