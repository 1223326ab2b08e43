/** Debian's packages as values: stanzas of a Packages file (deb822(5)), versions and their order (deb-version(7)), dependencies (deb-control(5)). */

/** One version of one package in the archive. */
export interface ArchivePackage {
  readonly name: string;
  readonly version: string;
  /** Depends and Pre-Depends as they stand, joined. */
  readonly depends: string;
  /** Size of the .deb, bytes. */
  readonly size: number;
  /** sha256 of the .deb, hex. */
  readonly sha256: string;
  /** Base name of the .deb in the archive. */
  readonly file: string;
  /** Which lists it is in (`shelves.ts`); absent: the system's own sources. */
  readonly shelf?: string;
}

/** Those without file or hash are left out, repeated ones come once. */
export function parsePackages(text: string, shelf?: string): ArchivePackage[] {
  const found = new Map<string, ArchivePackage>();
  for (const stanza of text.split(/\n\n+/)) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: *(.*)$`, 'm').exec(stanza)?.[1];
    const [name, version, path, sha256] = ['Package', 'Version', 'Filename', 'SHA256'].map(field);
    if (name === undefined || version === undefined || path === undefined || sha256 === undefined) continue;
    const file = path.slice(path.lastIndexOf('/') + 1);
    found.set(`${name} ${version}`, {
      name,
      version,
      depends: [field('Depends'), field('Pre-Depends')].filter((each) => each !== undefined).join(', '),
      size: Number(field('Size')),
      sha256,
      file,
      ...(shelf === undefined ? {} : { shelf }),
    });
  }
  return [...found.values()];
}

/** One way to meet a dependency: `libc6 (>= 2.38)`. */
export interface Alternative {
  readonly name: string;
  readonly relation?: string;
  readonly version?: string;
}

/** Each entry is one dependency, met by any of its alternatives. */
export function parseDepends(text: string): Alternative[][] {
  return text
    .split(',')
    .map((entry) =>
      entry.split('|').flatMap((word): Alternative[] => {
        const parts = /^\s*([a-z0-9][a-z0-9+.-]*)(?::\w+)?\s*(?:\(\s*([<>=]+)\s*([^\s)]+)\s*\))?/.exec(word);
        if (parts === null) return [];
        const [, name, relation, version] = parts;
        return [{ name: name!, ...(relation === undefined ? {} : { relation, version: version! }) }];
      }),
    )
    .filter((alternatives) => alternatives.length > 0);
}

export function satisfies(version: string, { relation, version: wanted }: Alternative): boolean {
  if (relation === undefined || wanted === undefined) return true;
  const order = compareVersions(version, wanted);
  if (relation === '=') return order === 0;
  if (relation === '<<') return order < 0;
  if (relation === '<=') return order <= 0;
  return relation === '>>' ? order > 0 : order >= 0;
}

/** Debian's order of versions: by epoch, upstream version, revision; digits by value, `~` before everything, letters before the rest. */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [parts(a), parts(b)];
  return (
    one.epoch - other.epoch || compareText(one.upstream, other.upstream) || compareText(one.revision, other.revision)
  );
}

/** `2.44` out of `2.44-3`, `2.35.2` out of `1:2.35.2-2`. */
export function upstreamVersion(version: string): string {
  return parts(version).upstream;
}

function parts(version: string): { epoch: number; upstream: string; revision: string } {
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf('-');
  const revision = dash < 0 ? '' : rest.slice(dash + 1);
  return { epoch: Number(epoch), upstream: dash < 0 ? rest : rest.slice(0, dash), revision };
}

function compareText(a: string, b: string): number {
  const [one, other] = [runs(a), runs(b)];
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [left = '', right = ''] = [one[i], other[i]];
    const order = i % 2 === 1 ? Number(left) - Number(right) : compareWords(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

/** Text and numbers in turn, text first, empty where there is none. */
function runs(text: string): string[] {
  return [...(/^\d/.test(text) ? [''] : []), ...(text.match(/\d+|\D+/g) ?? [])];
}

function compareWords(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = weight(a[i]) - weight(b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function weight(character: string | undefined): number {
  if (character === '~') return -1;
  if (character === undefined) return 0;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}
