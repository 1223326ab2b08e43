/** What loading bundles will do to what is loaded, before anything is done: whose version of each function runs now, once they are loaded, and once they are reverted. */
import type { Manifest } from '../bundle/manifest.ts';
import type { Livepatch } from '../host/livepatch.ts';

export interface Plan {
  /** Every function that a loaded livepatch or one of the bundles replaces. */
  readonly functions: readonly PlannedFunction[];
  /** What becomes of the livepatches that are loaded, the oldest first. */
  readonly livepatches: readonly PlannedLivepatch[];
}

export interface PlannedFunction {
  readonly name: string;
  readonly object: string;
  readonly position: number;
  /** The livepatch whose version runs; null: the shipped one. */
  readonly now: string | null;
  readonly loaded: string | null;
  /** Once the bundles are reverted, the last one first: what atomic replace swept away does not come back. */
  readonly reverted: string | null;
}

export interface PlannedLivepatch {
  readonly name: string;
  /**
   * `stays`; `covered`: it stays, but for functions that a bundle replaces over it; `replaced`: gone by atomic replace, its module stays loaded
   * and does nothing; `leaving`: it is being taken back already.
   */
  readonly fate: 'stays' | 'covered' | 'replaced' | 'leaving';
}

interface Layer {
  readonly name: string;
  readonly keys: ReadonlySet<string>;
}

/**
 * @param there loaded livepatches, the oldest first
 * @param bundles in the order in which they will be loaded
 */
export function planLoad(
  there: readonly Livepatch[],
  bundles: readonly Pick<Manifest, 'name' | 'functions' | 'replace'>[],
): Plan {
  const before = there.filter(({ enabled }) => enabled).map(layerOf);
  const news = bundles.map((bundle) => ({ replace: bundle.replace, layer: layerOf(asLivepatch(bundle)) }));
  const after = news.reduce<readonly Layer[]>(
    (layers, { replace, layer }) => [...(replace ? [] : layers), layer],
    before,
  );
  const added = new Set(news.map(({ layer }) => layer));
  const reverted = after.filter((layer) => !added.has(layer));
  const keys = new Set([...before, ...news.map(({ layer }) => layer)].flatMap((layer) => [...layer.keys]));
  return {
    functions: [...keys].map((key) => ({
      ...parseKey(key),
      now: runs(before, key),
      loaded: runs(after, key),
      reverted: runs(reverted, key),
    })),
    livepatches: there.map(({ name, enabled }) => {
      if (!enabled) return { name, fate: 'leaving' };
      const layer = after.find((each) => each.name === name && !added.has(each));
      if (layer === undefined) return { name, fate: 'replaced' };
      return { name, fate: [...layer.keys].every((key) => runs(after, key) === name) ? 'stays' : 'covered' };
    }),
  };
}

/** A bundle as the kernel will show it once it is loaded. */
export function asLivepatch({ name, functions, replace }: Pick<Manifest, 'name' | 'functions' | 'replace'>): Livepatch {
  const objects = [...new Set(functions.map(({ object }) => object))].map((object) => ({
    name: object,
    functions: functions
      .filter((fn) => fn.object === object)
      .map((fn) => ({ name: fn.name, position: Math.max(1, fn.sympos) })),
  }));
  return { name, state: 'active', enabled: true, inTransition: false, replace, objects };
}

function layerOf({ name, objects }: Pick<Livepatch, 'name' | 'objects'>): Layer {
  const keys = objects.flatMap((object) => object.functions.map((fn) => `${object.name} ${fn.position} ${fn.name}`));
  return { name, keys: new Set(keys) };
}

function parseKey(key: string): Pick<PlannedFunction, 'name' | 'object' | 'position'> {
  const [object, position, name] = key.split(' ');
  return { name: name!, object: object!, position: Number(position) };
}

function runs(layers: readonly Layer[], key: string): string | null {
  return layers.findLast(({ keys }) => keys.has(key))?.name ?? null;
}
