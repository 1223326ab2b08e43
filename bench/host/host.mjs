// npm run bench -- --only host: what livepatching costs a machine that runs, measured in guests: gaps in execution, and calls of patched functions.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/setup.mjs';
import { measureCost, states } from './cost.mjs';
import { measureGaps } from './gaps.mjs';
import { figure, gapsPicture } from './picture.mjs';

const titles = {
  counted: 'One processor whose clock counts instructions, 4 ns each',
  parallel: 'Two processors, emulated at the same time: the program has one, all else is on the other',
};

/** Prints tables with `tell`, writes the picture; returns the figures, without histograms. */
export async function benchHost(scratch, { kernel, picture, tell = () => undefined }) {
  const patch = join(root, 'examples/sleeping-reader/example.patch');
  const cost = await measureCost(scratch, { kernel });
  tell('\nA call of a function (of the loop around it, the same everywhere)      instructions   ns, emulated');
  for (const { state, instructions, ns } of cost.rows)
    tell(`  ${states[state].padEnd(64)} ${String(instructions).padStart(16)} ${ns.toFixed(1).padStart(14)}`);
  const gaps = [];
  for (const way of ['counted', 'parallel']) {
    const measured = { title: titles[way], ...(await measureGaps(scratch, way, { kernel, patch })) };
    gaps.push(measured);
    tell(`\n${measured.title}: how late after each mark of 100 µs it ran`);
    tell(
      `  ${'more threads, phase'.padEnd(26)}${['marks', 'p50', 'p99', 'p99.9', 'p99.99', 'worst gap'].map((word) => word.padStart(11)).join('')}`,
    );
    for (const { crowd, phase, marks, us, worst } of measured.phases)
      tell(
        `  ${`${crowd}, ${phase}`.padEnd(26)}${[marks, ...us.map(figure), figure(worst)].map((cell) => String(cell).padStart(11)).join('')}`,
      );
    for (const crowd of new Set(measured.walks.map((walk) => walk.crowd))) {
      const walks = measured.walks.filter((walk) => walk.crowd === crowd);
      const { tasks, frames } = walks[0];
      const took = walks.map(({ ns }) => ns / 1000).sort((a, b) => a - b);
      tell(
        `  stop_machine walked ${frames} frames of ${tasks} tasks in ${figure(took[Math.floor(took.length / 2)])} (${figure(took[0])} … ${figure(took.at(-1))}, ${walks.length} walks)`,
      );
    }
    for (const complaint of measured.complaints) tell(`  THE KERNEL COMPLAINED: ${complaint}`);
  }
  if (picture !== undefined) writeFileSync(picture, gapsPicture(gaps));
  return {
    cost,
    gaps: gaps.map(({ phases, ...rest }) => ({
      ...rest,
      phases: phases.map((phase) => ({ ...phase, histogram: undefined })),
    })),
  };
}
