/** Reads the kernel's log: what went wrong, where, during which step. The formats are those of lib/bug.c, kernel/panic.c, arch/x86/kernel/dumpstack.c and arch/x86/mm/fault.c. */

export type FindingKind =
  | 'panic'
  | 'bug'
  | 'oops'
  | 'warning'
  | 'sanitizer'
  | 'rcu-stall'
  | 'hung-task'
  | 'lockup'
  | 'module-refused'
  | 'out-of-memory'
  | 'livepatch';

export interface ConsoleFinding {
  readonly kind: FindingKind;
  /** `fatal`: the kernel died of it. `bad`: no sound kernel says this. `note`: worth knowing. */
  readonly severity: 'fatal' | 'bad' | 'note';
  /** One line: `BUG: kernel NULL pointer dereference in ext4_mb_load_buddy_gfp+0xbc/0x380 [ext4]`. */
  readonly title: string;
  /** What belongs to it, without time stamps. */
  readonly lines: readonly string[];
  /** Seconds since the kernel started, when the line says so. */
  readonly time?: number;
  /** Number of the trial's step during which it came; absent before the first and after the last. */
  readonly step?: number;
}

interface Rule {
  readonly pattern: RegExp;
  readonly kind: FindingKind;
  readonly severity: ConsoleFinding['severity'];
  /** What follows the line: a report up to its `end trace`, stacks of tasks, or nothing. */
  readonly follows: 'report' | 'stacks' | 'nothing';
}

/** The first that matches decides. */
const rules: readonly Rule[] = [
  { pattern: /^Kernel panic - not syncing/, kind: 'panic', severity: 'fatal', follows: 'report' },
  {
    pattern: /^watchdog: BUG: soft lockup|^watchdog: Watchdog detected hard LOCKUP/,
    kind: 'lockup',
    severity: 'bad',
    follows: 'stacks',
  },
  { pattern: /^BUG: (KASAN|KFENCE|KCSAN|KMSAN)/, kind: 'sanitizer', severity: 'bad', follows: 'report' },
  { pattern: /^UBSAN: /, kind: 'sanitizer', severity: 'bad', follows: 'stacks' },
  { pattern: /^(BUG: |kernel BUG at )/, kind: 'bug', severity: 'bad', follows: 'report' },
  {
    pattern:
      /^(general protection fault|Oops: |invalid opcode|divide error|stack segment|double fault|int3: |traps: PANIC|CFI failure|Missing ENDBR)/,
    kind: 'oops',
    severity: 'bad',
    follows: 'report',
  },
  { pattern: /^WARNING: /, kind: 'warning', severity: 'bad', follows: 'report' },
  { pattern: /^rcu: INFO: .*(stall|detected)/, kind: 'rcu-stall', severity: 'bad', follows: 'stacks' },
  { pattern: /^INFO: task .* blocked for more than/, kind: 'hung-task', severity: 'bad', follows: 'stacks' },
  {
    pattern: /refusing to load module|Skipping invalid relocation target/,
    kind: 'module-refused',
    severity: 'bad',
    follows: 'nothing',
  },
  { pattern: /^Out of memory: Killed process/, kind: 'out-of-memory', severity: 'bad', follows: 'nothing' },
  {
    pattern: /^livepatch: .*(fail|not compatible|invalid|unable|not found|unresolvable|error|forcing)/i,
    kind: 'livepatch',
    severity: 'bad',
    follows: 'nothing',
  },
  { pattern: /^livepatch: /, kind: 'livepatch', severity: 'note', follows: 'nothing' },
];

/** Longest report taken, in lines; stacks of all CPUs can run on for thousands. */
const longest = 150;

/** All findings of a console log, in order. Never throws: half lines and noise between lines are what dying kernels write. */
export function parseConsole(log: string): ConsoleFinding[] {
  const findings: ConsoleFinding[] = [];
  let step: number | undefined;
  let open:
    | { rule: Rule; lines: string[]; time: number | undefined; last: number | undefined; step: number | undefined }
    | undefined;
  const close = () => {
    if (open === undefined) return;
    const { rule, lines, time } = open;
    findings.push({
      kind: rule.kind,
      severity: rule.severity,
      title: titleOf(lines),
      lines,
      ...(time === undefined ? {} : { time }),
      ...(open.step === undefined ? {} : { step: open.step }),
    });
    open = undefined;
  };
  for (const raw of log.split('\n')) {
    const { time, text } = stripStamp(raw);
    const mark = /^livegraft: step (\d+) (begins|ended)/.exec(text);
    if (mark !== null) {
      close();
      step = mark[2] === 'begins' ? Number(mark[1]) : undefined;
      continue;
    }
    if (text === '') continue;
    const rule = rules.find(({ pattern }) => pattern.test(text));
    if (open !== undefined) {
      // An oops inside the report of its own BUG line is no second finding.
      const partOfReport = open.rule.follows === 'report' && (rule === undefined || rule.kind === 'oops');
      const partOfStacks = open.rule.follows === 'stacks' && rule === undefined && !quietFor(open.last, time, 2);
      if ((partOfReport || partOfStacks) && open.lines.length < longest) {
        open.lines.push(text);
        open.last = time ?? open.last;
        if (text.startsWith('---[ end ')) close();
        continue;
      }
      close();
    }
    if (rule === undefined) continue;
    open = { rule, lines: [text], time, last: time, step };
    if (rule.follows === 'nothing') close();
  }
  close();
  return findings;
}

/** The finding that ended the kernel: the report before the panic says more than the panic line itself. */
export function causeOfDeath(findings: readonly ConsoleFinding[]): ConsoleFinding | undefined {
  const panic = findings.findLastIndex(({ kind }) => kind === 'panic');
  if (panic < 0) return undefined;
  const before = findings[panic - 1];
  const causes = /Fatal exception|panic_on/.test(findings[panic]!.title);
  return causes && before !== undefined && before.severity === 'bad' ? before : findings[panic];
}

/** Takes off `[   12.345678] ` and, where the kernel adds it, `[   T123] `. */
function stripStamp(raw: string): { time: number | undefined; text: string } {
  const line = raw.replace(/\r+$/, '');
  const match = /^\[ *(\d+\.\d+)\] ?(?:\[ *[TC]\d+\] )?(.*)$/.exec(line);
  return match === null ? { time: undefined, text: line } : { time: Number(match[1]), text: match[2]! };
}

function quietFor(before: number | undefined, now: number | undefined, seconds: number): boolean {
  return before !== undefined && now !== undefined && now - before > seconds;
}

/** The first line, made short and given the place where it happened. */
function titleOf(lines: readonly string[]): string {
  const first = lines[0]!;
  const place = placeOf(lines);
  const warning = /^WARNING: (?:CPU: \d+ PID: \d+ )?at (\S+)(?: (\S.*))?$/.exec(first);
  if (warning !== null) return `WARNING at ${warning[1]}${warning[2] === undefined ? '' : ` in ${warning[2]}`}`;
  const stall = /^(?:rcu: |watchdog: )/.test(first);
  const short = first
    .replace(/^watchdog: /, '')
    .replace(/, (?:address|probably for).*$/, '')
    .replace(/ for address: .*$/, '')
    .replace(/: [0-9a-f]{4} \[#\d+\].*$/, '')
    .replace(/!$/, '');
  const known = place === undefined || short.includes(place.split('+')[0]!);
  return known || (stall && place === undefined) || first.startsWith('Kernel panic') ? short : `${short} in ${place}`;
}

/** `func+0x1c/0x40 [ext4]` of the first instruction pointer in a report; of the first caller when the pointer itself leads nowhere. */
function placeOf(lines: readonly string[]): string | undefined {
  const pointer = lines.map((line) => /^RIP: 0010:(.+)$/.exec(line)?.[1]).find((found) => found !== undefined);
  if (pointer !== undefined && /^[A-Za-z_]/.test(pointer)) return pointer.trim();
  const start = lines.findIndex((line) => line.startsWith('Call Trace:'));
  if (start < 0) return undefined;
  const frame = lines
    .slice(start)
    .map((line) => /^ ([A-Za-z_][\w.]*\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[\w+\])?)/.exec(line)?.[1])
    .find((found) => found !== undefined && !/^(dump_stack|show_|panic|nmi_)/.test(found));
  return frame;
}
