/** A function's body as statements (C11 6.8), macros that loop included: enough to tell on which ways a place is reached. */
import type { Declaration } from '../../patch/declarations.ts';
import type { Token } from '../../patch/tokens.ts';

type Tokens = readonly Token[];

export type Statement =
  | { readonly kind: 'block'; readonly body: readonly Statement[] }
  | { readonly kind: 'if'; readonly head: Tokens; readonly body: Statement; readonly otherwise?: Statement }
  /** `head`: of a macro such as list_for_each_entry() with its name, of `do` the condition at the end. */
  | { readonly kind: 'loop' | 'switch'; readonly head: Tokens; readonly body: Statement }
  /** `case` and `default` have no name. */
  | { readonly kind: 'label'; readonly name?: string }
  | { readonly kind: 'return' | 'goto' | 'break' | 'continue' | 'plain'; readonly head: Tokens };

/** Never throws: what does not look like C comes out as some statement. */
export function statementsOf({ tokens }: Pick<Declaration, 'tokens'>): readonly Statement[] {
  const body = tokens.findIndex((token) => token.text === '{');
  const parser = new Parser(tokens.slice(body + 1, -1));
  return body < 0 ? [] : parser.all();
}

class Parser {
  readonly #tokens: Tokens;
  #at = 0;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  all(): Statement[] {
    const found: Statement[] = [];
    while (this.#at < this.#tokens.length) found.push(this.#statement());
    return found;
  }

  #text(ahead = 0): string {
    return this.#tokens[this.#at + ahead]?.text ?? '';
  }

  #statement(): Statement {
    const word = this.#text();
    switch (word) {
      case '{': {
        const inner = this.#bracketed();
        return { kind: 'block', body: new Parser(inner).all() };
      }
      case 'if':
        return this.#branch();
      case 'for':
      case 'while':
        return { kind: 'loop', head: this.#head(), body: this.#statement() };
      case 'switch':
        return { kind: 'switch', head: this.#head(), body: this.#statement() };
      case 'do':
        return this.#doWhile();
      case 'case':
      case 'default':
        this.#until(':');
        return { kind: 'label' };
      case 'return':
      case 'goto':
      case 'break':
      case 'continue':
        return { kind: word, head: this.#until(';').slice(1) };
    }
    if (/^[A-Za-z_]/.test(word) && this.#text(1) === ':') {
      this.#at += 2;
      return { kind: 'label', name: word };
    }
    const start = this.#at;
    if (/^[A-Za-z_]/.test(word) && this.#text(1) === '(') {
      this.#at++;
      this.#bracketed();
      const behind = this.#text();
      if (behind === '{' || (/for_each|^scoped_/.test(word) && behind !== ';'))
        return { kind: 'loop', head: this.#tokens.slice(start, this.#at), body: this.#statement() };
      this.#at = start;
    }
    return { kind: 'plain', head: this.#until(';') };
  }

  #branch(): Statement {
    const head = this.#head();
    const body = this.#statement();
    if (this.#text() !== 'else') return { kind: 'if', head, body };
    this.#at++;
    return { kind: 'if', head, body, otherwise: this.#statement() };
  }

  #doWhile(): Statement {
    this.#at++;
    const body = this.#statement();
    const head = this.#text() === 'while' ? this.#head() : [];
    if (this.#text() === ';') this.#at++;
    return { kind: 'loop', head, body };
  }

  /** A keyword and its brackets; what is between them. */
  #head(): Tokens {
    this.#at++;
    return this.#text() === '(' ? this.#bracketed() : [];
  }

  /** From an opening bracket to its end; what is between. */
  #bracketed(): Tokens {
    const start = this.#at + 1;
    let depth = 0;
    for (; this.#at < this.#tokens.length; this.#at++) {
      if (/^[([{]$/.test(this.#text())) depth++;
      else if (/^[)\]}]$/.test(this.#text()) && --depth === 0) break;
    }
    return this.#tokens.slice(start, this.#at++);
  }

  /** Up to a token outside of all brackets, which is left out and gone past. */
  #until(end: string): Tokens {
    const start = this.#at;
    let depth = 0;
    for (; this.#at < this.#tokens.length; this.#at++) {
      const text = this.#text();
      if (depth <= 0 && text === end) break;
      if (/^[([{]$/.test(text)) depth++;
      else if (/^[)\]}]$/.test(text)) depth--;
    }
    return this.#tokens.slice(start, this.#at++);
  }
}
