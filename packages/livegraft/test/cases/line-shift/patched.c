int v;
#define BUG(n) asm volatile("1:\tud2\n\t.pushsection __bug_table,\"aw\"\n2:\t.long 1b - .\n\t.long %c0 - .\n\t.word %c1\n\t.word %c2\n\t.org 2b + 12\n\t.popsection" : : "i"("file.c"), "i"(n), "i"(1))
int f(int x) { if (x) BUG(__LINE__); return v; }

int g(int x) { if (!x) BUG(__LINE__); return v + 1; }
