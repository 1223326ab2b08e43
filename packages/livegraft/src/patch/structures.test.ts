import { describe, expect, test } from 'vitest';
import { changedTypes } from './structures.ts';

const header = `/* struct no { */
struct a {
	int x;	/* first */
	struct { int y; } in;
};
typedef struct {
	int z;
} b_t;
enum __packed c { C1, C2 };
struct d { int a; } __attribute__((aligned(8)));
static struct a table = { 1, };
int f(struct a *a)
{
	struct local { int l; } l;
}
`;

describe('changedTypes', () => {
  test.each([
    ['int x;', 'long x;', ['struct a']],
    ['int y;', 'int y, y2;', ['struct a']],
    ['int z;', 'int z; int zz;', ['struct b_t']],
    ['C1, C2', 'C2, C1', ['enum c']],
    ['int a; }', 'int b; }', ['struct d']],
    ['/* first */', '/* the first */', []],
    ['{ 1, }', '{ 2, }', []],
    ['int l;', 'int l2;', []],
    ['enum __packed c { C1, C2 };', '', []],
  ])('%j → %j', (before, after, expected) => {
    expect(changedTypes(header, header.replace(before, after)).map(({ kind, name }) => `${kind} ${name}`)).toEqual(
      expected,
    );
  });

  test('one that each branch of an #if defines', () => {
    const both = (n: number): string => `#if X\nstruct a {\n int x;\n};\n#else\nstruct a {\n int y${n};\n};\n#endif\n`;
    expect(changedTypes(both(1), both(2))).toEqual([{ kind: 'struct', name: 'a' }]);
    expect(changedTypes(both(1), both(1))).toEqual([]);
  });
});
