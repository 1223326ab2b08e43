// vitest's own closing lines are not understood everywhere: one plain line at the very end.
export default class SummaryReporter {
  onTestRunEnd(modules, errors) {
    const count = { passed: 0, failed: 0, skipped: 0 };
    const skipped = [];
    for (const module of modules) {
      if (module.state() === 'failed' && module.children.size === 0) count.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state === 'passed' || state === 'failed' ? state : 'skipped']++;
        if (state === 'skipped') skipped.push(`${test.fullName}${test.result().note ? `: ${test.result().note}` : ''}`);
      }
    }
    count.failed += errors.length;
    process.on('exit', () => {
      for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
      process.stdout.write(
        `${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}\n`,
      );
    });
  }
}
