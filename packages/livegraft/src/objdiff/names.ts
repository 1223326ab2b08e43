/**
 * What a compiler-made symbol name says about the source: names are hints of identity, never proof.
 * gcc numbers static locals (`count.12`), clones (`f.constprop.0`, `f.isra.0`, `f.part.0`, `f.cold`) and
 * `__UNIQUE_ID` objects (include/linux/compiler.h) in the order it meets them, so the numbers move when the source does.
 */

/** The name without the numbers that the compiler chose: `f.constprop.0` → `f.constprop`, `count.12` → `count`. */
export function stem(name: string): string {
  if (name.startsWith('__UNIQUE_ID_')) return name.replace(/\d+(\.\d+)*$/, '');
  return name.replace(/\.\d+/g, '');
}

/** True when the compiler put a number into the name, so that it may differ between two compiles of one source. */
export function isNumbered(name: string): boolean {
  return stem(name) !== name;
}

/** The function a split-off cold part belongs to: `f.isra.0.cold` → `f.isra.0`; undefined for other names. */
export function coldParent(name: string): string | undefined {
  const match = /^(.*)\.cold(?:\.\d+)?$/.exec(name);
  return match?.[1];
}

/**
 * Constants whose address means nothing, only their content: each use may have a copy of its own. `__msg` is what
 * NL_SET_ERR_MSG() keeps its text in (include/linux/netlink.h).
 */
export function isContentOnly({ name, role }: { readonly name: string; readonly role: string }): boolean {
  return role !== 'data' && /^(?:.+\.)?(__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH|__msg)(\.\d+)*$/.test(name);
}

/** `f.part.0.isra.2` → `f`: no C name has a dot. */
export function baseName(name: string): string {
  return name.replace(/\..*$/s, '') || name;
}

/** Padding before a function for CFI or call thunks, named after it (CONFIG_CALL_PADDING, kCFI). */
export function isPaddingName(name: string): boolean {
  return name.startsWith('__pfx_') || name.startsWith('__cfi_');
}

/**
 * Static variables whose loss costs nothing but a message that comes once more: once-flags, rate limits, lock classes. Not
 * those of DO_ONCE() (`___done`, `___once_key`): what it does once may be drawing a secret that is in use.
 */
export function isOnceFlag(name: string): boolean {
  // clang puts the function first: `f.__key.8`
  return /^(?:.+\.)?(__already_done|__warned|__print_once|_rs|__ret_once|__key)(\.|\d|$)/.test(name);
}
