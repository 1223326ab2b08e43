// One patch through `livegraft build`, and the record of what came of it, which another run takes up.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { programHash as hashOf, livegraft } from './program.mjs';
import { outcomeOf } from './reasons.mjs';
import { bundleName } from './sample.mjs';

/** Exit code of a livegraft that found another at work on the same thing. */
const busy = 75;

/**
 * Builds the patches, `jobs` at a time; `onRecord` hears of each as it is done.
 * @param {{ program: string, programHash: string, kernel: string, out: string, jobs: number, timeout: number, signal: AbortSignal }} run
 */
export async function buildAll(patches, run, onRecord) {
  const waiting = patches.entries();
  const worker = async () => {
    for (const [index, patch] of waiting) {
      run.signal.throwIfAborted();
      const known = knownRecord(patch, run);
      const record = known ?? (await buildOne(patch, run));
      if (known === undefined) {
        if (hashOf(run.program) !== run.programHash) throw new Error('livegraft was built anew meanwhile: start again');
        keepRecord(record, run);
      }
      onRecord(index, record, known !== undefined);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: run.jobs }, worker));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function buildOne(patch, { program, programHash, kernel, out, timeout, signal }) {
  const name = bundleName(patch.name);
  const args = ['build', patch.path, '--kernel', kernel, '--output', join(out, 'bundles'), '--name', name];
  let done = await livegraft({ program, args, timeout, signal });
  for (let i = 0; i < 20 && done.exit === busy; i++) {
    await sleep(5000, undefined, { signal });
    done = await livegraft({ program, args, timeout, signal });
  }
  const diagnostics = (done.document?.diagnostics ?? []).map(({ code, severity, place, message }) => ({
    code,
    severity,
    ...(place === undefined ? {} : { place }),
    message,
  }));
  const codes = [...new Set(diagnostics.filter((each) => each.severity === 'error').map((each) => each.code))];
  const manifest = done.document?.result?.manifest;
  // an exit code without its document is a crash, whatever the code is
  const exit = done.document === undefined ? null : done.exit;
  return {
    patch: patch.name,
    patchSha256: patch.sha256,
    kernel,
    program: programHash,
    outcome: outcomeOf(exit, codes),
    exit: done.exit,
    codes,
    ...(done.timedOut ? { timedOut: true } : {}),
    seconds: done.seconds,
    peakMegabytes: Math.round(done.peak / 1e6),
    ...(manifest === undefined
      ? { diagnostics }
      : {
          bundle: name,
          objects: manifest.targets.map((target) => target.object),
          forgets: manifest.targets.some((target) => target.forgets),
          functions: manifest.functions.map((each) => each.name),
          added: manifest.added.length,
          findings: manifest.findings,
        }),
    ...(outcomeOf(exit, codes) === 'failed' ? { stderr: done.stderr } : {}),
  };
}

function recordPath({ out }, name) {
  return join(out, 'records', `${name}.json`);
}

/** What an earlier run found, if it was for the same patch, kernel and livegraft, and its bundle is still there. */
function knownRecord(patch, run) {
  let record;
  try {
    record = JSON.parse(readFileSync(recordPath(run, patch.name), 'utf8'));
  } catch {
    return undefined;
  }
  const same =
    record.patchSha256 === patch.sha256 && record.kernel === run.kernel && record.program === run.programHash;
  const there = record.bundle === undefined || existsSync(join(run.out, 'bundles', record.bundle, 'manifest.json'));
  return same && there ? record : undefined;
}

export function keepRecord(record, run) {
  writeWhole(recordPath(run, record.patch), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** Writes a file by rename. */
export function writeWhole(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.tmp-${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}
