/** docs/errors.md is written from the table of diagnostics and says what the table says; docs/limits.md knows every refusal. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type DiagnosticKind, diagnosticKinds, Exit } from './diagnostic.ts';

interface Script {
  errorsDoc(
    folder: string,
    kinds: () => readonly DiagnosticKind[],
    load: (path: string) => Promise<unknown>,
  ): Promise<string>;
}

const root = new URL('../../../../', import.meta.url);

test('docs/errors.md is what `npm run docs` writes', async () => {
  const { errorsDoc } = (await import(new URL('scripts/errors-doc.mjs', root).href)) as Script;
  const sources = fileURLToPath(new URL('..', import.meta.url));
  const written = await readFile(new URL('docs/errors.md', root), 'utf8');
  expect(await errorsDoc(sources, diagnosticKinds, (path) => import(path))).toBe(written);
});

test('docs/limits.md names every refusal', async () => {
  const page = await readFile(new URL('docs/limits.md', root), 'utf8');
  const refusals = diagnosticKinds().filter(
    ({ severity, exit }) => severity === 'error' && (exit === Exit.refused || exit === Exit.provenance),
  );
  expect(refusals.length).toBeGreaterThan(50);
  expect(refusals.map(({ code }) => code).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});
