int v;
#define LOAD(p, r) asm volatile("1:\tmov (%1), %0\n2:\n\t.pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long 1b - .\n\t.long 2b - .\n\t.long 3\n\t.popsection" : "=r"(r) : "r"(p))
long f(long *p) { long r; LOAD(p, r); return r; }
#undef LOAD
#define LOAD(p, r) asm volatile("1:\tmov (%1), %0\n2:\n\t.pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long 1b - .\n\t.long 2b - .\n\t.long 4\n\t.popsection" : "=r"(r) : "r"(p))
long g(long *p) { long r; LOAD(p + 1, r); return r + 1; }
