/** What the trial in the virtual machine showed: each step, the transitions over time, the scripts' output, the kernel's own words. */

import type { Evidence, EvidenceFinding, EvidenceStep } from '../bundle/evidence.ts';
import { plural } from '../support/plural.ts';
import { type Marks, transitionChart } from './chart.ts';
import { Html, html } from './html.ts';
import { seconds } from './words.ts';

export function evidenceSection(evidence: Evidence | undefined, name: string): Html {
  const body =
    evidence === undefined
      ? html`<p>It was not tried yet. <code>livegraft try ${name}</code> boots the very kernel in a virtual machine, loads it there, follows every task, takes it back, and adds what came of it here.</p>`
      : tried(evidence);
  return html`<section id="evidence" aria-labelledby="evidence-heading"><h2 id="evidence-heading">Evidence from the virtual machine</h2>${body}</section>`;
}

function tried(evidence: Evidence): Html {
  const { verdict, why, started, kernel, machine, times, steps, findings, bundles } = evidence;
  const others = Object.keys(bundles).length - 1;
  return html`<p class="outcome ${verdict === 'passed' ? 'good' : 'bad'}"><strong>${verdict}</strong>: ${why}</p>
<dl class="facts"><dt>Kernel</dt><dd>${kernel.release}, ${machine.boot === 'image' ? 'booted as on iron, with KASLR' : 'booted unpacked, without KASLR'}${times.boot !== undefined && `, up after ${seconds(times.boot)}`}</dd>
<dt>Machine</dt><dd>QEMU ${machine.qemu}, ${machine.accel === 'tcg' ? 'emulation (tcg), one thread' : 'KVM'}, ${plural(machine.cpus, 'processor')}, ${machine.memory} MiB</dd>
<dt>When</dt><dd><time datetime="${started}">${started}</time>, ${seconds(times.total)} in all</dd>
${others > 0 && html`<dt>Beside</dt><dd>tried together with ${plural(others, 'other bundle')}</dd>`}</dl>
<div class="wide" role="region" aria-label="Steps of the trial" tabindex="0"><table class="list"><caption class="unseen">Steps of the trial</caption><thead><tr><th scope="col" class="number">Step</th><th scope="col">What</th><th scope="col">Outcome</th><th scope="col" class="number">At</th><th scope="col" class="number">Took</th><th scope="col">New taints</th></tr></thead><tbody>${steps.map(stepRow)}</tbody></table></div>
${steps.map((step) => stepMore(step, marksOf(step, findings)))}
${findings.length > 0 && html`<h3>What the kernel’s log says</h3>${findings.map(findingHtml)}`}`;
}

function stepRow({ number, kind, subject, need, outcome, exitCode, at, seconds: took, newTaints }: EvidenceStep): Html {
  const good = outcome === 'passed';
  const code = !good && exitCode !== undefined ? ` (exit code ${exitCode})` : '';
  const taints = Object.entries(newTaints).map(([letter, meaning]) => `${letter}: ${meaning}`);
  return html`<tr><td class="number">${number}</td><th scope="row">${kind} <code>${subject}</code></th><td class="${good ? 'good' : need === 'may' ? '' : 'bad'}">${outcome}${code}</td><td class="number">${at === undefined ? '' : seconds(at)}</td><td class="number">${took === undefined ? '' : seconds(took)}</td><td>${taints.join(', ')}</td></tr>`;
}

/** A drawing of the transition, and what was printed. */
function stepMore(step: EvidenceStep, marks: Marks): Html {
  const { kind, subject, transition = [], output, outputCut } = step;
  const [first] = transition;
  const drawing =
    first !== undefined &&
    html`<figure><figcaption>Transition of ${kind} <code>${subject}</code>: tasks still to move${tookWords(marks)}</figcaption>${transitionChart(step, transition, marks)}
${transition.some(({ inTransition, left }) => inTransition && left === 0) && html`<p>A dot is a count; the broken line was not counted, but a transition begins with all tasks. None left and yet not complete: an idle task has still to move, and these have no entry in <code>/proc</code>.</p>`}
<details class="inner"><summary>${plural(transition.length, 'sample')} as a table</summary><table class="list"><thead><tr><th scope="col" class="number">Seconds</th><th scope="col" class="number">Left</th><th scope="col" class="number">Of</th><th scope="col">Who</th></tr></thead><tbody>${transition.map(sampleRow)}</tbody></table></details></figure>`;
  const printed =
    output.trim() !== '' &&
    html`<details class="inner" open><summary>Output of ${kind} <code>${subject}</code></summary><pre>${output}${outputCut && '\n… cut here'}</pre></details>`;
  return html`${drawing}${printed}`;
}

/** What the livepatch core logs (kernel/livepatch/transition.c), on the step’s clock. */
function marksOf({ number, at: from }: EvidenceStep, findings: readonly EvidenceFinding[]): Marks {
  const time = (pattern: RegExp): number | undefined => {
    const found = findings.find(({ step, title }) => step === number && pattern.test(title));
    return found?.time === undefined || from === undefined ? undefined : found.time - from;
  };
  const [begin, end] = [time(/: starting (un)?patching transition$/), time(/: (un)?patching complete$/)];
  return { ...(begin === undefined ? {} : { begin }), ...(end === undefined ? {} : { end }) };
}

function tookWords({ begin, end }: Marks): string {
  return begin === undefined || end === undefined ? '' : `, ${seconds(end - begin)} by the kernel’s log`;
}

/** So many blockers are named in a row. */
const few = 8;

function sampleRow({ at, left, tasks, blockers }: NonNullable<EvidenceStep['transition']>[number]): Html {
  const names = blockers.slice(0, few).map(({ comm, tid, state }) => `${comm} (${tid}, ${state})`);
  const more = blockers.length > few ? ` and ${blockers.length - few} more` : '';
  const stacks = blockers.filter(({ stack = [] }) => stack.length > 0);
  return html`<tr><td class="number">${at.toFixed(2)}</td><td class="number">${left}</td><td class="number">${tasks}</td><td>${names.join(', ')}${more}${stacks.map(({ comm, stack = [] }) => html`<pre>${comm}:\n${stack.map((frame) => `  ${frame}`).join('\n')}</pre>`)}</td></tr>`;
}

function findingHtml({ title, severity, step, time, lines }: EvidenceFinding): Html {
  const when = `${time === undefined ? '' : `[${time.toFixed(3)}] `}${title}${step === undefined ? '' : ` (step ${step})`}`;
  if (lines.length <= 1) return html`<p class="log ${severity}"><code>${when}</code></p>`;
  return html`<details class="inner log ${severity}"${severity !== 'note' && new Html(' open')}><summary><code>${when}</code></summary><pre>${lines.join('\n')}</pre></details>`;
}
