void sct_a(void), sct_b(void);
extern long key_a, key_b;
#define CALL(name) asm volatile("1:\tcall sct_a\n\t.pushsection .static_call_sites,\"aw\"\n\t.long 1b - .\n\t.long " name " - .\n\t.popsection" : : : "memory")
void f(void) { CALL("key_b"); }
void g(void) { CALL("key_b"); }
