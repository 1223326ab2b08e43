/** livegraft status and livegraft list: what is loaded here, from the kernel itself. */
import { buildCommand } from '@stricli/core';
import type { Standing } from '../../live/standing.ts';
import type { HostStatus, LivepatchStatus } from '../../live/status.ts';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform, type Session } from '../command.ts';
import type { Context } from '../context.ts';
import { exitOf, functionsOf, isRoot } from '../host.ts';
import { table } from '../text.ts';

interface Flags extends CommonFlags {
  readonly check?: boolean;
}

export const status = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'What is loaded here, and what runs',
    fullDescription:
      'Read from the kernel itself, never from files of livegraft. With --check the exit code is the answer, for scripts: 0 when everything that is loaded (or named) is active and its own version of each function runs, 6 while a transition is going on, 1 otherwise. A bundle stands for exactly its own module, by build-id.\n\nExample: livegraft status\n         livegraft status livegraft_fix --check --quiet',
  },
  parameters: {
    flags: {
      ...commonFlags,
      check: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Exit code 0 only if all is as it should be',
      },
    },
    positional: {
      kind: 'array',
      parameter: { brief: 'Only these', parse: String, placeholder: 'NAME|BUNDLE' },
    },
  },
  async func({ check = false, ...flags }, ...words) {
    await perform(this, 'status', flags, async (session) => {
      const [{ hostRoots: roots }, { findSubject }, { readStatus, checkStatus }, { unknown }, live] = await Promise.all(
        [
          import('../../host/roots.ts'),
          import('../../live/subject.ts'),
          import('../../live/status.ts'),
          import('../../live/revert.ts'),
          import('../../live/standing.ts'),
        ],
      );
      const subjects = await Promise.all(words.map((word) => findSubject(roots, word)));
      const whole = await readStatus(roots, isRoot());
      const names = subjects.map(({ name }) => name);
      const is = (name: string): boolean => names.length === 0 || names.includes(name);
      const standing = await live.readStanding(roots);
      const shown: HostStatus & Standing = {
        ...standing,
        ...whole,
        livepatches: whole.livepatches.filter(({ name }) => is(name)),
        leftovers: whole.leftovers.filter(is),
        transition: whole.transition !== null && is(whole.transition.name) ? whole.transition : null,
      };
      const missing = names.find(
        (name) => !shown.leftovers.includes(name) && !shown.livepatches.some((each) => each.name === name),
      );
      if (missing !== undefined && !check && !standing.enabled.some((each) => each.name === missing))
        throw unknown(roots, missing);
      if (!(check && (flags.quiet ?? false))) {
        show(shown, session);
        showStanding(shown, session);
      }
      const problems = check
        ? [...checkStatus(whole, subjects), ...(subjects.length === 0 ? live.checkStanding(standing) : [])]
        : [];
      return { result: shown, exit: exitOf(problems, false), diagnostics: problems };
    });
  },
});

export const list = buildCommand<CommonFlags, [], Context>({
  docs: {
    brief: 'The livepatches that are loaded here, one a line',
    fullDescription:
      'The oldest first; also the modules of those that were reverted or replaced.\n\nExample: livegraft list',
  },
  parameters: { flags: commonFlags },
  async func(flags) {
    await perform(this, 'list', flags, async ({ print, style }) => {
      const [{ hostRoots: roots }, { readStatus }, { readStanding }] = await Promise.all([
        import('../../host/roots.ts'),
        import('../../live/status.ts'),
        import('../../live/standing.ts'),
      ]);
      const { livepatches, leftovers } = await readStatus(roots, false);
      const { suspects } = await readStanding(roots);
      const rows = [
        ...livepatches.map((each) => [
          each.name,
          stateCell(each, style),
          each.buildId?.slice(0, 12) ?? '',
          functionsOf(each),
        ]),
        ...leftovers.map((name) => [
          name,
          style('blue', 'reverted'.padEnd('disabling'.length)),
          '',
          `its module is left: livegraft unload ${name}`,
        ]),
      ];
      rows.push(
        ...suspects
          .filter(({ quarantined, name }) => quarantined && !rows.some(([first]) => first === name))
          .map(({ name, moduleId }) => [
            name,
            style('red', 'not here'.padEnd('disabling'.length)),
            moduleId.slice(0, 12),
            'quarantined: livegraft quarantine',
          ]),
      );
      print(rows.length === 0 ? 'No livepatch is loaded' : table(rows));
      return { result: { livepatches, leftovers, quarantined: suspects.filter((each) => each.quarantined) } };
    });
  },
});

function show(status: HostStatus, { print, style }: Session): void {
  print(verdict(status, style));
  for (const livepatch of status.livepatches) {
    const id = livepatch.buildId === undefined ? '' : style('dim', `  build-id ${livepatch.buildId.slice(0, 12)}`);
    print(`${style('bold', livepatch.name)}  ${stateCell(livepatch, style)}${id}`.trimEnd());
    for (const line of aboutLines(livepatch)) print(`  ${line}`);
    print(table(livepatch.objects.flatMap((object) => functionRows(object))));
  }
  for (const name of status.leftovers)
    print(`${style('bold', name)}  reverted; its module is still loaded: livegraft unload ${name}`);
}

/** What livegraft's own files say; nothing where they say nothing. */
function showStanding({ enabled, off, suspects, attempts, damaged }: Standing, { print, style }: Session): void {
  for (const { name, why = '' } of enabled.filter(({ loaded }) => !loaded))
    print(`${style('bold', name)}  ${style('yellow', 'enabled, not loaded')}: ${why}`);
  if (off !== null && enabled.length > 0) print(`The next boot loads nothing: ${off}`);
  for (const { name, quarantined, times } of suspects) {
    const state = quarantined ? style('red', 'quarantined') : style('yellow', 'suspected');
    print(
      `${style('bold', name)}  ${state}: the machine went down ${plural(times.length, 'time')} during an attempt; livegraft quarantine ${name}`,
    );
  }
  for (const { name, action, how, pid, step } of attempts) {
    if (how === 'killed') print(`An earlier ${action} of ${name} (process ${pid}) was killed after “${step}”`);
    if (how === 'running') print(`A ${action} of ${name} goes on (process ${pid}), after “${step}”`);
    if (how === 'down') print(`The machine went down during ${action} of ${name}, after “${step}”`);
  }
  if (damaged.length > 0)
    print(style('yellow', `The journal cannot be read in line ${damaged.join(', ')}: livegraft journal`));
}

/** What it is, in its module's own words. */
function aboutLines({ note }: LivepatchStatus): string[] {
  if (note === undefined) return ['made by another tool, or by livegraft before it left notes'];
  const left = (count = 0): string[] => (count === 0 ? [] : [`${count} more`]);
  const cves = [...note.cves, ...left(note.cvesLeft)];
  return [...note.patches, ...left(note.patchesLeft), ...(cves.length === 0 ? [] : [`fixes ${cves.join(', ')}`])];
}

/** The whole in one line, the worst first. */
function verdict({ kernel, livepatches, transition }: HostStatus, style: Session['style']): string {
  const moving = livepatches.find(({ inTransition }) => inTransition);
  if (moving !== undefined) {
    const direction = moving.enabled ? 'enabled' : 'taken back';
    const left = transition === null ? '' : `, ${transition.left} of ${plural(transition.tasks, 'task')} left`;
    return `${style(['yellow', 'bold'], 'in transition')}: ${moving.name} is being ${direction}${left}`;
  }
  if (livepatches.length === 0) return `${kernel.release}: no livepatch is loaded`;
  const words = `${plural(livepatches.length, 'livepatch', 'livepatches')} active`;
  return `${style(['green', 'bold'], words)} on ${kernel.release}, no transition`;
}

function functionRows(object: LivepatchStatus['objects'][number]): string[][] {
  const place = object.name === 'vmlinux' ? '' : ` [${object.name}]`;
  const waits = object.loaded ? (object.patched === false ? 'not replaced' : '') : 'when the module comes';
  return object.functions.map(({ name, position, overriddenBy }) => [
    `  ${name}${position > 1 ? `,${position}` : ''}${place}`,
    overriddenBy === undefined ? waits : `overridden by ${overriddenBy}`,
  ]);
}

function stateCell({ state }: LivepatchStatus, style: Session['style']): string {
  return style(state === 'active' ? 'green' : 'yellow', state.padEnd('disabling'.length));
}
