/** What the kernel says of its livepatches, as text for Prometheus (exposition format 0.0.4; node_exporter’s textfile collector reads it). */
import type { Standing } from './standing.ts';
import type { HostStatus } from './status.ts';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

/** @param now seconds since 1970, for the age of what is said */
export function metricsText(status: HostStatus, standing: Pick<Standing, 'enabled' | 'suspects'>, now: number): string {
  const { kernel, livepatches, leftovers, transition } = status;
  const label = (name: string): { readonly name: string } => ({ name });
  const metrics: Metric[] = [
    {
      name: 'livegraft_livepatch_info',
      help: 'A livepatch that the kernel knows; 1. Labels: its module and the GNU build-ids of module and kernel.',
      values: livepatches.map(({ name, buildId }) => [
        { name, build_id: buildId ?? '', release: kernel.release, kernel_build_id: kernel.buildId ?? '' },
        1,
      ]),
    },
    {
      name: 'livegraft_livepatch_active',
      help: '1 when every task runs the livepatch’s code, 0 while it is in transition or being forgotten.',
      values: livepatches.map(({ name, state }) => [label(name), Number(state === 'active')]),
    },
    {
      name: 'livegraft_livepatch_functions',
      help: 'Functions that the livepatch replaces, by the livepatch whose version runs.',
      values: livepatches.flatMap(({ name, objects }) => {
        const functions = objects.flatMap((object) => object.functions);
        const covered = functions.filter(({ overriddenBy }) => overriddenBy !== undefined).length;
        return [
          [{ name, runs: 'own' }, functions.length - covered],
          [{ name, runs: 'newer' }, covered],
        ];
      }),
    },
    {
      name: 'livegraft_cve_fixed',
      help: 'A CVE that a livepatch names; 1 while it is active. A livepatch that livegraft did not make names none.',
      values: livepatches.flatMap(({ name, state, note }) =>
        (note?.cves ?? []).map((cve) => [{ cve, name }, Number(state === 'active')] as const),
      ),
    },
    {
      name: 'livegraft_enabled_loaded',
      help: 'A bundle that is enabled for this kernel: 1 when it is loaded, or replaced by another that is enabled.',
      values: standing.enabled.map(({ name, loaded, superseded }) => [
        label(name),
        Number(loaded || superseded === true),
      ]),
    },
    {
      name: 'livegraft_quarantined',
      help: 'Bundles that are not loaded any more because the machine went down with them.',
      values: [[{}, standing.suspects.filter(({ quarantined }) => quarantined).length]],
    },
    {
      name: 'livegraft_transition_in_progress',
      help: '1 while the kernel moves tasks from one version to another.',
      values: [[{}, Number(livepatches.some(({ inTransition }) => inTransition))]],
    },
    {
      name: 'livegraft_transition_tasks_left',
      help: 'Tasks that have not moved yet, by what holds them back; idle CPUs are not among them.',
      values: leftByReason(transition),
    },
    {
      name: 'livegraft_modules_left',
      help: 'Modules of livepatches that were reverted or replaced: loaded, and of no effect.',
      values: [[{}, leftovers.length]],
    },
    {
      name: 'livegraft_scrape_timestamp_seconds',
      help: 'When this was read from the kernel.',
      values: [[{}, Math.floor(now)]],
    },
  ];
  return metrics.map(metricText).join('');
}

/** Without a transition a zero, so that a rule can compare. */
function leftByReason(transition: HostStatus['transition']): Metric['values'] {
  const counts = new Map<string, number>();
  for (const { task, reason } of transition?.blockers ?? [])
    if (task !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const told = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const rest = Math.max(0, (transition?.left ?? 0) - told);
  return [...[...counts].map(([reason, count]) => [{ reason }, count] as const), [{ reason: 'unknown' }, rest]];
}

function metricText({ name, help, values }: Metric): string {
  const lines = values.map(([labels, value]) => {
    const list = Object.entries(labels).map(([key, text]) => `${key}="${quoted(text)}"`);
    return `${name}${list.length === 0 ? '' : `{${list.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
