/** A plan for people: whose version of each function runs now, once the bundles are loaded, and once they are reverted. */
import type { Plan, PlannedLivepatch } from '../live/plan.ts';
import { plural } from '../support/plural.ts';
import { table } from './text.ts';

const fates: Readonly<Record<PlannedLivepatch['fate'], string>> = {
  stays: 'stays as it is',
  covered: 'stays, and the bundle’s versions run over it where both replace a function',
  replaced: 'is replaced: nothing of it runs any more, its module stays loaded until `livegraft unload`',
  leaving: 'is being taken back already',
};

export function planText({ functions, livepatches }: Plan): string {
  const version = (name: string | null): string => name ?? 'as shipped';
  const rows = functions.map(({ name, object, position, now, loaded, reverted }) => [
    `${name}${position > 1 ? `,${position}` : ''}${object === 'vmlinux' ? '' : ` [${object}]`}`,
    version(now),
    version(loaded),
    version(reverted),
  ]);
  const lost = functions.filter(({ now, reverted }) => now !== null && now !== reverted);
  return [
    table([['FUNCTION', 'NOW', 'LOADED', 'REVERTED AGAIN'], ...rows]),
    ...livepatches.map(({ name, fate }) => `${name} ${fates[fate]}`),
    ...(lost.length === 0
      ? []
      : [
          `A revert does not bring back what runs now in ${plural(lost.length, 'function')}: load the earlier bundle again for that`,
        ]),
  ].join('\n');
}
