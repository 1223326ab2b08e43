#define noinstr __attribute__((noinline, section(".noinstr.text")))
static noinstr int a(int x) { asm volatile(""); return x + 1; }
static noinstr int b(int x) { asm volatile(""); return x + 2; }
noinstr int f(int x) { return a(x) * 2; }
noinstr int g(int x) { return b(x) * 2; }
