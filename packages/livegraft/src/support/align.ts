/** Two lists side by side: the longest common subsequence by Myers' algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986). */

/** Indices into the two lists; a side that has nothing there is absent. Rows are in order, and each index comes once. */
export type Align = readonly [before: number | undefined, after: number | undefined];

/** Differences that are looked for; beyond, the middle stands as one block of removed and one of added. */
const mostDifferences = 2000;

/** @param same whether the two are paired */
export function align(before: number, after: number, same: (before: number, after: number) => boolean): Align[] {
  let start = 0;
  while (start < before && start < after && same(start, start)) start++;
  let end = 0;
  while (end < before - start && end < after - start && same(before - 1 - end, after - 1 - end)) end++;
  const middle = pairsWithin(before - start - end, after - start - end, (i, j) => same(start + i, start + j));
  return sideBySide([
    ...Array.from({ length: start }, (_, i): Align => [i, i]),
    ...middle.map(([i, j]): Align => [i === undefined ? i : i + start, j === undefined ? j : j + start]),
    ...Array.from({ length: end }, (_, i): Align => [before - end + i, after - end + i]),
  ]);
}

/** Of the paths with the fewest differences one; removed before added. */
function pairsWithin(n: number, m: number, same: (i: number, j: number) => boolean): Align[] {
  const bound = Math.min(n + m, mostDifferences);
  // furthest[k + bound]: how far in the first list diagonal k = i - j has been followed
  const furthest = new Int32Array(2 * bound + 2);
  const history: Int32Array[] = [];
  for (let d = 0; d <= bound; d++) {
    history.push(furthest.slice());
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && furthest[k - 1 + bound]! < furthest[k + 1 + bound]!);
      let i = down ? furthest[k + 1 + bound]! : furthest[k - 1 + bound]! + 1;
      let j = i - k;
      while (i < n && j < m && same(i, j)) [i, j] = [i + 1, j + 1];
      furthest[k + bound] = i;
      if (i >= n && j >= m) return walkBack(history, n, m, bound);
    }
  }
  return [
    ...Array.from({ length: n }, (_, i): Align => [i, undefined]),
    ...Array.from({ length: m }, (_, j): Align => [undefined, j]),
  ];
}

function walkBack(history: readonly Int32Array[], n: number, m: number, bound: number): Align[] {
  const rows: Align[] = [];
  let [i, j] = [n, m];
  for (let d = history.length - 1; d >= 0; d--) {
    const furthest = history[d]!;
    const k = i - j;
    const down = k === -d || (k !== d && furthest[k - 1 + bound]! < furthest[k + 1 + bound]!);
    const from = d === 0 ? 0 : down ? furthest[k + 1 + bound]! : furthest[k - 1 + bound]! + 1;
    // d differences lie behind; what was followed since is common
    while (i > from && j > from - k && i > 0 && j > 0) rows.push([--i, --j]);
    if (d === 0) break;
    if (down) rows.push([undefined, --j]);
    else rows.push([--i, undefined]);
  }
  return rows.reverse();
}

/** A block of removed and the added ones behind it share rows. */
function sideBySide(rows: readonly Align[]): Align[] {
  const found: Align[] = [];
  for (let at = 0; at < rows.length; ) {
    const block = rows.slice(at).findIndex(([i, j]) => i !== undefined && j !== undefined);
    const to = block < 0 ? rows.length : at + block;
    const removed = rows.slice(at, to).flatMap(([i]) => (i === undefined ? [] : [i]));
    const added = rows.slice(at, to).flatMap(([, j]) => (j === undefined ? [] : [j]));
    for (let n = 0; n < Math.max(removed.length, added.length); n++) found.push([removed[n], added[n]]);
    if (to < rows.length) found.push(rows[to]!);
    at = to + 1;
  }
  return found;
}
