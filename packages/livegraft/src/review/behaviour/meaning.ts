/** Return values that mean something new, and callers that stay and do not expect it. Where callers ask for it, or all change too, nothing is found. */
import type { Diagnostic, Spot } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-behaviour.ts';
import { type Use, usesIn } from './callers.ts';
import { type Convention, Conventions, isKnown, type Kind, type Returned } from './returns.ts';
import type { ChangedSource } from './sources.ts';

export interface ChangedMeaning {
  readonly function: string;
  /** What it may return now and did not before. */
  readonly returned: Returned;
  /** What it returned in such a case before, where one convention takes the place of another. */
  readonly instead?: Returned;
  /** Calls that do not expect it, in functions that stay. */
  readonly uses: readonly (Use & { readonly takesItFor: string })[];
  /** Whether code of other files can call it: what that expects is not known here. */
  readonly visible: boolean;
}

export function changedMeanings(source: ChangedSource): ChangedMeaning[] {
  const { before, after, staying, callers } = source;
  const [old, fresh] = [new Conventions(before), new Conventions(after)];
  return concerned(source).flatMap((name) => {
    const [was, now] = [old.of(name), fresh.of(name)];
    if (was === undefined || now === undefined) return [];
    const uses = (callers.get(name) ?? []).flatMap((each) => (each.name === name ? [] : usesIn(each, name)));
    const visible = after.get(name)!.tokens.every(({ text }) => text !== 'static');
    for (const returned of newIn(was, now)) {
      const missed = uses.flatMap((use) => {
        const takesItFor = misunderstood(returned, use, was);
        return takesItFor === undefined ? [] : [{ ...use, takesItFor }];
      });
      if (missed.length > 0) return [{ function: name, returned, uses: missed, visible }];
    }
    const other = visible && !staying.has(name) ? exchanged(was, now) : undefined;
    return other === undefined ? [] : [{ function: name, ...other, uses: [], visible }];
  });
}

/** One way to say failure that takes the place of another. */
function exchanged(was: Convention, now: Convention): Pick<ChangedMeaning, 'returned' | 'instead'> | undefined {
  if (was.type === 'void' || was.type !== now.type) return undefined;
  const pairs: readonly (readonly [Kind, Kind])[] = [
    ['null', 'error-pointer'],
    ['error-pointer', 'null'],
    ['positive', 'error'],
  ];
  for (const [old, fresh] of pairs) {
    const [instead, returned] = [
      was.returns.find(({ kind }) => kind === old),
      now.returns.find(({ kind }) => kind === fresh),
    ];
    const had = was.returns.some(({ kind }) => kind === fresh);
    // what comes from elsewhere may have been that before
    const certain = old === 'null' || (isKnown(was) && now.returns.every(({ kind }) => kind !== old));
    if (instead !== undefined && returned !== undefined && !had && certain) return { returned, instead };
  }
  return undefined;
}

/** Functions whose values can be others: those that change, and those that return what such a one returns. */
function concerned({ after, before, staying, callers }: ChangedSource): string[] {
  const changed = [...after.keys()].filter((name) => before.has(name) && !staying.has(name));
  const wrappers = changed.flatMap((name) => callers.get(name) ?? []).map(({ name }) => name);
  return [...new Set([...changed, ...wrappers])];
}

/** One of each kind that is new, and codes that are. */
function newIn(was: Convention, now: Convention): readonly Returned[] {
  const kinds = new Set<Kind>(was.returns.map(({ kind }) => kind));
  const found = new Map<string, Returned>();
  // what comes from elsewhere could have been anything before
  const certain = isKnown(was) && (was.returns.length > 0 || was.type === 'void');
  const neverFailed = [...kinds].every((kind) => kind === 'zero');
  const texts = new Set(was.returns.map(({ text }) => text));
  for (const each of now.returns) {
    if (certain && !kinds.has(each.kind) && (each.kind !== 'unknown' || neverFailed)) {
      const isCall = each.kind === 'unknown';
      const made: Returned = isCall ? { ...each, kind: 'error', text: `what ${each.text} returns` } : each;
      if (!found.has(made.kind)) found.set(made.kind, made);
    } else if (certain && each.kind === 'error' && !texts.has(each.text) && !found.has(each.text))
      found.set(each.text, each);
  }
  return [...found.values()];
}

const ignores = 'ignores it';

/** In words, what a caller makes of a value that it does not expect; undefined where it gets along with it. */
function misunderstood({ kind, text }: Returned, use: Use, was: Convention): string | undefined {
  const kinds = new Set(was.returns.map((each) => each.kind));
  switch (kind) {
    case 'error':
      if (use.codes.includes(text)) return `asks for ${text}, which this function did not return before`;
      if (kinds.has('error') || kinds.has('unknown')) return undefined;
      if (use.how === 'ignored') return kinds.has('positive') ? undefined : ignores;
      if (!kinds.has('positive') || use.asksSign || use.how === 'passed-on') return undefined;
      return use.asksTruth ? 'takes it for true' : undefined;
    case 'positive':
      if (was.type !== 'number' || !kinds.has('zero')) return undefined;
      return use.how === 'kept' && use.asksTruth && !use.asksSign ? 'takes it for a failure' : undefined;
    case 'null':
      return use.how === 'kept' && use.follows && !use.asksTruth ? 'follows it without asking for NULL' : undefined;
    case 'error-pointer':
      if (use.how !== 'kept' || use.asksError) return undefined;
      return use.follows || use.asksTruth ? 'does not ask for it by IS_ERR()' : undefined;
    case 'pointer':
    case 'unknown':
    case 'zero':
      return undefined;
  }
}

export function meaningFindings(source: ChangedSource): Diagnostic[] {
  const { file } = source;
  return changedMeanings(source).map(({ function: name, returned, instead, uses, visible }) => {
    const side = 'patched';
    const callers = [...new Set(uses.map((use) => `${use.function}() ${use.takesItFor}`))];
    const unseen = visible ? 'Callers in other files were not looked at' : '';
    const old = instead === undefined ? '' : `It was ${instead.text} before, and callers that stay ask for that`;
    // who ignored what it returned goes on as before: worth knowing, not more
    const isIgnored = uses.length > 0 && uses.every(({ takesItFor }) => takesItFor === ignores);
    return (isIgnored ? say.returnIgnored : say.returnChanged)({
      file,
      name,
      returned: returned.text,
      callers: [old, callers.length === 0 ? '' : `Of the callers that stay, ${callers.join('; ')}`, unseen]
        .filter((each) => each !== '')
        .join('. '),
      functions: [name],
      spots: [
        ...(instead === undefined
          ? []
          : [{ file, line: instead.line, side: 'original' as const, what: `${name}() returns ${instead.text}` }]),
        { file, line: returned.line, side, what: `${name}() returns ${returned.text}` },
        ...uses.map(
          ({ function: caller, line, takesItFor }): Spot => ({ file, line, side, what: `${caller}() ${takesItFor}` }),
        ),
      ],
    });
  });
}
