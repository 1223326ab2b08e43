/** Entries of the journal in the system's log too, as fields: journald's own where it listens, RFC 5424 structured data otherwise. Best effort. */
import { existsSync } from 'node:fs';
import { tryRun } from '../../support/exec.ts';
import type { JournalEntry } from './entry.ts';

/** 32473 is the number for private use in documentation (RFC 5612); livegraft has none of its own. */
const structuredDataId = 'livegraft@32473';

/** Never throws and never waits long: what matters stands in livegraft's own journal. */
export async function tellSystemLog(entry: JournalEntry): Promise<void> {
  if (!['end', 'settled', 'down'].includes(entry.step)) return;
  const call = loggerCall(entry, existsSync('/run/systemd/journal/socket'), existsSync('/dev/log'));
  if (call !== undefined)
    await tryRun('logger', call.args, { input: call.input, timeout: 2000 }).catch(() => undefined);
}

/** Arguments and input of util-linux's `logger`; undefined where nobody listens. */
export function loggerCall(
  entry: JournalEntry,
  journald: boolean,
  syslog: boolean,
): { readonly args: string[]; readonly input: string } | undefined {
  const message = messageOf(entry);
  const priority = isBad(entry) ? 4 : 5;
  const fields = fieldsOf(entry);
  if (journald) {
    const lines = fields.map(([name, value]) => `LIVEGRAFT_${name.toUpperCase()}=${oneLine(value)}`);
    const head = [`MESSAGE=${message}`, `PRIORITY=${priority}`, 'SYSLOG_IDENTIFIER=livegraft'];
    return { args: ['--journald'], input: `${[...head, ...lines].join('\n')}\n` };
  }
  if (!syslog) return undefined;
  const data = fields.flatMap(([name, value]) => ['--sd-param', `${name}="${escaped(oneLine(value))}"`]);
  const level = priority === 4 ? 'warning' : 'notice';
  const args = ['--rfc5424', '--tag', 'livegraft', '--priority', `daemon.${level}`, '--sd-id', structuredDataId];
  return { args: [...args, ...data], input: `${message}\n` };
}

function isBad({ step, exit = 0 }: JournalEntry): boolean {
  return step === 'down' || exit !== 0;
}

function messageOf({ action, name = '', step, outcome, exit = 0 }: JournalEntry): string {
  if (step === 'down') return `the machine went down during ${action} of ${name}`;
  if (step === 'settled') return `${name} has settled`;
  const result = outcome === undefined ? '' : `: ${outcome}`;
  return oneLine(`${action} ${name}${result}${exit === 0 ? '' : ` (exit code ${exit})`}`);
}

function fieldsOf(entry: JournalEntry): (readonly [string, string])[] {
  const { attempt, action, step, name, moduleId, kernel, outcome, exit, uid, user, codes } = entry;
  const all = {
    attempt,
    action,
    step,
    name,
    module: moduleId,
    kernel: kernel?.release,
    outcome,
    exit: exit?.toString(),
    codes: codes?.join(','),
    uid: String(uid),
    user,
  };
  return Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
  return text.replaceAll(/[\u0000-\u001f]+/g, ' ');
}

/** RFC 5424, 6.3.3 */
function escaped(text: string): string {
  return text.replaceAll(/["\\\]]/g, '\\$&');
}
