import fc from 'fast-check';
import { expect, test } from 'vitest';
import { declarationsOf, usesOf } from './declarations.ts';

const brief = (text: string): string[] => declarationsOf(text).map(({ kind, name, line }) => `${line} ${kind} ${name}`);

test('functions are named by the identifier before their parameters, whatever stands around it', () => {
  const text = `static int plain(struct a *x)
{
	return (f)(x);
}
__printf(1, 2) void message(const char *fmt, ...) { }
void __attribute__((weak)) arch_hook(void) { if (x) { } }
static void locked(struct q *q) __must_hold(&q->lock) __releases(q) {}
static __always_inline unsigned long *ptr(void)
{ return 0; }
`;
  expect(brief(text)).toEqual([
    '1 function plain',
    '5 function message',
    '6 function arch_hook',
    '7 function locked',
    '8 function ptr',
  ]);
});

test('a system call has the functions that its macro makes', () => {
  const [open, compat] = declarationsOf('SYSCALL_DEFINE2(open, int, a)\n{ }\nCOMPAT_SYSCALL_DEFINE1(x, int, b) { }');
  expect(open!.names).toEqual(['__do_sys_open', '__se_sys_open', '__x64_sys_open', '__ia32_sys_open']);
  expect(compat!.names).toContain('__do_compat_sys_x');
});

test('variables, types, prototypes and macros at file scope', () => {
  const text = `static const struct ops my_ops = { .open = f };
static int table[4] __read_mostly;
struct scan { int a; };
enum mode { OFF, ON = 3, LAST };
typedef int (*callback)(void *);
struct forward;
int proto(int a);
DEFINE_MUTEX(lock);
static DEFINE_PER_CPU(struct x, counters);
EXPORT_SYMBOL(proto);
#define TWICE(x) \\
	((x) * FACTOR)
`;
  expect(brief(text)).toEqual([
    '1 variable my_ops',
    '2 variable table',
    '3 type struct scan',
    '4 type enum mode',
    '5 type callback',
    '6 other forward',
    '7 other proto',
    '8 variable lock',
    '9 variable counters',
    '10 other proto',
    '11 macro TWICE',
  ]);
  expect(declarationsOf(text)[3]!.names).toEqual(['enum mode', 'OFF', 'ON', 'LAST']);
});

test('braces in strings, comments and the other branch of an #ifdef are none', () => {
  const text = `int a(void) { return '{'; /* } */ } // {
#ifdef X
int b(int x) {
#else
int b(void) {
#endif
	return "}"[0];
}
int c(void) { }
`;
  expect(brief(text).map((each) => each.split(' ').at(-1))).toEqual(['a', 'b', 'c']);
});

test('a macro defined inside a function is one of its own', () => {
  expect(brief('int f(void)\n{\n#define LIMIT 3\n\treturn LIMIT;\n}\n')).toEqual(['3 macro LIMIT', '1 function f']);
});

test('usesOf leaves out the parameters of a macro, and knows tags', () => {
  const [macro] = declarationsOf('#define SUM(a, b) ((a) + (b) + OFFSET)');
  expect([...usesOf(macro!)]).toEqual(['OFFSET']);
  const [f] = declarationsOf('int f(struct scan *s) { return s->left; }');
  expect(usesOf(f!).has('struct scan')).toBe(true);
});

test('any text comes to an end, and every declaration lies in it', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '(',
    ')',
    ';',
    '=',
    '"',
    "'",
    '/*',
    '*/',
    '//',
    '\\\n',
    '\n',
    '#define ',
    '#if ',
    '#else',
    '#endif',
    'int ',
    'f',
    ',',
    'struct ',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const text = pieces.join('');
      for (const { line } of declarationsOf(text)) expect(line).toBeLessThanOrEqual(text.split('\n').length);
    }),
  );
});
