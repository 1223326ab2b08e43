// npm run docs: writes docs/errors.md from the table of diagnostics. Run `npm run build` first: it reads the built code.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The files below `folder` that add to the table, those of `diagnostics/` first. */
function definingFiles(folder) {
  const inTable = (name) => (name.startsWith('diagnostics/') ? 0 : 1);
  return readdirSync(folder, { recursive: true })
    .filter((name) => /(?<!\.d|\.test|\.case|\.vm)\.[jt]s$/.test(name) && name.includes('/'))
    .filter((name) =>
      /^import \{[^}]*\bdefine\b[^}]*\} from '.*diagnostic\.[jt]s'/m.test(readFileSync(join(folder, name), 'utf8')),
    )
    .sort((a, b) => inTable(a) - inTable(b) || a.localeCompare(b, 'en'));
}

/**
 * The text of docs/errors.md.
 * @param folder the compiled code, or the sources where the caller can load them
 * @param kinds the registry's `diagnosticKinds`
 * @param load imports a file by its path
 */
export async function errorsDoc(folder, kinds, load) {
  const parts = [];
  let known = kinds().length;
  for (const file of definingFiles(folder)) {
    await load(join(folder, file));
    const added = kinds().slice(known);
    known += added.length;
    parts.push(section(file.replace(/^diagnostics\/|\.[jt]s$/g, ''), intro(join(folder, file)), added));
  }
  return `${head(known)}\n${parts.join('\n')}`;
}

function head(count) {
  return `# Errors and findings

<!-- Written by \`npm run docs\` from the table of diagnostics; a unit test fails when it is stale. -->

Everything livegraft can say about a problem: ${count} codes. A code never changes its meaning; the words around it may.
\`<name>\` stands for what is known at the time. The exit code is the one a command ends with when this is the first thing that
stopped it (see [exit-codes.md](exit-codes.md)); notes and warnings stop nothing. What to do about a refusal:
[limits.md](limits.md). Under \`--json\` the same facts are fields: [json.md](json.md).
`;
}

/** The sentence a file opens with. */
function intro(path) {
  const comment = /^\/\*\*\s*(.*?)\s*\*\//s.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
  return comment.replace(/\s*\n\s*\*\s*/g, ' ');
}

function section(area, words, kinds) {
  return [`## ${area}`, '', ...(words === '' ? [] : [words, '']), ...kinds.map(entry)].join('\n');
}

function entry({ code, severity, exit, message, hint }) {
  const end = severity === 'error' ? `, exit code ${exit}` : '';
  const next = typeof hint === 'function' ? filledIn(hint) : hint;
  const text = next === undefined ? filledIn(message) : `${filledIn(message)}\n→ ${next}`;
  return `### ${code}\n\n${severity}${end}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
}

/** A message with `<name>` for each of its data. */
function filledIn(words) {
  const text = words(new Proxy({}, { get: (_, name) => placeholder(`<${String(name)}>`) }));
  // NaN: a number that was calculated with
  return text === undefined ? undefined : `${text}`.replaceAll('NaN', '<n>');
}

/** Stands for a text, a number or a list, whatever a message does with it: its methods give itself. */
function placeholder(name) {
  const self = new Proxy(() => self, {
    get: (_, property) => {
      if (property === 'length') return placeholder('<length>');
      if (property === Symbol.iterator) return () => [name][Symbol.iterator]();
      if (property === Symbol.toPrimitive || property === 'toJSON') return () => name;
      return self;
    },
  });
  return self;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = join(root, 'packages/livegraft/dist');
  const load = (path) => import(pathToFileURL(path).href);
  const { diagnosticKinds } = await load(join(dist, 'diagnostics/diagnostic.js'));
  writeFileSync(join(root, 'docs/errors.md'), await errorsDoc(dist, diagnosticKinds, load));
}
