import { describe, expect, test } from 'vitest';
import { localChange } from './local-change.ts';

const header = `#ifndef H
#define H
#include <linux/x.h>

struct s { int a; };

/* a comment */
static inline int f(struct s *s)
{
#ifdef CONFIG_X
	if (s)
		return 1;
#else
	return 2;
#endif
	return s->a;
}

static __always_inline noinstr void g(void) { }
extern int p(int a);
int q(int a);
#define M(x) ((x) + 1)
#if M(1)
#define EMPTY
#endif
static DEFINE_MUTEX(m);
DECLARE_THING(t);
#endif
`;

const change = (before: string, after: string): string[] | undefined => {
  expect(header).toContain(before);
  const names = localChange(header, header.replace(before, after));
  return names && [...names].sort();
};

describe('localChange', () => {
  test.each([
    ['a comment', 'a comment', 'another', []],
    ['white space', 'struct s { int a; };', 'struct s {\n\tint a;\n};', []],
    ['a function’s body', 'return s->a;', 'return s->a + 1;', ['f']],
    ['a branch of it', 'return 2;', 'return 3;', ['f']],
    ['the body of one with attributes', 'g(void) { }', 'g(void) { return; }', ['g']],
    ['its parameters', 'int f(struct s *s)', 'int f(struct s *t)', ['f']],
    ['a macro', '+ 1)', '+ 2)', ['M']],
    ['the kind of a macro', '#define EMPTY', '#define EMPTY()', ['EMPTY']],
    ['a macro that goes', '#define M(x) ((x) + 1)\n', '', ['M']],
    ['a prototype', 'int q(int a);', 'int q(long a);', ['q']],
    ['an extern one', 'extern int p(int a);', 'extern u64 p(int a);', ['p']],
    [
      'new ones',
      'int q(int a);',
      'int q(int a);\nstatic inline bool n(struct t *t) { return t; }\n#define N 1\nvoid r(void);',
      ['N', 'n', 'r'],
    ],
    ['several places', 'return 2;', 'return 3;', ['f']],
    ['one that moves', '#define M(x) ((x) + 1)\n#if M(1)', '#if M(1)\n#define M(x) ((x) + 1)', ['M']],
  ])('%s', (_, before, after, names) => {
    expect(change(before, after)).toEqual(names);
  });

  test.each([
    ['a structure', 'int a; }', 'long a; }'],
    ['a new #include', '#include <linux/x.h>', '#include <linux/x.h>\n#include <linux/y.h>'],
    ['a condition', '#if M(1)', '#if M(2)'],
    ['a macro that declares', 'DECLARE_THING(t);', 'DECLARE_THING(u);'],
    ['one behind static', 'DEFINE_MUTEX(m)', 'DEFINE_MUTEX(n)'],
    ['a new function with attributes', 'int q(int a);', 'int q(int a);\nstatic inline noinstr void n(void) { }'],
    ['an attribute that comes', 'static inline int f(', 'static inline __init int f('],
    ['a function that is not inline', 'int q(int a);', 'int q(int a) { return 1; }'],
    ['a variable', 'int q(int a);', 'int q(int a);\nstatic int v = 1;'],
    ['a pointer to a function', 'int q(int a);', 'int q(int a);\nextern int (*v)(int);'],
    ['a name in parentheses', 'int q(int a);', 'int q(int a);\nstatic inline int PFX(n)(void) { return 1; }'],
    ['a macro with the name of a keyword', 'int q(int a);', 'int q(int a);\n#define inline'],
    ['brackets that differ between branches', 'if (s)\n', 'if (s) {\n'],
    ['an #include inside a function', 'if (s)', '#include "x.h"\n\tif (s)'],
  ])('%s: anybody may depend on it', (_, before, after) => {
    expect(change(before, after)).toBeUndefined();
  });
});
