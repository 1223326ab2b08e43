import { describe, expect, test } from 'vitest';
import { dependedOn } from './dependence.ts';

const of = (text: string): string | undefined => dependedOn(Buffer.from(text, 'latin1'))?.text;

/** A header's text and a unit's; whether the unit depends on the difference between two headers. */
const differs = (before: string, after: string, unit: string): boolean => of(before + unit) !== of(after + unit);

const unit = 'int f(struct s *s) { return used(s) + LIMIT; }\n';
const header = 'struct s { int a; };\nenum { LIMIT = 3 };\nstatic inline int used(struct s *s) { return s->a; }\n';

describe('dependedOn', () => {
  test.each([
    ['an inline function that is called', 'return s->a;', 'return s->a + 1;', true],
    ['a structure that is mentioned', 'int a;', 'int a; int b;', true],
    ['an enumerator', 'LIMIT = 3', 'LIMIT = 4', true],
    ['white space and line marks', 'struct s {', '\n# 7 "x.h" 2\nstruct s\n{', false],
  ])('%s', (_, before, after, expected) => {
    expect(differs(header, header.replace(before, after), unit)).toBe(expected);
  });

  test.each([
    [
      'an inline function nobody calls',
      'static inline int g(void) { return 1; }',
      'static inline int g(void) { return 2; }',
    ],
    [
      'one that only another unused one calls',
      'static inline int g(void) { return h(); }',
      'static inline int g(void) { return h() + 1; }',
    ],
    ['a structure nobody mentions', 'struct t { int a; };', 'struct t { long a; };'],
    ['a declaration', 'extern int g(int);', 'extern int g(long);'],
    ['a prototype', 'int g(int a);', 'int g(long a);'],
    ['a type', 'typedef int (*g_t)(int);', 'typedef int (*g_t)(long);'],
    ['a constant nobody mentions', 'static const int g[] = { 1, 2 };', 'static const int g[] = { 1, 3 };'],
    ['an assertion', '_Static_assert(sizeof(int) == 4, "x");', '_Static_assert(1, "x");'],
    ['a new function', '', 'static __attribute__((__unused__)) inline int g(void) { return 1; }'],
  ])('%s is of no consequence', (_, before, after) => {
    expect(differs(`${header}${before}\n`, `${header}${after}\n`, unit)).toBe(false);
    // and of consequence once it is mentioned
    expect(
      differs(`${header}${before}\n`, `${header}${after}\n`, `${unit}int k(void) { g(); (g_t)0; struct t t; h(); }\n`),
    ).toBe(!before.startsWith('_Static'));
  });

  test.each([
    ['a function', 'int g(void) { return 1; }', 'int g(void) { return 2; }'],
    ['a variable', 'int g = 1;', 'int g = 2;'],
    ['a tentative definition', 'int g;', 'long g;'],
    ['a pointer to a function', 'int (*g)(int);', 'int (*g)(long);'],
    ['an initialized extern', 'extern int g; extern int g = 1;', 'extern int g; extern int g = 2;'],
    [
      'a static in a section of its own',
      'static int g __attribute__((__section__(".x"))) = 1;',
      'static int g __attribute__((__section__(".x"))) = 2;',
    ],
    [
      'a static that is kept',
      'static int __attribute__((unused, used)) g(void) { return 1; }',
      'static int __attribute__((unused, used)) g(void) { return 2; }',
    ],
    ['assembly', 'asm("nop");', 'asm("nop; nop");'],
    ['an alias', 'extern int g(void) __attribute__((alias("f")));', 'extern int g(void) __attribute__((alias("k")));'],
    ['a pragma', '#pragma pack(1)', '#pragma pack(2)'],
  ])('%s counts by itself', (_, before, after) => {
    expect(differs(`${header}${before}\n`, `${header}${after}\n`, unit)).toBe(true);
    expect(differs(`${header}${before}\n`, `${header}${before} \n`, unit)).toBe(false);
  });

  test.each([
    ['a nested tag', 'struct o { struct n { int a; } n; };', 'struct o { struct n { long a; } n; };', 'struct n *k;'],
    [
      'a tag behind attributes',
      'struct __attribute__((packed)) n { int a; };',
      'struct __attribute__((packed)) n { long a; };',
      'struct n *k;',
    ],
    [
      'a typedef of an unnamed structure',
      'typedef struct __attribute__((packed)) { int a; } n;',
      'typedef struct __attribute__((packed)) { long a; } n;',
      'n *k;',
    ],
    ['the second declarator', 'extern int m, n(int);', 'extern int m, n(long);', 'int k(void) { return n(1); }'],
    ['a function in parentheses', 'extern int (n)(int);', 'extern int (n)(long);', 'int k(void) { return n(1); }'],
    [
      'a name in a string',
      'static int n(void) { return 1; }',
      'static int n(void) { return 2; }',
      'int k(void) { asm("call n"); }',
    ],
    [
      'an enumerator of a nested enum',
      'struct o { enum { N = 1 } e; };',
      'struct o { enum { N = 2 } e; };',
      'int k = N;',
    ],
    ['a static table', 'static struct s n = { .a = 1 };', 'static struct s n = { .a = 2 };', 'struct s *k = &n;'],
    [
      'a function with a brace in a string',
      `static int n(void) { return "}"[0] + '{'; }`,
      `static int n(void) { return "}"[1] + '{'; }`,
      'int k(void) { return n(); }',
    ],
  ])('%s is found by its name', (_, before, after, mention) => {
    expect(differs(`${header}${before}\n`, `${header}${after}\n`, unit)).toBe(false);
    expect(differs(`${header}${before}\n`, `${header}${after}\n`, unit + mention)).toBe(true);
  });

  test('words are those of what is wanted, and all macros that were used or asked for', () => {
    const macros = '#define M(x) ((x) + N)\n#undef ASKED\n#define D\n';
    const words = dependedOn(Buffer.from(`# 1 "x.c"\n${macros}${header}static int g(int p);\n${unit}`))?.words;
    expect([...(words ?? [])].sort()).toEqual(['ASKED', 'D', 'LIMIT', 'M', 'a', 'f', 's', 'used']);
  });

  test('text that cannot be cut', () => {
    expect(of('int f(void) { return (1; }')).toBeUndefined();
    expect(of('int f(void) {')).toBeUndefined();
    expect(of('char *a = "x;')).toBeUndefined();
    expect(of('int a = f(\n#pragma x\n);')).toBeUndefined();
  });

  test('what was found out before is used, and makes no difference', () => {
    const memo = new Map();
    const text = Buffer.from(header + unit);
    expect(dependedOn(text, memo)).toEqual(dependedOn(text, memo));
    expect(memo.size).toBe(4);
  });
});
