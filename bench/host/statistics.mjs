// What figures are made of: quantiles, and a trend with its error.

/** The value that a share of all is at most as large as (nearest rank). */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** `{ min, median, p95, max }` */
export function spread(values) {
  return {
    min: quantile(values, 0),
    median: quantile(values, 0.5),
    p95: quantile(values, 0.95),
    max: quantile(values, 1),
  };
}

/** Least squares over 0, 1, 2, …: what a step adds, and the standard error of that. */
export function trend(values) {
  const n = values.length;
  if (n < 3) return { slope: 0, error: Number.POSITIVE_INFINITY };
  const meanX = (n - 1) / 2;
  const meanY = values.reduce((sum, y) => sum + y, 0) / n;
  let sxx = 0;
  let sxy = 0;
  for (const [x, y] of values.entries()) {
    sxx += (x - meanX) ** 2;
    sxy += (x - meanX) * (y - meanY);
  }
  const slope = sxy / sxx;
  const residue = values.reduce((sum, y, x) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  return { slope, error: Math.sqrt(residue / (n - 2) / sxx) };
}

/** Of a histogram by powers of two: the upper end of the bucket that holds the share. */
export function log2Quantile(buckets, share) {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [exponent, count] of buckets.entries()) {
    seen += count;
    if (seen >= share * total) return 2 ** exponent;
  }
  return 2 ** (buckets.length - 1);
}
