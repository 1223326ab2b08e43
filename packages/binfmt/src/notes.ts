/** Reads ELF notes; of those the GNU build-id, which names a build (System V gABI, chapter 5; binutils' NT_GNU_BUILD_ID). */
import { ByteReader } from './bytes.ts';

export interface Note {
  readonly name: string;
  readonly type: number;
  readonly description: Uint8Array;
}

const NT_GNU_BUILD_ID = 3;

/** The notes of one section or segment, in order. Throws FormatError (`truncated`) when one leaves the input. */
export function readNotes(bytes: Uint8Array): Note[] {
  const reader = new ByteReader(bytes, 'notes');
  const notes: Note[] = [];
  for (let at = 0; at < bytes.length; ) {
    const nameSize = reader.u32(at);
    const descriptionSize = reader.u32(at + 4);
    const name = reader.slice(at + 12, nameSize);
    const descriptionAt = at + 12 + align4(nameSize);
    notes.push({
      name: new TextDecoder('latin1').decode(nameSize > 0 && name[nameSize - 1] === 0 ? name.subarray(0, -1) : name),
      type: reader.u32(at + 8),
      description: reader.slice(descriptionAt, descriptionSize),
    });
    at = descriptionAt + align4(descriptionSize);
  }
  return notes;
}

/** The GNU build-id among these notes, lower-case hex; undefined when there is none. */
export function buildIdOf(notes: readonly Note[]): string | undefined {
  const note = notes.find(({ name, type }) => name === 'GNU' && type === NT_GNU_BUILD_ID);
  return note && [...note.description].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}
