/**
 * The shelves of the archive: what the system's own sources offer, and beside it one shelf for each Debian release, with that release's
 * updates, security and backports, out of the very archive that the system's sources name. A kernel and its compiler lie on one shelf.
 *
 * Where the archive is, and who signs it, is read from the system (`apt-get indextargets`, sources.list(5)); no address stands here.
 */
import { readFile } from 'node:fs/promises';

/** Debian's releases from the oldest whose kernels we build for; a release that the archive does not have is passed over. */
export const SHELVES: readonly Shelf[] = [
  { name: 'bullseye', number: 11 },
  { name: 'bookworm', number: 12 },
  { name: 'trixie', number: 13 },
  { name: 'forky', number: 14 },
  { name: 'sid', number: 14 },
];

export interface Shelf {
  readonly name: string;
  /** Debian's, as newer kernels have it in their name: `6.12.117+deb13-amd64`. */
  readonly number: number;
}

/** The shelves in the order in which a kernel of this name is looked for: those that the name points to first. */
export function shelvesFor(release: string): { readonly named: readonly string[]; readonly others: readonly string[] } {
  const number = Number(/[+.]deb(\d+)/.exec(release)?.[1]);
  const split = (wanted: boolean) =>
    SHELVES.filter((shelf) => (shelf.number === number) === wanted).map(({ name }) => name);
  return { named: split(true), others: split(false) };
}

/** One index that the system's sources name, as apt tells it. */
export interface SystemTarget {
  readonly uri: string;
  /** `Debian`, `Debian-Security`: what the archive calls itself, signed. */
  readonly label: string;
  readonly component: string;
  /** The file of the source, and its number in there: of the stanza (deb822) or the line. */
  readonly entry: string;
}

/** What `apt-get indextargets` is asked for, and how its lines are read. */
export const targetFormat = '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(SOURCESENTRY)|$(REPO_URI)';

export function parseTargets(text: string): SystemTarget[] {
  return text.split('\n').flatMap((line) => {
    const [origin, label, component, entry, ...uri] = line.split('|');
    if (origin !== 'Debian' || label === undefined || component === undefined || entry === undefined) return [];
    return [{ label, component, entry, uri: uri.join('|') }];
  });
}

/**
 * Our own list of sources for a shelf (deb822): the suites of that name at the places, and with the keys, that the system has.
 * @returns '' when the system has no Debian archive
 */
export async function sourcesOf(shelf: string, targets: readonly SystemTarget[]): Promise<string> {
  // kernels, their sources and compilers are in main
  const find = (label: string) =>
    targets.find((target) => target.label === label && target.component === 'main' && target.uri !== '');
  const suites: readonly (readonly [SystemTarget | undefined, string])[] = [
    [find('Debian'), [shelf, `${shelf}-updates`, `${shelf}-backports`].join(' ')],
    [find('Debian-Security'), `${shelf}-security`],
  ];
  const stanzas = await Promise.all(
    suites.map(async ([target, names]) => {
      if (target === undefined) return '';
      const options = optionsOf(await readEntryFile(target.entry), target.entry);
      return `Types: deb\nURIs: ${target.uri}\nSuites: ${names}\nComponents: main\nArchitectures: amd64\n${options}`;
    }),
  );
  return stanzas.filter((stanza) => stanza !== '').join('\n');
}

async function readEntryFile(entry: string): Promise<string> {
  return readFile(entry.slice(0, entry.lastIndexOf(':')), 'utf8').catch(() => '');
}

/** Who must have signed, and whether old signatures count: taken over from the system's own entry, as deb822 fields; never whether it may be unsigned. */
export function optionsOf(text: string, entry: string): string {
  const number = Number(entry.slice(entry.lastIndexOf(':') + 1));
  const options = /\.sources(?::\d+)?$/.test(entry) ? stanzaOptions(text, number) : lineOptions(text, number);
  return [...options].map(([name, value]) => `${name}: ${value}\n`).join('');
}

const KEPT = new Map([
  ['signed-by', 'Signed-By'],
  ['check-valid-until', 'Check-Valid-Until'],
]);

function stanzaOptions(text: string, number: number): Map<string, string> {
  const stanzas = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n[ \t]*\n/)
    .filter((stanza) => /^\S+:/m.test(stanza));
  const found = new Map<string, string>();
  // the value of a field goes on in lines that begin with a blank: a key may stand there itself
  for (const [, name, value] of (stanzas[number - 1] ?? '').matchAll(/^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm)) {
    const kept = KEPT.get(name!.toLowerCase());
    if (kept !== undefined) found.set(kept, value!);
  }
  return found;
}

function lineOptions(text: string, number: number): Map<string, string> {
  const options = /^\s*deb\s+\[([^\]]*)\]/.exec(text.split('\n')[number - 1] ?? '')?.[1] ?? '';
  const found = new Map<string, string>();
  for (const word of options.split(/\s+/)) {
    const [name, value] = word.split('=');
    const kept = KEPT.get(name!.toLowerCase());
    if (kept !== undefined && value !== undefined) found.set(kept, value.replaceAll(',', ' '));
  }
  return found;
}
