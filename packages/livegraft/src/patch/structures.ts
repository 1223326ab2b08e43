/**
 * Structures, unions and enums that a patch changes: objects in memory keep the layout and the values they were made with. Found in the
 * text, both sides: a type of the same name whose body has other words in it, comments and white space aside.
 */

export interface ChangedType {
  readonly kind: 'struct' | 'union' | 'enum';
  /** The tag, or for a type without one the typedef's name. */
  readonly name: string;
}

/** @param original and `patched`: text of one file; types that only one of them has are not changed but new or gone */
export function changedTypes(original: string, patched: string): ChangedType[] {
  if (original === patched) return [];
  const before = typesOf(original);
  const after = typesOf(patched);
  return [...before.values()].flatMap(({ kind, name, bodies }) => {
    const other = after.get(`${kind} ${name}`)?.bodies;
    return other === undefined || other.join('\n') === bodies.join('\n') ? [] : [{ kind, name }];
  });
}

interface Type extends ChangedType {
  /** More than one where the branches of an #if define it each. */
  readonly bodies: string[];
}

/** A definition that begins a line: indented ones are parts of others, or of functions. */
const definition =
  /^(?:typedef[ \t]+)?(?:static[ \t]+|const[ \t]+)*(struct|union|enum)\b(?:[^;{}()=]|\(\([^{};]*?\)\))*\{/gm;

function typesOf(text: string): Map<string, Type> {
  const types = new Map<string, Type>();
  const plain = withoutComments(text);
  for (const opening of plain.matchAll(definition)) {
    const start = opening.index + opening[0].length;
    const end = closing(plain, start);
    if (end === undefined) continue;
    const tag = /\b(?:struct|union|enum)\s+(\w+)\s*\{$/.exec(
      opening[0].replace(/__attribute__\s*\(\(.*?\)\)|\b__\w+\b/g, ' '),
    )?.[1];
    const name = tag ?? /^[^;{}]*?(\w+)\s*(?:\[[^\]]*\]\s*)?;/.exec(plain.slice(end))?.[1];
    if (name === undefined) continue;
    const kind = opening[1] as ChangedType['kind'];
    const body = (plain.slice(start, end - 1).match(/\w+|[^\s\w]/g) ?? []).join(' ');
    const known = types.get(`${kind} ${name}`);
    if (known === undefined) types.set(`${kind} ${name}`, { kind, name, bodies: [body] });
    else known.bodies.push(body);
  }
  return types;
}

/** Comments are gone, and braces in strings too. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (part) =>
    part.startsWith('/') ? ' ' : part.replaceAll(/[{}]/g, '.'),
  );
}

/** The index after the brace that closes what is open at `from`. */
function closing(text: string, from: number): number | undefined {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}' && --depth === 0) return i + 1;
  }
  return undefined;
}
