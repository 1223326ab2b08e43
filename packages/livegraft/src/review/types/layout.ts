/** The layout of structures, unions and enums in memory, and where two sides differ in it: objects that exist keep the layout they were made with. */
import { BTF_KIND, type Btf } from '@livegraft/binfmt/btf';
import { declarationText, typeIdentity, typeText } from './type-text.ts';

export interface Layout {
  readonly kind: 'struct' | 'union' | 'enum';
  /** The tag; for one without a tag the typedef's name. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** In order of memory; those of members without a name or of a structure without a tag stand for themselves: `u.count`. */
  readonly fields: readonly Field[];
  /** Of an enum. */
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

export interface Field {
  readonly name: string;
  /** As C writes it. */
  readonly type: string;
  /** The same with the name in it. */
  readonly text: string;
  /** What must be equal for both sides to read and write it alike. */
  readonly identity: string;
  /** From the start of the whole. */
  readonly bitOffset: number;
  readonly bits: number;
}

export type LayoutChange =
  | { readonly what: 'size'; readonly before: number; readonly after: number }
  | { readonly what: 'added' | 'removed'; readonly field: Field }
  | { readonly what: 'moved' | 'retyped'; readonly before: Field; readonly after: Field }
  | { readonly what: 'value-added' | 'value-removed'; readonly name: string; readonly value: bigint }
  | { readonly what: 'value-changed'; readonly name: string; readonly before: bigint; readonly after: bigint };

export interface ChangedLayout {
  readonly before: Layout;
  readonly after: Layout;
  /** In order of memory. */
  readonly changes: readonly LayoutChange[];
}

/** All types of one name in a unit: several files of a kernel may each have their own `struct context`. */
export function layoutsOf(btf: Btf): ReadonlyMap<string, readonly Layout[]> {
  const found = new Map<string, Layout[]>();
  const kinds = [BTF_KIND.STRUCT, BTF_KIND.UNION, BTF_KIND.ENUM, BTF_KIND.ENUM64, BTF_KIND.TYPEDEF];
  for (const name of new Set(kinds.flatMap((kind) => [...btf.names(kind).keys()]))) {
    for (const layout of layoutsNamed(btf, name)) {
      const key = `${layout.kind} ${name}`;
      found.set(key, [...(found.get(key) ?? []), layout]);
    }
  }
  return found;
}

/** Types whose tag or, without a tag, whose typedef has that name. */
export function layoutsNamed(btf: Btf, name: string): Layout[] {
  if (name === '') return [];
  const tagged = [BTF_KIND.STRUCT, BTF_KIND.UNION, BTF_KIND.ENUM, BTF_KIND.ENUM64].flatMap((kind) =>
    btf.named(kind, name),
  );
  const untagged = btf.named(BTF_KIND.TYPEDEF, name).flatMap((id) => {
    const target = btf.type(btf.type(id).type);
    return target.name === '' && target.kind in words ? [target.id] : [];
  });
  const layouts = [...tagged, ...untagged].map((id) => layoutOf(btf, id, name));
  // `enum e;`, as gcc takes it
  return layouts.filter(({ kind, values }) => kind !== 'enum' || values.length > 0);
}

const words: Readonly<Record<number, Layout['kind']>> = {
  [BTF_KIND.STRUCT]: 'struct',
  [BTF_KIND.UNION]: 'union',
  [BTF_KIND.ENUM]: 'enum',
  [BTF_KIND.ENUM64]: 'enum',
};

/** @param id of a STRUCT, UNION, ENUM or ENUM64 */
function layoutOf(btf: Btf, id: number, name: string): Layout {
  const { kind, size } = btf.type(id);
  const composite = kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION;
  return {
    kind: words[kind]!,
    name,
    size,
    fields: composite ? fieldsOf(btf, id, 0, '', 0).sort((a, b) => a.bitOffset - b.bitOffset) : [],
    values: composite ? [] : btf.values(id),
  };
}

/** Structures in structures, so deep, are no longer opened. */
const deepest = 16;

function fieldsOf(btf: Btf, id: number, bitOffset: number, path: string, depth: number): Field[] {
  return btf.members(id).flatMap((member): Field[] => {
    const at = bitOffset + member.bitOffset;
    const name = [path, member.name].filter((part) => part !== '').join('.');
    const inner = btf.type(unqualified(btf, member.type));
    const open = (inner.kind === BTF_KIND.STRUCT || inner.kind === BTF_KIND.UNION) && inner.name === '';
    if (open && depth < deepest) return fieldsOf(btf, inner.id, at, name, depth + 1);
    return [
      {
        name,
        type: typeText(btf, member.type),
        text: declarationText(btf, member.type, name),
        identity: typeIdentity(btf, member.type),
        bitOffset: at,
        bits: member.bitSize === 0 ? 8 * sizeOf(btf, member.type) : member.bitSize,
      },
    ];
  });
}

/** Without `const`, `volatile` and the like. */
export function unqualified(btf: Btf, id: number): number {
  const { kind, type } = btf.type(id);
  const through = [BTF_KIND.CONST, BTF_KIND.VOLATILE, BTF_KIND.RESTRICT, BTF_KIND.TYPE_TAG] as readonly number[];
  return through.includes(kind) ? unqualified(btf, type) : id;
}

export const pointerSize = 8;

/** Bytes. */
export function sizeOf(btf: Btf, id: number, depth = 0): number {
  const type = btf.type(id);
  if (depth > 64) return 0;
  if (type.kind === BTF_KIND.PTR) return pointerSize;
  if (type.kind === BTF_KIND.ARRAY) {
    const { type: element, count } = btf.array(id);
    return count * sizeOf(btf, element, depth + 1);
  }
  return type.type === 0 ? type.size : sizeOf(btf, type.type, depth + 1);
}

/**
 * Types of one kind and name that are not laid out alike. Types that only one side has are no change: nothing was made with them, or
 * nothing uses them any more. Where a side has several of one name, they are the same when each has its like on the other side.
 */
export function changedLayouts(before: Btf, after: Btf): ChangedLayout[] {
  const [old, now] = [layoutsOf(before), layoutsOf(after)];
  return [...old].flatMap(([key, layouts]): ChangedLayout[] => {
    const others = now.get(key);
    if (others === undefined) return [];
    const left = layouts.filter((layout) => !others.some((other) => compareLayouts(layout, other).length === 0));
    const right = others.filter((other) => !layouts.some((layout) => compareLayouts(layout, other).length === 0));
    const [first] = left.length > 0 ? left : layouts;
    const [second] = right.length > 0 ? right : others;
    if ((left.length === 0 && right.length === 0) || first === undefined || second === undefined) return [];
    return [{ before: first, after: second, changes: compareLayouts(first, second) }];
  });
}

/** Empty when both sides read and write it alike. A field is known by its name. */
export function compareLayouts(before: Layout, after: Layout): LayoutChange[] {
  const changes: LayoutChange[] = [];
  if (before.size !== after.size) changes.push({ what: 'size', before: before.size, after: after.size });
  const fields = pairs(before.fields, after.fields);
  for (const [was, is] of fields) {
    if (is === undefined) changes.push({ what: 'removed', field: was! });
    else if (was === undefined) changes.push({ what: 'added', field: is });
    else if (was.identity !== is.identity || was.bits !== is.bits)
      changes.push({ what: 'retyped', before: was, after: is });
    else if (was.bitOffset !== is.bitOffset) changes.push({ what: 'moved', before: was, after: is });
  }
  for (const [was, is] of pairs(before.values, after.values)) {
    if (is === undefined) changes.push({ what: 'value-removed', ...was! });
    else if (was === undefined) changes.push({ what: 'value-added', ...is });
    else if (was.value !== is.value)
      changes.push({ what: 'value-changed', name: is.name, before: was.value, after: is.value });
  }
  return changes;
}

/** By name, those of the one side first; padding has no name and is paired in order. */
function pairs<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
): readonly (readonly [T | undefined, T | undefined])[] {
  const keyed = (list: readonly T[]): Map<string, T> => {
    const count = new Map<string, number>();
    return new Map(
      list.map((each) => {
        const n = (count.get(each.name) ?? 0) + 1;
        count.set(each.name, n);
        return [`${each.name} ${n}`, each];
      }),
    );
  };
  const [old, now] = [keyed(before), keyed(after)];
  return [...new Set([...old.keys(), ...now.keys()])].map((key) => [old.get(key), now.get(key)]);
}
