int f(int x) { return x; }
int g(int x) { return x + 1; }
asm(".section \"___ksymtab+f\", \"a\"\n\t.balign 4\n\t.long f - .\n\t.long 0\n\t.long 0\n\t.previous");
asm(".section \"___ksymtab+g\", \"a\"\n\t.balign 4\n\t.long g - .\n\t.long 0\n\t.long 0\n\t.previous");
