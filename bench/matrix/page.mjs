// What a run of the matrix says: a line a kernel for the terminal, a page for the documentation.
import { quantile } from '../host/statistics.mjs';

const giga = (bytes, digits = 1) => `${(bytes / 1e9).toFixed(digits)} GB`;
const fetchTime = (seconds) => (seconds === undefined ? 'was here' : `${seconds.toFixed(0)} s`);
const times = (played, key) => played.map((each) => each[key]).filter((value) => value !== undefined);
const typical = (played, key) => {
  const values = times(played, key);
  return values.length === 0 ? '' : `${quantile(values, 0.5).toFixed(1)} s`;
};
const count = (played, outcome) => played.filter((each) => each.outcome === outcome).length;

function examplesOf(played) {
  const parts = ['passed', 'refused', 'absent', 'failed'].map((outcome) => [outcome, count(played, outcome)]);
  return parts.flatMap(([outcome, number]) => (number === 0 ? [] : [`${number} ${outcome}`])).join(', ');
}

const noticed = (names) => (names === undefined ? 'not tried' : names.length === 0 ? '**no**' : namesOf(names));
function namesOf(names) {
  const [first, ...more] = names;
  return more.length === 0 ? `\`${first}\`` : `\`${first}\` and ${more.length} more`;
}

/** One line for the terminal. */
export function line({ title, release, provenance, byCompiler, byConfig, played }) {
  const equal = Object.entries(provenance).map(([object, { equal, different }]) => {
    return `${equal} of ${object} equal${different.length === 0 ? '' : `, ${different.length} not (${different[0]} …)`}`;
  });
  const parts = [
    equal.join(', '),
    `other compiler: ${noticed(byCompiler)}`,
    `other option: ${noticed(byConfig)}`,
    `examples: ${examplesOf(played)}`,
    `build ${typical(played, 'build')}, trial ${typical(played, 'trial')}`,
  ];
  return `${title} ${release}: ${parts.join('; ')}`;
}

function table(head, rows) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

/** docs/support-matrix.md */
export function document(rows, { cache, beside }) {
  const kernels = table(
    ['', 'release', 'package', 'compiler', 'linker', 'objtool', 'IBT', 'MODVERSIONS', 'modules'],
    rows.map(({ title, facts, about }) => [
      title,
      `\`${facts.release}\``,
      facts.origin.version,
      facts.compiler.replace(/^\S+ /, ''),
      facts.linker.replace(/^GNU ld /, ''),
      about.profile.objtool === 'link' ? 'at the link' : 'on each unit',
      about.profile.sealedLandingPads > 0 ? 'yes' : 'no',
      about.modversions ? 'yes' : 'no',
      about.modules,
    ]),
  );
  const proofs = table(
    [
      '',
      'built in: equal',
      'module: equal',
      'overridden or start-up',
      'another compiler differs in',
      'another option differs in',
    ],
    rows.map(({ title, provenance: { vmlinux, ext4 }, byCompiler, byConfig }) => [
      title,
      `${vmlinux.equal} of ${vmlinux.equal + vmlinux.different.length}`,
      `${ext4.equal} of ${ext4.equal + ext4.different.length}`,
      vmlinux.apart + ext4.apart,
      noticed(byCompiler),
      noticed(byConfig),
    ]),
  );
  const names = rows[0]?.played.map(({ name }) => name) ?? [];
  const mark = ({ outcome, build, trial }) => {
    if (outcome === 'passed') return `${build.toFixed(0)} + ${trial.toFixed(0)} s`;
    return outcome;
  };
  const outcomes = table(
    ['', ...rows.map(({ title }) => title)],
    names.map((name) => [name, ...rows.map(({ played }) => mark(played.find((each) => each.name === name)))]),
  );
  const absent = rows.flatMap(({ title, played }) =>
    played.filter(({ outcome }) => outcome === 'absent').map(({ name, why }) => `- ${name} on ${title}: ${why}`),
  );
  const costs = table(
    ['', 'on disk', 'fetched in', 'boot', 'build', 'trial'],
    rows.map(({ title, size, fetchSeconds, played }) => [
      title,
      giga(size),
      fetchTime(fetchSeconds),
      typical(played, 'boot'),
      typical(played, 'build'),
      typical(played, 'trial'),
    ]),
  );
  const second =
    beside === undefined
      ? ''
      : `\nA second kernel of a series adds only what differs: \`${beside.release}\` beside \`${beside.first}\` takes ${giga(beside.size, 2)} more (fetched: ${fetchTime(beside.fetchSeconds)}).\n`;
  return `# Kernels that are tried

<!-- Written by \`npm run matrix\`; bench/matrix/kernels.mjs is the list. -->

${kernels}

## Is the rebuilt code the shipped code?

Whole units compared: \`bench/matrix/kernels.mjs\` names them. To see that the comparison would notice, one unit is compiled by another kernel's compiler,
and one with an option of the configuration taken away: these functions then differ.

${proofs}

## The examples

Seconds to build, and to try in the kernel: load, effect, targets unloaded and loaded again, revert.

${outcomes}
${absent.length === 0 ? '' : `\n${absent.join('\n')}\n`}
## What it costs

Medians of the examples; under emulation, on the machine of whoever ran it. On disk: one alone. The whole cache, downloads and compilers
included: ${giga(cache)}.

${costs}
${second}`;
}
