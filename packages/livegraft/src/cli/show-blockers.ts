/** Those who hold a transition back, for people: a line each while they are few, else a line for each reason, and what can be done, each thing once. */
import type { Blocker } from '../host/blockers.ts';
import { showFrame } from '../host/stacks.ts';
import { plural } from '../support/plural.ts';
import type { Style } from './style.ts';
import { fold, formatDuration, table } from './text.ts';

/** More than fit on a usual screen are told by their reasons. */
const few = 12;
/** So many are named of those who share a reason. */
const fewNames = 4;

export interface BlockersView extends HeldView {
  readonly patch: string;
  readonly target: 0 | 1;
  /** Tasks of the machine. */
  readonly tasks: number;
  /** Seconds since the transition began, if known. */
  readonly seconds?: number;
}

export interface HeldView {
  readonly blockers: readonly Blocker[];
  readonly uptime: number;
}

/** Of the terminal, where there is one. */
export interface Screen {
  readonly rows: number;
  readonly columns: number;
}

/** On a screen, no longer than it: what is cut is counted. With `verbose` everything. */
export function blockersText(view: BlockersView, style: Style, verbose: boolean, screen?: Screen): string {
  return heldText(headline(view, style), view, style, verbose, screen);
}

/** The same under a headline of another kind. */
export function heldText(head: string, view: HeldView, style: Style, verbose: boolean, screen?: Screen): string {
  if (verbose) return join(head, oneByOne(view, style, true), adviceFor(view), style);
  // the shell's next line needs one, too
  const room = screen === undefined ? Number.POSITIVE_INFINITY : screen.rows - 1;
  const advice = adviceFor(view);
  const height = (text: string): number =>
    screen === undefined
      ? text.split('\n').length
      : text.split('\n').reduce((sum, line) => sum + fold(line, screen.columns).split('\n').length, 0);
  const named = view.blockers.length <= few ? join(head, oneByOne(view, style, false), advice, style) : undefined;
  if (named !== undefined && height(named) <= room) return named;
  const groups = groupBlockers(view.blockers);
  let text = '';
  for (const [shown, told] of sizes(groups.length, advice.length)) {
    text = join(head, byReason(groups, shown), cut(advice, told), style, room < 16);
    if (height(text) <= room) break;
  }
  return text;
}

/** How many reasons and how many words of advice, ever less: first fewer reasons, down to three, then less advice, then fewer still of both. */
function* sizes(reasons: number, advice: number): Generator<readonly [number, number]> {
  for (let shown = Math.min(few, reasons); shown > 3; shown--) yield [shown, advice];
  for (let told = advice; told >= 1; told--) yield [Math.min(3, reasons), told];
  for (let shown = Math.min(2, reasons); shown >= 1; shown--) yield [shown, Math.min(1, advice)];
  yield [1, 0];
}

function join(head: string, list: readonly string[], advice: readonly string[], style: Style, dense = false): string {
  const title = advice.length === 0 ? [] : [...(dense ? [] : ['']), style('bold', 'What can be done, safest first:')];
  return [head, ...list, ...title, ...advice.map((each) => `  - ${each}`)].join('\n');
}

function cut(advice: readonly string[], told: number): string[] {
  if (told === 0 || told >= advice.length) return advice.slice(0, told);
  return [...advice.slice(0, told - 1), `${advice[told - 1]} … ${advice.length - told} more: --verbose`];
}

function headline({ patch, target, blockers, tasks, seconds }: BlockersView, style: Style): string {
  const what = target === 1 ? 'is being enabled' : 'is being taken back';
  const lasting = seconds === undefined ? '' : ` since ${formatDuration(seconds * 1000)}`;
  const held = blockers.filter(({ task }) => task !== undefined).length;
  const left = held === 0 ? 'no task in /proc is left' : `${held} of ${plural(tasks, 'task')} left`;
  return `${style(['yellow', 'bold'], `${patch} ${what}`)}${lasting}: ${left}`;
}

function oneByOne({ blockers, uptime }: HeldView, style: Style, stacks: boolean): string[] {
  const rows = blockers.map(({ task, since, text }) => [
    task === undefined ? 'idle' : String(task.tid),
    printable(task?.comm ?? ''),
    since === undefined || since > uptime ? '' : formatDuration((uptime - since) * 1000),
    text,
  ]);
  const lines = table([['TASK', 'COMMAND', 'SINCE', 'WHY'], ...rows]).split('\n');
  return lines.flatMap((line, i) => {
    const frames = stacks && i > 0 ? (blockers[i - 1]?.frames ?? []) : [];
    return [
      i === 0 ? style('dim', line) : line,
      ...frames.map((frame) => style('dim', `          ${showFrame(frame)}`)),
    ];
  });
}

interface Group {
  readonly text: string;
  readonly members: readonly Blocker[];
}

/** By why they stay, the largest group first; CPUs that they run on are no difference. */
export function groupBlockers(blockers: readonly Blocker[]): Group[] {
  const groups = new Map<string, { text: string; members: Blocker[] }>();
  for (const blocker of blockers) {
    const text = blocker.text.replace(/ on CPU \d+/, '');
    const group = groups.get(text) ?? { text, members: [] };
    group.members.push(blocker);
    groups.set(text, group);
  }
  return [...groups.values()]
    .map(({ text, members }) => ({ text: members.length === 1 ? members[0]!.text : severally(text), members }))
    .sort((a, b) => b.members.length - a.members.length);
}

/** Of several: `sleeps in f()` → `sleep in f()`. */
function severally(text: string): string {
  const verbs: Readonly<Record<string, string>> = { is: 'are', was: 'were', has: 'have' };
  return text.replace(/^\w+/, (verb) => verbs[verb] ?? verb.replace(/s$/, ''));
}

function byReason(groups: readonly Group[], shown: number): string[] {
  const rows = groups
    .slice(0, shown)
    .map(({ text, members }) => [String(members.length), `${text}: ${names(members)}`]);
  const more = groups.slice(shown);
  const rest = more.reduce((sum, { members }) => sum + members.length, 0);
  return [
    ...table([['TASKS', 'WHY'], ...rows]).split('\n'),
    ...(rest === 0
      ? []
      : [`and ${plural(rest, 'task')} more, for ${plural(more.length, 'reason')}: --verbose names all`]),
  ];
}

/** `nginx (141, 142, 143, 144 and 996 more)`; workers that differ in their number only are one command. */
function names(members: readonly Blocker[]): string {
  const commands = new Map<string, Blocker[]>();
  for (const member of members) {
    const comm = printable(member.task?.comm ?? 'idle tasks').replace(/\d+/g, 'N');
    commands.set(comm, [...(commands.get(comm) ?? []), member]);
  }
  const shown = [...commands].slice(0, fewNames).map(([comm, tasks]) => {
    const tids = tasks.flatMap(({ task }) => (task === undefined ? [] : [task.tid]));
    const more = tids.length - fewNames;
    const label = tasks.length === 1 ? printable(tasks[0]!.task?.comm ?? comm) : comm;
    return tids.length === 0
      ? label
      : `${label} (${tids.slice(0, fewNames).join(', ')}${more > 0 ? ` and ${more} more` : ''})`;
  });
  const more = commands.size - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${plural(more, 'command')} more` : ''}`;
}

/** A name is whatever its program chose: no escape sequences, no line breaks. */
function printable(name: string): string {
  return name.replace(/\p{Cc}/gu, '?');
}

/**
 * Each thing once, waiting first, the last resort last. What concerns one task names it, unless it is the only one; all that `wake` brings through
 * is one line.
 */
function adviceFor({ blockers }: HeldView): string[] {
  const lines = new Map<string, { readonly rank: number; readonly who: Blocker[]; readonly calls: Set<string> }>();
  for (const blocker of blockers)
    for (const each of blocker.advice) {
      const [, restarted] = /^wake it now: livegraft wake \((\S+) is restarted/.exec(each) ?? [];
      const [, noticed] = /^wake it: livegraft wake --task \d+, but (.*)$/.exec(each) ?? [];
      const key = restarted === undefined ? (noticed ?? each) : wakeable;
      const rank = isRevert(each)
        ? 4
        : /^wait\b/.test(each)
          ? 0
          : restarted !== undefined
            ? 1
            : noticed === undefined
              ? 3
              : 2;
      const line = lines.get(key) ?? { rank, who: [], calls: new Set<string>() };
      line.who.push(blocker);
      if (restarted !== undefined) line.calls.add(restarted);
      lines.set(key, line);
    }
  return [...lines]
    .sort(([, a], [, b]) => a.rank - b.rank)
    .map(([text, { rank, who, calls }]) => {
      if (text === wakeable) {
        const whom = who.length === blockers.length ? (who.length === 1 ? 'it' : 'them') : plural(who.length, 'task');
        return `wake ${whom} now: livegraft wake (${[...calls].join(', ')}: restarted by the kernel, the program does not notice)`;
      }
      if (rank === 2) return `wake ${names(who)}: livegraft wake --task ${who[0]!.task?.tid}, but ${text}`;
      if (who.length === blockers.length || isRevert(text)) return text;
      return `${who.length > 2 ? plural(who.length, 'task') : names(who)}: ${text}`;
    });
}

const wakeable = '\0wake';

function isRevert(advice: string): boolean {
  return advice.startsWith('take it back');
}
