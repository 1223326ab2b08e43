/** Those who hold a transition back, for people: a line each while they are few, else by command and reason. */
import type { Blocker } from '../host/blockers.ts';
import { showFrame } from '../host/stacks.ts';
import type { Style } from './style.ts';
import { formatDuration, plural, table } from './text.ts';

/** More than fit on a small screen are told as groups. */
const few = 12;
const fewGroups = 12;
const fewIds = 4;

export interface BlockersView {
  readonly patch: string;
  readonly target: 0 | 1;
  readonly blockers: readonly Blocker[];
  /** Tasks of the machine. */
  readonly tasks: number;
  /** Seconds since the transition began, if known. */
  readonly seconds?: number;
  readonly uptime: number;
}

export function blockersText(view: BlockersView, style: Style, verbose: boolean): string {
  const { blockers } = view;
  const lines = [headline(view, style)];
  if (blockers.length <= few || verbose) lines.push(...oneByOne(view, style, verbose));
  else lines.push(...byGroup(blockers));
  const advice = adviceFor(blockers);
  if (advice.length > 0)
    lines.push('', style('bold', 'What can be done, safest first:'), ...advice.map((each) => `  - ${each}`));
  return lines.join('\n');
}

function headline({ patch, target, blockers, tasks, seconds }: BlockersView, style: Style): string {
  const what = target === 1 ? 'is being enabled' : 'is being taken back';
  const lasting = seconds === undefined ? '' : ` since ${formatDuration(seconds * 1000)}`;
  const held = blockers.filter(({ task }) => task !== undefined).length;
  const left = held === 0 ? 'no task in /proc is left' : `${held} of ${plural(tasks, 'task')} left`;
  return `${style(['yellow', 'bold'], `${patch} ${what}`)}${lasting}: ${left}`;
}

function oneByOne({ blockers, uptime }: BlockersView, style: Style, verbose: boolean): string[] {
  const rows = blockers.map(({ task, since, text }) => [
    task === undefined ? 'idle' : String(task.tid),
    task?.comm ?? '',
    since === undefined || since > uptime ? '' : formatDuration((uptime - since) * 1000),
    text,
  ]);
  const lines = table([['TASK', 'COMMAND', 'SINCE', 'WHY'], ...rows]).split('\n');
  return lines.flatMap((line, i) => {
    const frames = verbose && i > 0 ? (blockers[i - 1]?.frames ?? []) : [];
    return [
      i === 0 ? style('dim', line) : line,
      ...frames.map((frame) => style('dim', `          ${showFrame(frame)}`)),
    ];
  });
}

interface Group {
  readonly comm: string;
  readonly text: string;
  readonly members: readonly Blocker[];
}

/** By what they are called and why they stay, the largest group first. */
export function groupBlockers(blockers: readonly Blocker[]): Group[] {
  const groups = new Map<string, { comm: string; text: string; members: Blocker[] }>();
  for (const blocker of blockers) {
    const { task, text, reason } = blocker;
    // workers that differ in their number only, and CPUs that they run on
    const comm = task?.comm.replace(/\d+/g, 'N') ?? 'idle tasks';
    const same = text.replace(/ on CPU \d+/, '');
    const key = `${reason}\0${same.replace(/\(\d+/g, '(')}\0${comm}`;
    const group = groups.get(key) ?? { comm, text: same, members: [] };
    group.members.push(blocker);
    groups.set(key, group);
  }
  return [...groups.values()]
    .map(({ comm, text, members }) => ({
      comm: members.length === 1 ? (members[0]!.task?.comm ?? comm) : comm,
      text,
      members,
    }))
    .sort((a, b) => b.members.length - a.members.length);
}

function byGroup(blockers: readonly Blocker[]): string[] {
  const groups = groupBlockers(blockers);
  const rows = groups
    .slice(0, fewGroups)
    .map(({ comm, text, members }) => [String(members.length), comm, `${text}: ${ids(members)}`]);
  const more = groups.slice(fewGroups);
  const rest = more.reduce((sum, { members }) => sum + members.length, 0);
  return [
    table([['TASKS', 'COMMAND', 'WHY'], ...rows]),
    ...(rest === 0 ? [] : [`and ${plural(rest, 'task')} in ${plural(more.length, 'group')} more: --verbose names all`]),
  ];
}

function ids(members: readonly Blocker[]): string {
  const tids = members.flatMap(({ task }) => (task === undefined ? [] : [task.tid]));
  const more = tids.length - fewIds;
  return `${tids.slice(0, fewIds).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Each advice once, for the first task of each reason; what holds for all comes last. */
function adviceFor(blockers: readonly Blocker[]): string[] {
  const firsts = [
    ...new Map(
      groupBlockers(blockers).map(({ members: [first] }) => [`${first!.reason} ${first!.text}`, first!]),
    ).values(),
  ];
  const all = firsts.flatMap(({ advice }, i) => (i < 6 ? advice : []));
  const [own, back] = [all.filter((each) => !isRevert(each)), all.filter(isRevert)];
  return [...new Set([...own, ...back])];
}

function isRevert(advice: string): boolean {
  return advice.startsWith('take it back');
}
