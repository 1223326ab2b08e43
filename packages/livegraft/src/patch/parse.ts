/**
 * Reads source patches: `git diff`, `git format-patch` mails and plain `diff -u`, several files and several patches in one text.
 * The formats: git's Documentation/diff-generate-patch.txt and "Unified Format" in the GNU diffutils manual. Strict: what stands
 * in a hunk is decided by the counts of its `@@` line alone, and what cannot be understood is refused with its line.
 */
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { patchBinary, patchEmpty, patchMalformed, patchPath } from '../diagnostics/patch.ts';
import { readHunk } from './hunk.ts';
import { readMailHeaders } from './mail.ts';
import { gitNames, headerName, pathProblem, showPath, stripFirst } from './paths.ts';
import { byteString } from './text.ts';
import type { Hunk, Patch, PatchFile } from './types.ts';

/**
 * Parses a whole patch text.
 * @param name of the input, for messages
 * @throws LivegraftError `patch-malformed`, `patch-binary`, `patch-path`, `patch-empty` (exit 4)
 */
export function parsePatch(name: string, bytes: Uint8Array): Patch {
  const lines = byteString(bytes).split('\n');
  if (lines.at(-1) === '') lines.pop();
  // a patch whose every line ends in CR LF was mangled on its way; CR in single lines belongs to the source
  const mangled = lines.length > 0 && lines.every((line) => line.endsWith('\r'));
  const reader = new PatchReader(name, mangled ? lines.map((line) => line.slice(0, -1)) : lines);
  const { subject, encoding } = readMailHeaders(lines);
  if (encoding !== undefined && !['7bit', '8bit', 'binary'].includes(encoding.name)) {
    reader.fail(
      encoding.line,
      `the mail's text is encoded as ${JSON.stringify(encoding.name)}; save it decoded (\`git mailinfo\`, b4)`,
    );
  }
  const files = reader.files();
  if (files.length === 0) throw new LivegraftError(patchEmpty({ patch: name }));
  return {
    name,
    text: Buffer.from(bytes).toString('utf8'),
    bytes,
    ...(subject === undefined ? {} : { subject }),
    files,
  };
}

/** The extended header lines of one `diff --git` part. */
interface GitHeader {
  names: { old: string; new: string } | undefined;
  created: boolean;
  deleted: boolean;
  renameFrom?: string;
  renameTo?: string;
}

class PatchReader {
  readonly #name: string;
  readonly #lines: readonly string[];
  /** Index of the line to be read next. */
  #at = 0;

  constructor(name: string, lines: readonly string[]) {
    this.#name = name;
    this.#lines = lines;
  }

  /** @param line 1-based */
  fail(line: number, problem: string): never {
    throw new LivegraftError(patchMalformed({ patch: this.#name, line, problem }));
  }

  files(): PatchFile[] {
    const files: PatchFile[] = [];
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at]!;
      if (line.startsWith('diff --git ')) files.push(this.#gitFile());
      else if (this.#isNamePair()) files.push(this.#plainFile());
      else if (/^@@ -\d/.test(line))
        this.fail(this.#at + 1, 'a hunk without the `---` and `+++` lines that name its file');
      else if (/^diff --(cc|combined) /.test(line))
        this.fail(this.#at + 1, 'a combined diff (of a merge); make it against one parent');
      else if (line === '***************') this.fail(this.#at + 1, 'a context diff; make it with `diff -u`');
      else if (/^Binary files .* differ$/.test(line)) {
        const path = line.slice('Binary files '.length, -' differ'.length);
        throw new LivegraftError(patchBinary({ patch: this.#name, line: this.#at + 1, path: showPath(path) }));
      } else this.#at++;
    }
    return files;
  }

  #isNamePair(): boolean {
    return this.#lines[this.#at]!.startsWith('--- ') && (this.#lines[this.#at + 1]?.startsWith('+++ ') ?? false);
  }

  #gitFile(): PatchFile {
    const start = this.#at;
    const header = this.#gitHeader();
    if (this.#at >= this.#lines.length || !this.#isNamePair()) return this.#fileWithoutHunks(header, start);
    const pair = this.#namePair();
    const hunks = this.#hunks();
    if (header.created !== (pair.old === undefined) || header.deleted !== (pair.new === undefined)) {
      this.fail(start + 1, 'its header and its `---`/`+++` lines do not agree whether the file is new or deleted');
    }
    const names = header.names;
    const renamed = header.renameFrom !== undefined;
    for (const [given, expected] of [
      [pair.old, renamed ? header.renameFrom : names && stripFirst(names.old)],
      [pair.new, renamed ? header.renameTo : names && stripFirst(names.new)],
    ]) {
      if (given !== undefined && expected !== undefined && given !== expected) {
        this.fail(start + 1, `its header names ${showPath(expected)}, its \`---\`/\`+++\` lines ${showPath(given)}`);
      }
    }
    if (!renamed && pair.old !== undefined && pair.new !== undefined && pair.old !== pair.new) {
      this.fail(start + 1, `two different files without a rename: ${showPath(pair.old)} and ${showPath(pair.new)}`);
    }
    const change = header.created ? 'create' : header.deleted ? 'delete' : renamed ? 'rename' : 'modify';
    return this.#file(change, (pair.new ?? pair.old)!, renamed ? pair.old : undefined, hunks, start);
  }

  #gitHeader(): GitHeader {
    const header: GitHeader = {
      names: gitNames(this.#lines[this.#at]!.slice('diff --git '.length)),
      created: false,
      deleted: false,
    };
    const start = this.#at++;
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at]!;
      if (line.startsWith('new file mode ')) header.created = true;
      else if (line.startsWith('deleted file mode ')) header.deleted = true;
      else if (line.startsWith('rename from ')) header.renameFrom = this.#extendedName(line, 'rename from ');
      else if (line.startsWith('rename to ')) header.renameTo = this.#extendedName(line, 'rename to ');
      else if (/^copy (from|to) /.test(line)) this.fail(this.#at + 1, 'a copied file; make the patch without `-C`');
      else if (/^(GIT binary patch|Binary files .* differ)$/.test(line)) {
        const path = header.names === undefined ? '(unnamed)' : showPath(header.names.new);
        throw new LivegraftError(
          patchBinary({ patch: this.#name, line: this.#at + 1, path: stripFirst(path) ?? path }),
        );
      } else if (!/^(old mode|new mode|similarity index|dissimilarity index|index) /.test(line)) break;
    }
    if ((header.renameFrom === undefined) !== (header.renameTo === undefined))
      this.fail(start + 1, 'a rename with only one name');
    if (Number(header.created) + Number(header.deleted) + Number(header.renameFrom !== undefined) > 1) {
      this.fail(start + 1, 'its header says more than one of new, deleted and renamed');
    }
    return header;
  }

  /** Names in extended headers are quoted like others, but have no leading folder. */
  #extendedName(line: string, key: string): string {
    return headerName(line.slice(key.length))?.name ?? this.fail(this.#at + 1, 'a file name with broken quoting');
  }

  /** An empty file created or deleted, a pure rename, a change of mode. */
  #fileWithoutHunks(header: GitHeader, start: number): PatchFile {
    if (header.renameTo !== undefined) return this.#file('rename', header.renameTo, header.renameFrom, [], start);
    const path = header.names && stripFirst(header.names.new);
    if (path === undefined) this.fail(start + 1, 'the file names on the `diff --git` line cannot be told apart');
    return this.#file(header.created ? 'create' : header.deleted ? 'delete' : 'modify', path, undefined, [], start);
  }

  #plainFile(): PatchFile {
    const start = this.#at;
    const pair = this.#namePair();
    const hunks = this.#hunks();
    const [only] = hunks;
    if (only === undefined) this.fail(start + 1, '`---` and `+++` without a hunk after them');
    if (pair.old === undefined || (pair.oldEpoch && hunks.length === 1 && only.oldStart === 0 && only.oldCount === 0)) {
      if (pair.new === undefined) this.fail(start + 1, 'both names are /dev/null');
      return this.#file('create', pair.new, undefined, hunks, start);
    }
    if (pair.new === undefined || (pair.newEpoch && hunks.length === 1 && only.newStart === 0 && only.newCount === 0)) {
      return this.#file('delete', pair.old, undefined, hunks, start);
    }
    if (
      pair.old !== pair.new &&
      !/^(\.orig|\.old|\.bak|~)$/.test(pair.old.startsWith(pair.new) ? pair.old.slice(pair.new.length) : '')
    ) {
      this.fail(start + 1, `two different files without a rename: ${showPath(pair.old)} and ${showPath(pair.new)}`);
    }
    return this.#file('modify', pair.new, undefined, hunks, start);
  }

  /** The `---` and `+++` lines; undefined stands for /dev/null. */
  #namePair(): { old: string | undefined; new: string | undefined; oldEpoch: boolean; newEpoch: boolean } {
    const [before, after] = [this.#lines[this.#at]!, this.#lines[this.#at + 1]!].map((line, i) => {
      const read = headerName(line.slice(4));
      if (read === undefined) this.fail(this.#at + 1 + i, 'a file name with broken quoting');
      if (read.name === '/dev/null') return { path: undefined, epoch: false };
      const path = stripFirst(read.name);
      if (path === undefined) this.#refusePath(read.name, this.#at + i, 'has no leading folder to take off');
      this.#check(path, this.#at + i);
      return { path, epoch: read.epoch };
    });
    this.#at += 2;
    return { old: before!.path, new: after!.path, oldEpoch: before!.epoch, newEpoch: after!.epoch };
  }

  #hunks(): Hunk[] {
    const hunks: Hunk[] = [];
    while (this.#lines[this.#at]?.startsWith('@@')) {
      const { hunk, next } = readHunk(this.#lines, this.#at, (line, problem) => this.fail(line, problem));
      const before = hunks.at(-1);
      if (before !== undefined && hunk.oldStart < before.oldStart + before.oldCount) {
        this.fail(hunk.patchLine, 'this hunk overlaps the one before it, or stands in the wrong order');
      }
      hunks.push(hunk);
      this.#at = next;
    }
    const after = this.#lines[this.#at];
    // `-- ` ends a mail's patch; `--- ` and `+++ ` begin the next file
    const more = after !== undefined && /^[ +-]/.test(after) && !/^--\s*$/.test(after) && !this.#isNamePair();
    if (hunks.length > 0 && more) this.fail(this.#at + 1, 'the hunk has more lines than its `@@` line says');
    return hunks;
  }

  #file(
    change: PatchFile['change'],
    path: string,
    oldPath: string | undefined,
    hunks: readonly Hunk[],
    start: number,
  ): PatchFile {
    this.#check(path, start);
    if (oldPath !== undefined) this.#check(oldPath, start);
    return { change, path, ...(oldPath === undefined ? {} : { oldPath }), patchLine: start + 1, hunks };
  }

  #check(path: string, at: number): void {
    const problem = pathProblem(path);
    if (problem !== undefined) this.#refusePath(path, at, problem);
  }

  #refusePath(path: string, at: number, problem: string): never {
    throw new LivegraftError(patchPath({ patch: this.#name, line: at + 1, path: showPath(path), problem }));
  }
}
