// The results as a table for people.
import { everyTool, holdsForEveryTool, score } from './reasons.mjs';

const order = ['failed', 'provenance', 'refused', 'does-not-compile', 'unchanged', 'built'];

/** One line: the figure and the numbers it is made of. */
export function scoreLine(records) {
  const s = score(records);
  const figure = s.percent === null ? 'none to build' : `${s.built} of ${s.buildable} built, ${s.percent} %`;
  return (
    `${figure} (refused for lack of an implementation ${s.lacking}, provenance ${s.provenance}, failed ${s.failed}); ` +
    `of ${s.patches} patches ${s.everyTool} refused for a reason that holds for every tool, ${s.unchanged} change no code, ${s.doesNotCompile} do not compile alone`
  );
}

/** results.md. */
export function reportText({ kernel, program, total }, records) {
  const seconds = records.map((each) => each.seconds).sort((a, b) => a - b);
  const lines = [
    `# Corpus on ${kernel}`,
    '',
    `${scoreLine(records)}.`,
    '',
    `${records.length} of ${total} patches done; livegraft build ${program}; ` +
      `seconds a build: median ${seconds[seconds.length >> 1] ?? '–'}, longest ${seconds.at(-1) ?? '–'}.`,
    '',
    ...reasonTable(records),
    '',
    ...loadSummary(records),
    '## Patches',
    '',
    ...table(
      ['patch', 'outcome', 'codes', 's', 'MB', 'functions', 'in the guest'],
      order.flatMap((outcome) => records.filter((each) => each.outcome === outcome)).map(patchRow),
    ),
    '',
    ...complaints(records),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function reasonTable(records) {
  const rows = new Map();
  for (const record of records.filter((each) => ['refused', 'provenance', 'failed'].includes(each.outcome))) {
    const code = decidingCode(record);
    const row = rows.get(code) ?? { code, outcome: record.outcome, count: 0 };
    rows.set(code, { ...row, count: row.count + 1 });
  }
  const cells = [...rows.values()]
    .sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1))
    .map(({ code, outcome, count }) => [
      `\`${code}\``,
      String(count),
      outcome === 'refused' && code in everyTool ? 'yes' : 'no',
      outcome === 'refused' ? (everyTool[code] ?? 'not done yet') : outcome,
    ]);
  return table(['first reason', 'patches', 'holds for every tool', 'why'], cells);
}

/** The code a refusal is counted under: a reason that holds for every tool, if there is one. */
function decidingCode(record) {
  const wide = holdsForEveryTool(record) ? record.codes.find((code) => code in everyTool) : undefined;
  return wide ?? record.codes[0] ?? (record.timedOut ? 'timed out' : `exit ${record.exit}`);
}

function loadSummary(records) {
  const tried = records.filter((each) => each.load !== undefined);
  if (tried.length === 0) return [];
  const count = (wanted) => tried.filter(({ load }) => wanted(load)).length;
  const transitions = tried.flatMap(({ load }) => load.transitionSeconds ?? []).sort((a, b) => a - b);
  return [
    '## In the guest',
    '',
    `${count((load) => load.verdict === 'passed')} of ${tried.length} bundles loaded and reverted without a complaint of the kernel. ` +
      `Target modules unloaded and loaded again while patched: ${count((load) => load.reload === 'reloaded')}; in use: ${count((load) => load.reload === 'in use')}; ` +
      `not loadable in a guest: ${count((load) => load.reload === 'not loadable')}; built in: ${count((load) => load.reload === 'built in')}. ` +
      `Transition: median ${transitions[transitions.length >> 1] ?? '–'} s, longest ${transitions.at(-1) ?? '–'} s.`,
    '',
  ];
}

function patchRow(record) {
  return [
    record.patch,
    record.outcome,
    record.codes.map((code) => `\`${code}\``).join(' '),
    record.seconds.toFixed(1),
    String(record.peakMegabytes),
    record.functions === undefined ? '' : String(record.functions.length),
    record.load === undefined ? '' : `${record.load.verdict}, ${record.load.reload}`,
  ];
}

/** Full messages of what should not have been refused, and what the kernel complained of. */
function complaints(records) {
  const lines = [];
  for (const record of records) {
    const ours =
      ['failed', 'provenance'].includes(record.outcome) || (record.outcome === 'refused' && !holdsForEveryTool(record));
    if (ours) {
      lines.push(`### ${record.patch}`, '', '```text');
      for (const each of record.diagnostics ?? []) lines.push(`${each.severity}[${each.code}] ${each.message}`);
      if (record.stderr !== undefined) lines.push(record.stderr.trim());
      lines.push('```', '');
    }
    if (record.load !== undefined && record.load.verdict !== 'passed') {
      lines.push(
        `### ${record.patch} in the guest`,
        '',
        '```text',
        record.load.why,
        ...record.load.complaints,
        '```',
        '',
      );
    }
  }
  return lines.length === 0 ? [] : ['## What went wrong', '', ...lines];
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)];
}
