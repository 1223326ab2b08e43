/** Names that a mistyped name may have meant. */

/** The `count` names with the smallest edit distance (Levenshtein), nearest first; of equals the later in `names`, which are oldest first. */
export function nearest(wanted: string, names: readonly string[], count = 3): string[] {
  return names
    .map((name, index) => ({ name, index, distance: editDistance(wanted, name) }))
    .sort((a, b) => a.distance - b.distance || b.index - a.index)
    .slice(0, count)
    .map(({ name }) => name);
}

export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replace, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
