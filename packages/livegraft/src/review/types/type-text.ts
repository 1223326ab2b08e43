/** Types of BTF as C writes them, and what of them two sides of a patch must agree on. */
import { BTF_KIND, type Btf, type BtfType } from '@livegraft/binfmt/btf';

/** What stands for a type in a declaration without a name: `struct page *`, `u32[4]`, `int (*)(struct file *, loff_t)`. */
export function typeText(btf: Btf, id: number): string {
  return declare(btf, id, '', false, 0);
}

/** A declaration of `name`: `struct page *page`, `u32 keys[4]`. */
export function declarationText(btf: Btf, id: number, name: string): string {
  return declare(btf, id, name, false, 0);
}

/**
 * What stands for a type with typedefs resolved and qualifiers left out: equal texts are read and written alike, as long as structures of one name have one
 * layout, which is compared by itself.
 */
export function typeIdentity(btf: Btf, id: number): string {
  return declare(btf, id, '', true, 0);
}

/** Types that hold themselves come by way of structures only, which are not followed; a damaged file may have others. */
const deepest = 64;

/** `a[2][6]` is laid out as `a[12]`, and encoders of BTF before pahole 1.25 write the one for the other. */
function flatArray(btf: Btf, id: number): { readonly type: number; readonly count: number } {
  let { type, count } = btf.array(id);
  for (let depth = 0; depth < deepest && btf.type(type).kind === BTF_KIND.ARRAY; depth++) {
    const inner = btf.array(type);
    count *= inner.count;
    type = inner.type;
  }
  return { type, count };
}

function declare(btf: Btf, id: number, inner: string, resolved: boolean, depth: number): string {
  const type = btf.type(id);
  if (depth > deepest) return `…${spaced(inner)}`;
  const next = (to: number, text: string): string => declare(btf, to, text, resolved, depth + 1);
  switch (type.kind) {
    case BTF_KIND.VOID:
      return `void${spaced(inner)}`;
    case BTF_KIND.PTR:
      return next(type.type, `*${inner}`);
    case BTF_KIND.ARRAY: {
      const { type: element, count } = resolved ? flatArray(btf, id) : btf.array(id);
      return next(element, `${bracketed(inner)}[${count === 0 ? '' : count}]`);
    }
    case BTF_KIND.FUNC_PROTO:
      return next(type.type, `${bracketed(inner)}(${parameters(btf, type, resolved, depth)})`);
    case BTF_KIND.TYPEDEF:
      return resolved ? next(type.type, inner) : `${type.name}${spaced(inner)}`;
    case BTF_KIND.CONST:
    case BTF_KIND.VOLATILE:
    case BTF_KIND.RESTRICT: {
      if (resolved) return next(type.type, inner);
      const word = qualifiers[type.kind]!;
      // `*const p`: the pointer is constant; `const int *p`: what it points at
      return isPointer(btf, type.type)
        ? next(type.type, `${word}${spaced(inner)}`)
        : `${word} ${next(type.type, inner)}`;
    }
    case BTF_KIND.TYPE_TAG:
    case BTF_KIND.FUNC:
    case BTF_KIND.VAR:
      return next(type.type, inner);
    default:
      return `${named(btf, type, resolved)}${spaced(inner)}`;
  }
}

const qualifiers: Readonly<Record<number, string>> = {
  [BTF_KIND.CONST]: 'const',
  [BTF_KIND.VOLATILE]: 'volatile',
  [BTF_KIND.RESTRICT]: 'restrict',
};

function named(btf: Btf, type: BtfType, resolved: boolean): string {
  const word = words(btf, type);
  if (type.name !== '') return word === '' ? type.name : `${word} ${type.name}`;
  // one without a name is what its members are
  if (resolved && (type.kind === BTF_KIND.STRUCT || type.kind === BTF_KIND.UNION))
    return `${word} {${btf
      .members(type.id)
      .map((member) => `${member.bitOffset}:${member.bitSize}:${member.name}:${typeIdentity(btf, member.type)}`)
      .join(';')}}`;
  if (resolved && word === 'enum') return `enum ${type.size}`;
  return `${word} {…}`;
}

function words(btf: Btf, type: BtfType): string {
  switch (type.kind) {
    case BTF_KIND.STRUCT:
      return 'struct';
    case BTF_KIND.UNION:
      return 'union';
    case BTF_KIND.ENUM:
    case BTF_KIND.ENUM64:
      return 'enum';
    case BTF_KIND.FWD:
      return btf.isUnion(type.id) ? 'union' : 'struct';
    default:
      return '';
  }
}

function parameters(btf: Btf, type: BtfType, resolved: boolean, depth: number): string {
  const list = btf.parameters(type.id);
  if (list.length === 0) return 'void';
  return list.map((each) => (each.type === 0 ? '...' : declare(btf, each.type, '', resolved, depth + 1))).join(', ');
}

function isPointer(btf: Btf, id: number): boolean {
  const { kind, type } = btf.type(id);
  if (kind === BTF_KIND.CONST || kind === BTF_KIND.VOLATILE || kind === BTF_KIND.RESTRICT) return isPointer(btf, type);
  return kind === BTF_KIND.PTR;
}

function bracketed(inner: string): string {
  return inner.startsWith('*') ? `(${inner})` : inner;
}

/** `int *`, `int x`, `int[4]` */
function spaced(inner: string): string {
  return inner === '' || inner.startsWith('[') ? inner : ` ${inner}`;
}
