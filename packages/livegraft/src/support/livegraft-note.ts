/**
 * What a livepatch module says of itself in memory: the note `livegraft`, type 1, in `.note.livegraft`. The kernel shows it as
 * /sys/module/NAME/notes/.note.livegraft. Its text is compact JSON of at most 2048 bytes.
 */
import { FormatError } from '@livegraft/binfmt/format-error';
import { readNotes } from '@livegraft/binfmt/notes';
import * as v from 'valibot';
import { noteTooLarge } from '../diagnostics/author.ts';
import { LivegraftError } from '../diagnostics/diagnostic.ts';

export const noteSection = '.note.livegraft';
const owner = 'livegraft';
const type = 1;
const limit = 2048;
/** Characters of a subject once there is no room for all. */
const shortSubject = 60;

const state = v.object({ id: v.number(), version: v.number() });
const schema = v.object({
  schema: v.literal(1),
  /** The module's name, and the bundle's. */
  name: v.string(),
  /** Version of livegraft that built it. */
  livegraft: v.string(),
  /** GNU build-id of the kernel it is for. */
  kernel: v.string(),
  /** It replaces all other livepatches. */
  replace: v.boolean(),
  cves: v.pipe(v.array(v.string()), v.readonly()),
  /** Subjects of the patches. */
  patches: v.pipe(v.array(v.string()), v.readonly()),
  states: v.pipe(v.array(v.pipe(state, v.readonly())), v.readonly()),
  /** Kinds of callbacks by klp object. */
  callbacks: v.optional(v.record(v.string(), v.pipe(v.array(v.string()), v.readonly()))),
  /** So many CVEs or subjects had no room. */
  cvesLeft: v.optional(v.number()),
  patchesLeft: v.optional(v.number()),
});

export type LivegraftNote = v.InferOutput<typeof schema>;

/**
 * The bytes of the section. Where there is too much: subjects are cut to 60 characters, then left out from the last on, then CVEs.
 * Throws `note-too-large` (exit 4) when that does not help.
 */
export function writeLivegraftNote(note: LivegraftNote): Uint8Array {
  const description = trim(note);
  const name = new TextEncoder().encode(`${owner}\0`);
  const at = 12 + Math.ceil(name.length / 4) * 4;
  const bytes = new Uint8Array(at + Math.ceil(description.length / 4) * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, name.length, true);
  view.setUint32(4, description.length, true);
  view.setUint32(8, type, true);
  bytes.set(name, 12);
  bytes.set(description, at);
  return bytes;
}

function trim(note: LivegraftNote): Uint8Array {
  const encode = (one: LivegraftNote): Uint8Array => new TextEncoder().encode(JSON.stringify(one));
  const whole = encode(note);
  if (whole.length <= limit) return whole;
  const cut = (subject: string): string => {
    const characters = [...subject];
    return characters.length <= shortSubject ? subject : `${characters.slice(0, shortSubject - 1).join('')}…`;
  };
  const short = { ...note, patches: note.patches.map(cut) };
  const with_ = (patches: number, cves: number): Uint8Array =>
    encode({
      ...short,
      patches: short.patches.slice(0, patches),
      cves: short.cves.slice(0, cves),
      ...(cves < note.cves.length ? { cvesLeft: note.cves.length - cves } : {}),
      ...(patches < note.patches.length ? { patchesLeft: note.patches.length - patches } : {}),
    });
  for (let patches = note.patches.length; patches >= 0; patches--) {
    const bytes = with_(patches, note.cves.length);
    if (bytes.length <= limit) return bytes;
  }
  for (let cves = note.cves.length; cves >= 0; cves--) {
    const bytes = with_(0, cves);
    if (bytes.length <= limit) return bytes;
  }
  throw new LivegraftError(noteTooLarge({ name: note.name, size: with_(0, 0).length, limit }));
}

/** The note among those of a section or of a file in /sys; undefined when there is none that can be read. */
export function readLivegraftNote(bytes: Uint8Array): LivegraftNote | undefined {
  try {
    const note = readNotes(bytes).find((each) => each.name === owner && each.type === type);
    if (note === undefined || note.description.length > limit) return undefined;
    const parsed = v.safeParse(schema, JSON.parse(new TextDecoder().decode(note.description)));
    return parsed.success ? parsed.output : undefined;
  } catch (error) {
    if (error instanceof FormatError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
