/** Module.symvers: what the kernel and its modules export, with CRCs (scripts/mod/modpost.c, write_dump; Documentation/kbuild/modules.rst). */

export interface ExportedSymbol {
  /** CRC of the symbol's type, 0 without CONFIG_MODVERSIONS. */
  readonly crc: number;
  /** `vmlinux`, or the module's path without ending: `fs/jbd2/jbd2`. */
  readonly owner: string;
  /** EXPORT_SYMBOL_GPL. */
  readonly gpl: boolean;
  /** '' for most; `module:NAME,…` limits it to those modules. */
  readonly namespace: string;
}

/** Lines of `0xCRC NAME OWNER EXPORT_SYMBOL[_GPL] [NAMESPACE]`, separated by tabs. Lines of another shape are left out. */
export function parseSymvers(text: string): Map<string, ExportedSymbol> {
  const exported = new Map<string, ExportedSymbol>();
  for (const line of text.split('\n')) {
    const [crc, name, owner, kind, namespace] = line.split('\t');
    if (crc === undefined || !/^0x[0-9a-f]{1,8}$/.test(crc) || name === undefined || owner === undefined) continue;
    if (kind === undefined || !kind.startsWith('EXPORT_')) continue;
    exported.set(name, { crc: Number(crc), owner, gpl: kind.endsWith('_GPL'), namespace: namespace ?? '' });
  }
  return exported;
}
