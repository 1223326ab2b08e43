struct key { long enabled; void *entries; } key_a, key_b;
int v;
#define BRANCH(key) ({ __label__ yes; int r = 0; asm goto("1:\t.byte 0x0f,0x1f,0x44,0x00,0x00\n\t.pushsection __jump_table,\"aw\"\n\t.balign 8\n\t.long 1b - .\n\t.long %l[yes] - .\n\t.quad %c0 - .\n\t.popsection" : : "i"(&key) : : yes); if (0) yes: r = 1; r; })
int f(int x) { if (BRANCH(key_a)) return v; return x; }
int g(int x) { if (BRANCH(key_b)) return v + 1; return x; }
