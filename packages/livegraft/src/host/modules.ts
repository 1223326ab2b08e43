/** Loaded modules as the kernel shows them: /proc/modules and /sys/module/NAME (Documentation/ABI/testing/sysfs-module). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '@livegraft/binfmt/format-error';
import { buildIdOf, readNotes } from '@livegraft/binfmt/notes';
import { type LivegraftNote, noteSection, readLivegraftNote } from '../support/livegraft-note.ts';
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

export interface LoadedModule {
  readonly name: string;
  /** `live`, `coming`, `going`. */
  readonly state: string;
  /** How many hold it; a livepatch holds its own module. */
  readonly references: number;
  /** Letters: K a livepatch, O out of tree, E unsigned. */
  readonly taint: string;
  /** GNU build-id, lower-case hex. */
  readonly buildId?: string;
  /** What a livepatch that livegraft built says of itself. */
  readonly note?: LivegraftNote;
}

/** One module; undefined when it is not loaded. What is built in has no state of its own and is not a loaded module. */
export function readModule(roots: HostRoots, name: string): LoadedModule | undefined {
  const folder = join(roots.sys, 'module', name);
  const state = readProc(join(folder, 'initstate'))?.trim();
  if (state === undefined) return undefined;
  const buildId = readBuildId(join(folder, 'notes/.note.gnu.build-id'));
  const note = readNote(join(folder, 'notes', noteSection));
  return {
    name,
    state,
    references: Number(readProc(join(folder, 'refcnt')) ?? 0),
    taint: readProc(join(folder, 'taint'))?.trim() ?? '',
    ...(buildId === undefined ? {} : { buildId }),
    ...(note === undefined ? {} : { note }),
  };
}

function readNote(path: string): LivegraftNote | undefined {
  try {
    return readLivegraftNote(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** Names of the loaded modules in the order they were loaded. */
export function moduleOrder(roots: HostRoots): string[] {
  return modulesListed(roots).map(({ name }) => name);
}

/** Modules that hold a livepatch (taint K), in the order they were loaded: also those whose livepatch was reverted or replaced. */
export function livepatchModules(roots: HostRoots): LoadedModule[] {
  return modulesListed(roots)
    .filter(({ taint }) => taint.includes('K'))
    .flatMap(({ name }) => readModule(roots, name) ?? []);
}

/** /proc/modules has the newest first. */
function modulesListed(roots: HostRoots): { readonly name: string; readonly taint: string }[] {
  return (readProc(join(roots.proc, 'modules')) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ name: line.split(' ', 1)[0]!, taint: /\(([A-Z+-]+)\)\s*$/.exec(line)?.[1] ?? '' }))
    .reverse();
}

/** The GNU build-id in a file of notes; undefined when there is none. */
export function readBuildId(path: string): string | undefined {
  try {
    return buildIdOf(readNotes(readFileSync(path)));
  } catch (error) {
    if (error instanceof FormatError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}
