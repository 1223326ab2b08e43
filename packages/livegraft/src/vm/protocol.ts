/** The lines that guests send on livegraft's own channel (guest/init.sh, guest/trial.sh): `KIND UPTIME FIELDS`. */

export type GuestEvent = { /** Seconds since the guest's kernel started. */ readonly uptime: number } & (
  | { readonly kind: 'hello'; readonly release: string }
  | { readonly kind: 'alive' | 'ready' | 'done' }
  | { readonly kind: 'trouble'; readonly text: string }
  | { readonly kind: 'begin'; readonly step: number; readonly taint: bigint }
  | { readonly kind: 'output'; readonly step: number; readonly bytes: Uint8Array }
  | { readonly kind: 'cut' | 'skip'; readonly step: number }
  | {
      readonly kind: 'blocker';
      readonly step: number;
      readonly tid: number;
      readonly state: string;
      readonly comm: string;
    }
  | { readonly kind: 'stack'; readonly step: number; readonly tid: number; readonly frame: string }
  | {
      readonly kind: 'sample';
      readonly step: number;
      readonly inTransition: boolean;
      readonly left: number;
      readonly tasks: number;
    }
  | { readonly kind: 'end'; readonly step: number; readonly status: string; readonly taint: bigint }
  | { readonly kind: 'exit'; readonly code: number }
);

/** The version that `hello` announces. */
const version = '1';

/** One line's meaning; undefined when it is no line of ours (a script may write to any device it likes). */
export function parseGuestLine(line: string): GuestEvent | undefined {
  const [kind = '', time = '', rest = ''] = split(line, 3);
  const uptime = Number(time);
  if (time === '' || !Number.isFinite(uptime)) return undefined;
  switch (kind) {
    case 'hello': {
      const [spoken, release] = split(rest, 2);
      return spoken === version && release !== undefined ? { kind, uptime, release } : undefined;
    }
    case 'alive':
    case 'ready':
    case 'done':
      return { kind, uptime };
    case 'trouble':
      return { kind, uptime, text: rest };
    case 'exit': {
      const code = natural(rest);
      return code === undefined ? undefined : { kind, uptime, code };
    }
  }
  const [number = '', fields = ''] = split(rest, 2);
  const step = natural(number);
  if (step === undefined) return undefined;
  switch (kind) {
    case 'begin': {
      const taint = natural(fields);
      return taint === undefined ? undefined : { kind, uptime, step, taint: BigInt(fields) };
    }
    case 'output':
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(fields)) return undefined;
      return { kind, uptime, step, bytes: Buffer.from(fields, 'base64') };
    case 'cut':
    case 'skip':
      return { kind, uptime, step };
    case 'blocker': {
      const [tidText = '', state = '', comm = ''] = split(fields, 3);
      const tid = natural(tidText);
      return tid === undefined ? undefined : { kind, uptime, step, tid, state, comm };
    }
    case 'stack': {
      const [tidText = '', frame = ''] = split(fields, 2);
      const tid = natural(tidText);
      return tid === undefined ? undefined : { kind, uptime, step, tid, frame };
    }
    case 'sample': {
      const [flag, ...counts] = fields.split(' ');
      const [left, tasks] = counts.map(natural);
      if (left === undefined || tasks === undefined) return undefined;
      return { kind, uptime, step, inTransition: flag === '1', left, tasks };
    }
    case 'end': {
      const [status = '', taintText = ''] = split(fields, 2);
      if (natural(taintText) === undefined) return undefined;
      return { kind, uptime, step, status, taint: BigInt(taintText) };
    }
    default:
      return undefined;
  }
}

/** Cuts a byte stream into lines. A line longer than `longest` bytes is dropped whole: nothing of ours is that long. */
export class LineCutter {
  readonly #longest: number;
  /** The beginning of a line, as it came: put together only once the line ends. */
  #rest: Uint8Array[] = [];
  #size = 0;
  #dropping = false;

  constructor(longest = 1 << 20) {
    this.#longest = longest;
  }

  /** The lines that end in this chunk, without their ends. */
  push(chunk: Uint8Array): string[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      const line = Buffer.concat([...this.#rest, bytes.subarray(start, end)]);
      if (!this.#dropping) lines.push(line.toString('utf8'));
      this.#dropping = false;
      this.#rest = [];
      this.#size = 0;
      start = end + 1;
    }
    if (this.#dropping || start === bytes.length) return lines;
    // a copy: the chunk belongs to the caller
    this.#rest.push(Uint8Array.from(bytes.subarray(start)));
    if (this.#rest.length > 4096) this.#rest = [Buffer.concat(this.#rest)];
    this.#size += bytes.length - start;
    if (this.#size > this.#longest) {
      this.#rest = [];
      this.#size = 0;
      this.#dropping = true;
    }
    return lines;
  }
}

/** Splits at single spaces into at most `count` parts; the last one keeps its spaces. */
function split(text: string, count: number): string[] {
  const parts: string[] = [];
  let start = 0;
  while (parts.length < count - 1) {
    const end = text.indexOf(' ', start);
    if (end < 0) break;
    parts.push(text.slice(start, end));
    start = end + 1;
  }
  return [...parts, text.slice(start)];
}

function natural(text: string): number | undefined {
  return /^\d{1,20}$/.test(text) ? Number(text) : undefined;
}
