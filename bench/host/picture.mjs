// The gaps as a picture: a row for each phase, from the median to the worst, on a logarithmic scale. SVG by hand; readable on light and dark.

const width = 860;
const left = 210;
const right = 90;
const rowHeight = 22;
const marks = ['p50', 'p99', 'p99.9', 'p99.99'];

/** @param measurements what `measureGaps` returns, one panel each */
export function gapsPicture(measurements) {
  const most = Math.max(...measurements.flatMap(({ phases }) => phases.map(({ worst }) => worst)));
  const least = Math.min(...measurements.flatMap(({ phases }) => phases.map(({ us }) => us[0])));
  const low = Math.floor(Math.log10(Math.max(least, 0.1)));
  const high = Math.ceil(Math.log10(most));
  const x = (us) => left + ((Math.log10(Math.max(us, 10 ** low)) - low) / (high - low)) * (width - left - right);
  let y = 58;
  const parts = [];
  for (const { title, phases } of measurements) {
    parts.push(text(12, y, title, 'title'));
    y += 10;
    const top = y;
    const rows = [];
    let crowd;
    for (const phase of phases) {
      if (phase.crowd !== crowd) {
        crowd = phase.crowd;
        y += rowHeight;
        rows.push(text(12, y, crowd === 0 ? 'few tasks' : `${crowd} threads more`, 'group'));
      }
      y += rowHeight;
      rows.push(row(phase, x, y));
    }
    y += 12;
    parts.push(grid(low, high, x, top, y), ...rows);
    y += 44;
  }
  const height = y - 10;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t">
<title id="t">How late a program ran that wants to run every 100 µs, while a livepatch is loaded and reverted, and under stop_machine</title>
<style>
  svg { font: 12px system-ui, sans-serif; --ink: #1f2328; --soft: #656d76; --line: #d0d7de; --bar: #0969da; --stop: #bc4c00; --back: #ffffff }
  @media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --soft: #8d96a0; --line: #30363d; --bar: #58a6ff; --stop: #f0883e; --back: #0d1117 } }
  text { fill: var(--ink) } .title { font-weight: 600 } .group, .axis, .key { fill: var(--soft) } .back { fill: var(--back) }
  .grid { stroke: var(--line) } .bar { stroke: var(--bar); fill: var(--bar) } .stop { stroke: var(--stop); fill: var(--stop) }
</style>
<rect class="back" width="100%" height="100%"/>
${text(12, 22, 'How late after each mark of 100 µs the program ran', 'title')}
${text(12, 39, 'circle: median; ticks: 99 %, 99.9 %, 99.99 % of all marks; square and figure: the longest gap', 'key')}
${parts.join('\n')}
</svg>
`;
}

function row({ phase, us, worst }, x, y) {
  const style = phase === 'stop_machine' ? 'stop' : 'bar';
  const middle = y - 4;
  const ticks = us
    .slice(1)
    .map(
      (value, i) =>
        `<path d="M${at(x(value))} ${middle - 5}v10" stroke-width="1.5"><title>${marks[i + 1]}: ${figure(value)}</title></path>`,
    );
  const label = `${phase}: median ${figure(us[0])}, worst ${figure(worst)}`;
  return `<g class="${style}"><title>${label}</title><path d="M${at(x(us[0]))} ${middle}H${at(x(worst))}" stroke-width="2" stroke-opacity=".55"/><circle cx="${at(x(us[0]))}" cy="${middle}" r="3.5"/>${ticks.join('')}<rect x="${at(x(worst) - 3)}" y="${middle - 3}" width="6" height="6"/></g>
${text(left - 12, y, phase, 'name', 'end')}${text(width - right + 10, y, figure(worst), 'worst')}`;
}

function grid(low, high, x, top, bottom) {
  const lines = [];
  for (let power = low; power <= high; power++) {
    const place = at(x(10 ** power));
    lines.push(
      `<path class="grid" d="M${place} ${top}V${bottom}"/>${text(place, bottom + 15, figure(10 ** power), 'axis', 'middle')}`,
    );
  }
  return lines.join('\n');
}

function text(x, y, content, style, anchor = 'start') {
  return `<text class="${style}" x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}

const at = (value) => Number(value.toFixed(1));

/** `14.8 µs`, `1.2 ms`, `3 s` */
export function figure(us) {
  const [value, unit] = us >= 1e6 ? [us / 1e6, 's'] : us >= 1000 ? [us / 1000, 'ms'] : [us, 'µs'];
  return `${value >= 100 ? value.toFixed(0) : Number(value.toPrecision(2))} ${unit}`;
}
