/**
 * A source patch after parsing: files and hunks, before anything is applied.
 * Kernel sources are bytes in no certain encoding, so text that comes from or goes to a source file is a *byte string*:
 * one character per byte (Node's `latin1`). `showBytes` (text.ts) makes it readable.
 */

export interface Patch {
  /** Name of the input, for messages. */
  readonly name: string;
  /** The patch as text (UTF-8), for people. */
  readonly text: string;
  /** The patch's own bytes. */
  readonly bytes: Uint8Array;
  /** Subject line, when the patch is a mail. */
  readonly subject?: string;
  readonly files: readonly PatchFile[];
}

export interface PatchFile {
  readonly change: 'modify' | 'create' | 'delete' | 'rename';
  /** Path in the source tree with the first component (-p1) taken off; of the old file, for a deletion. */
  readonly path: string;
  readonly oldPath?: string;
  /** Line of the patch text (1-based) the file's part begins on. */
  readonly patchLine: number;
  readonly hunks: readonly Hunk[];
}

export interface Hunk {
  /** Line of the patch text (1-based) the `@@` stands on. */
  readonly patchLine: number;
  readonly oldStart: number;
  readonly oldCount: number;
  readonly newStart: number;
  readonly newCount: number;
  readonly lines: readonly HunkLine[];
}

export interface HunkLine {
  readonly kind: 'context' | 'add' | 'remove';
  /** A byte string without the line's end. */
  readonly text: string;
  /** False when "\ No newline at end of file" follows. */
  readonly newline: boolean;
}
