static __attribute__((noinline)) int f(int x) { asm volatile(""); return x + 1; }
int g(int x) { return f(x) + 2; }
