// What a guest with many bundles says about each of them: decided, or to be tried again.

const calm = ['passed', 'skipped', 'unreached'];

/**
 * Sorts the bundles of a batch by what `livegraft try` came to.
 * A batch is `{ records, later?, first? }`: `later` when the target cannot be loaded and the livepatch goes in alone; `first` what a
 * bundle that is tried once more alone came to among others.
 */
export function judge(batch, run) {
  const { records } = batch;
  const evidence = run.document?.result;
  if (evidence?.steps === undefined) {
    // no evidence: livegraft itself failed
    if (records.length > 1) return { decided: [], again: alone(records) };
    const messages = (run.document?.diagnostics ?? []).map((each) => `${each.code}: ${each.message}`);
    const why = run.timedOut ? 'livegraft try did not end in time' : `livegraft try ended with exit code ${run.exit}`;
    const complaints = messages.length > 0 ? messages : [run.stderr];
    return { decided: [[records[0], { verdict: 'no evidence', why, complaints, reload: 'not tried' }]], again: [] };
  }
  const stuck = unloadable(evidence);
  if (stuck !== undefined) {
    const without = records.filter((record) => !record.objects.includes(stuck));
    const having = records.filter((record) => record.objects.includes(stuck));
    return {
      decided: [],
      again: [...(without.length > 0 ? [{ records: without }] : []), ...alone(having, { later: true })],
    };
  }
  const decided = [];
  const again = [];
  const behind = [];
  for (const record of records) {
    const load = loadOf(record, evidence, batch);
    if (load === undefined) behind.push(record);
    else if (records.length > 1 && load.verdict !== 'passed') again.push(...alone([record], { first: load }));
    else if (records.length > 1 && load.reload === 'in use') again.push(...alone([record]));
    else decided.push([record, load]);
  }
  // every guest decides something, or the same batch would come again and again
  if (behind.length === records.length) again.push(...alone(behind));
  else if (behind.length > 0) again.push({ records: behind });
  return { decided, again };
}

function alone(records, more = {}) {
  return records.map((record) => ({ records: [record], ...more }));
}

/** A target module that the kernel as shipped did not take: it needs hardware that the guest lacks. */
function unloadable({ steps }) {
  const first = steps.find((step) => step.kind === 'load');
  return steps.find((step) => step.kind === 'modprobe' && step.number < first.number && !calm.includes(step.outcome))
    ?.subject;
}

/** A record's outcome in the guest, from the steps from its load to its unload; undefined when the guest did not come to it. */
function loadOf(record, evidence, { records, later, first }) {
  const { steps } = evidence;
  const from = steps.findIndex((step) => step.kind === 'load' && step.subject === record.bundle);
  const to = steps.findIndex((step) => step.kind === 'unload' && step.subject === record.bundle);
  const own = steps.slice(from, to + 1);
  const [load] = own;
  const deadBefore = ['skipped', 'unreached'].includes(load.outcome);
  if (deadBefore && records.length > 1) return undefined;
  const revert = own.find((step) => step.kind === 'revert');
  const missing = later ? own.find((step) => step.kind === 'modprobe' && !calm.includes(step.outcome)) : undefined;
  const bad = own.find((step) => step.need === 'must' && step !== missing && !calm.includes(step.outcome));
  const complaints = evidence.findings.filter(
    (finding) => finding.severity !== 'note' && within(finding, own, steps[to + 1], evidence),
  );
  const passed = bad === undefined && complaints.length === 0 && revert.outcome === 'passed';
  const died = ['panicked', 'hung', 'lost'].includes(evidence.verdict) && !passed;
  const why = passed
    ? 'loaded, reverted, unloaded'
    : bad === undefined
      ? (complaints[0]?.title ?? evidence.why)
      : `${bad.kind} ${bad.subject} ${bad.outcome}: ${bad.output.trim()}`;
  return {
    verdict: passed ? 'passed' : died ? evidence.verdict : 'failed',
    why,
    ...(load.seconds === undefined ? {} : { transitionSeconds: load.seconds }),
    ...(revert.seconds === undefined ? {} : { revertSeconds: revert.seconds }),
    ...reloadOf(own, missing),
    complaints: complaints.flatMap((finding) => finding.lines),
    guest: { bundles: records.length, seconds: evidence.times.total },
    ...(first === undefined ? {} : { amongOthers: { verdict: first.verdict, why: first.why } }),
  };
}

/** Whether a finding came during these steps, or after them and before the next; without a step and a time it is anybody's. */
function within({ step, time }, own, next, { steps }) {
  if (step !== undefined) return own.some(({ number }) => number === step);
  const begin = own[0].at;
  if (time === undefined || begin === undefined) return steps.filter(({ kind }) => kind === 'load').length === 1;
  return time >= begin && (next?.at === undefined || time < next.at);
}

function reloadOf(own, missing) {
  if (missing !== undefined) return { reload: 'not loadable', reloadSays: missing.output.trim() };
  const gone = own.filter((step) => step.kind === 'rmmod');
  if (gone.length === 0) return { reload: 'built in' };
  const kept = gone.find((step) => step.outcome !== 'passed');
  if (kept?.outcome === 'failed') return { reload: 'in use', reloadSays: kept.output.trim() };
  const back = own.filter((step) => step.kind === 'modprobe');
  const all = kept === undefined && back.every((step) => step.outcome === 'passed');
  return { reload: all ? 'reloaded' : 'not reached' };
}
