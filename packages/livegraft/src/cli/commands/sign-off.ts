/** livegraft sign-off: somebody answers for a bundle. */
import { buildCommand } from '@stricli/core';
import type { SeenFile } from '../../bundle/contents.ts';
import { linePattern, personPattern } from '../../bundle/person.ts';
import type { Review } from '../../bundle/review.ts';
import type { SignOff } from '../../bundle/sign-off.ts';
import { LivegraftError } from '../../diagnostics/diagnostic.ts';
import { signOffDeclined, signOffUnconfirmed } from '../../diagnostics/sign-off.ts';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform, type Session } from '../command.ts';
import type { Context } from '../context.ts';
import { wrap } from '../text.ts';

interface Flags extends CommonFlags {
  readonly by: string;
  readonly verdict: SignOff['verdict'];
  readonly comment?: string;
  readonly key?: string;
  readonly yes?: boolean;
}

export const signOff = buildCommand<Flags, [string], Context>({
  docs: {
    brief: 'Answer for a bundle: approve or reject what it is now',
    fullDescription:
      'Shows what is signed: the verdict of the review, the findings that need judgement, the digest of each file. Then asks, and adds who, when, verdict and digests to sign-offs.json in the bundle. Any later change of a file (a new `livegraft try` too) makes an approval stale. `livegraft load --require-sign-off`, or the file /etc/livegraft/require-sign-off, lets only approved bundles in; a rejection keeps the module out until the same person approves it.\nWithout --key a sign-off is a record, and no proof: whoever can write to the bundle can write one. With --key, ssh-keygen signs it; where /etc/livegraft/allowed_signers is there (ALLOWED SIGNERS in ssh-keygen(1), mail addresses as principals, namespace livegraft), only approvals signed by a key in it count.\n\nExample: livegraft sign-off livegraft_fix --by "Ada Reader <ada@example.org>" --verdict approved\n         livegraft sign-off livegraft_fix --by "Ada Reader <ada@example.org>" --verdict rejected --comment "lock order"',
  },
  parameters: {
    flags: {
      ...commonFlags,
      by: { kind: 'parsed', parse: signer, brief: 'Who signs: Name <mail>', placeholder: 'PERSON' },
      verdict: { kind: 'enum', values: ['approved', 'rejected'], brief: 'What they say' },
      comment: { kind: 'parsed', parse: oneLine, optional: true, brief: 'Why, in one line', placeholder: 'TEXT' },
      key: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Sign with this SSH key, by ssh-keygen -Y sign',
        placeholder: 'FILE',
      },
      yes: { kind: 'boolean', optional: true, withNegated: false, brief: 'Do not ask' },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'The folder that `livegraft build` made', parse: String, placeholder: 'BUNDLE' }],
    },
  },
  async func({ by, verdict, comment, key, yes = false, ...flags }, path) {
    await perform(this, 'sign-off', flags, async (session) => {
      const [
        { readBundle },
        contents,
        { requireDrawn },
        { addSignOff, readSignOffs },
        { signText },
        { canAsk, confirm },
      ] = await Promise.all([
        import('../../bundle/bundle.ts'),
        import('../../bundle/contents.ts'),
        import('../../report/draw.ts'),
        import('../../bundle/sign-off.ts'),
        import('../../support/ssh-signature.ts'),
        import('../confirm.ts'),
      ]);
      const bundle = await readBundle(path);
      const parts = await contents.readConsistent(bundle);
      await requireDrawn(bundle, parts);
      const seen = await contents.readSeen(bundle);
      const { name } = bundle.manifest;
      show(parts.review, seen, await readSignOffs(bundle), contents.digestOf(seen), session);
      if (!yes) {
        if (!canAsk()) throw new LivegraftError(signOffUnconfirmed({ name }));
        const sure = await confirm(`${by} says ${verdict} to ${name}. Sign?`, session.signal);
        if (!sure) throw new LivegraftError(signOffDeclined({ name }));
      }
      const signOffs = await addSignOff({
        bundle,
        seen,
        by,
        verdict,
        ...(comment === undefined ? {} : { comment }),
        time: new Date(),
        ...(key === undefined ? {} : { sign: (statement: string) => signText(key, statement) }),
      });
      const made = signOffs.at(-1)!;
      session.print(
        `${session.style(verdict === 'approved' ? 'green' : 'red', verdict)}: ${name} by ${by}, ${made.time}${key === undefined ? '' : ', with a signature'}`,
      );
      return { result: { path: bundle.path, name, signOff: made, signOffs } };
    });
  },
});

/** What is signed. */
function show(
  { name, verdict, findings }: Review,
  seen: readonly SeenFile[],
  earlier: readonly SignOff[],
  digest: string,
  { print, style, columns }: Session,
): void {
  print(`${style('bold', plain(name))}: ${plain(verdict.sentence)}`);
  for (const { place, code, message, severity } of findings) {
    if (severity === 'note') continue;
    print(
      `${style('yellow', severity)}${style('dim', `[${plain(code)}]`)}${place === undefined ? '' : ` ${plain(place)}`}`,
    );
    print(wrap(plain(message), Math.min(columns, 120), '  '));
  }
  const notes = findings.filter(({ severity }) => severity === 'note').length;
  if (notes > 0) print(`${plural(notes, 'note')} more (review.json)`);
  for (const one of earlier)
    print(
      `${one.verdict} by ${one.by}, ${one.time}${one.comment === undefined ? '' : `: ${one.comment}`}${one.digest === digest ? '' : style('dim', ' (of another state of the bundle)')}`,
    );
  for (const { name: file, sha256 } of seen) print(style('dim', `${sha256}  ${file}`));
  if (!seen.some((file) => file.name === 'evidence.json'))
    print(style('yellow', 'It was not tried: there is no evidence.json'));
}

/** The file may come from anywhere: nothing in it may move the cursor. */
function plain(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]/gu, '\u{fffd}');
}

function signer(text: string): string {
  const trimmed = text.trim();
  if (!personPattern.test(trimmed)) throw new SyntaxError(`"Name <mail>" was expected, not ${JSON.stringify(text)}`);
  return trimmed;
}

function oneLine(text: string): string {
  if (!linePattern.test(text)) throw new SyntaxError('one line without control characters was expected');
  return text;
}
