int v;
#define BUG(n) asm volatile("1:\tud2\n\t.pushsection __bug_table,\"aw\"\n2:\t.long 1b - .\n\t.long %c0 - .\n\t.word %c1\n\t.word %c2\n\t.org 2b + 12\n\t.popsection" : : "i"("file.c"), "i"(7), "i"(n))
int f(int x) { if (x) BUG(10); return v; }
int g(int x) { if (!x) BUG(20); return v + 1; }
