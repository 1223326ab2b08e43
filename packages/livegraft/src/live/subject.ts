/** What a command is about: a loaded livepatch, by its name or by the folder of its bundle. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, readBundle } from '../bundle/bundle.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { notTheBundles } from '../diagnostics/host.ts';
import { readModule } from '../host/modules.ts';
import type { HostRoots } from '../host/roots.ts';

export interface Subject {
  readonly name: string;
  /** When a folder was given. */
  readonly bundle?: Bundle;
}

/**
 * A word without `/` is the name of a livepatch, before it is a folder. A bundle stands for the loaded module that was built with it,
 * by build-id, and for no other of that name. Throws `not-the-bundles-module` (exit 7), `bundle-unreadable`.
 */
export async function findSubject(roots: HostRoots, word: string): Promise<Subject> {
  const name = word.replace(/\.ko$/, '').replaceAll('-', '_');
  if (!word.includes('/') && (readModule(roots, name) !== undefined || !existsSync(join(word, 'manifest.json'))))
    return { name };
  const bundle = await readBundle(word);
  const { manifest } = bundle;
  const module = readModule(roots, manifest.name);
  if (module !== undefined && module.buildId !== manifest.module.buildId) {
    throw new LivegraftError(
      notTheBundles({
        name: manifest.name,
        found: module.buildId ?? 'not known',
        expected: manifest.module.buildId,
      }),
    );
  }
  return { name: manifest.name, bundle };
}
