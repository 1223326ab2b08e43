import { readNotes } from '@livegraft/binfmt/notes';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LivegraftNote, readLivegraftNote, writeLivegraftNote } from './livegraft-note.ts';

const note: LivegraftNote = {
  schema: 1,
  name: 'livegraft_fix',
  livegraft: '0.1.0',
  kernel: '22a8ec2abcdae7736b338628d99258c8bc8c1a73',
  replace: true,
  cves: ['CVE-2026-1234'],
  patches: ['ext4: a subject, "quoted", ü'],
  states: [{ id: 1, version: 2 }],
  callbacks: { vmlinux: ['pre_patch', 'post_unpatch'] },
};
const text = (bytes: Uint8Array): string => new TextDecoder().decode(readNotes(bytes)[0]!.description);

test('a note is read back, behind others too', () => {
  const bytes = writeLivegraftNote(note);
  expect(bytes.length % 4).toBe(0);
  expect(readLivegraftNote(bytes)).toEqual(note);
  const other = Uint8Array.from([4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 71, 78, 85, 0, 9, 0, 0, 0]);
  expect(readLivegraftNote(Buffer.concat([other, bytes]))).toEqual(note);
  expect(text(bytes)).not.toMatch(/": |, "/);
});

test('what is no note of ours is none, cut or damaged anywhere', () => {
  const bytes = writeLivegraftNote(note);
  for (let end = 0; end < bytes.length - 3; end++) expect(readLivegraftNote(bytes.subarray(0, end))).toBeUndefined();
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = damaged[at]! ^ by;
      readLivegraftNote(damaged);
    }),
  );
});

test('too much is trimmed by rule: subjects first, CVEs then, states never', () => {
  const long = Array.from({ length: 20 }, (_, i) => `subsystem: patch ${i} ${'x'.repeat(80)}`);
  const short = writeLivegraftNote({ ...note, patches: long });
  const shortened = readLivegraftNote(short)!;
  expect(shortened.patches).toHaveLength(20);
  expect(shortened.patches[0]).toMatch(/^subsystem: patch 0 x{40}…$/);
  const cves = Array.from({ length: 90 }, (_, i) => `CVE-2026-${10000 + i}`);
  const fewer = readLivegraftNote(writeLivegraftNote({ ...note, patches: long, cves }))!;
  expect(fewer.cves).toEqual(cves);
  expect(fewer.patches.length + fewer.patchesLeft!).toBe(20);
  const many = Array.from({ length: 300 }, (_, i) => `CVE-2026-${10000 + i}`);
  const least = readLivegraftNote(writeLivegraftNote({ ...note, patches: long, cves: many }))!;
  expect(least).toMatchObject({ patches: [], patchesLeft: 20, states: note.states });
  expect(least.cves.length + least.cvesLeft!).toBe(300);
  const states = Array.from({ length: 200 }, (_, i) => ({ id: i + 1, version: 1 }));
  expect(() => writeLivegraftNote({ ...note, states })).toThrow(/2048 are possible/);
});
