static __attribute__((noinline)) int twice(int x) { asm volatile(""); return 2 * x; }
int f(int x) { return twice(x) + 1; }
