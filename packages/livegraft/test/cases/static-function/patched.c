static __attribute__((noinline)) int twice(int x) { asm volatile(""); return 3 * x; }
int f(int x) { return twice(x) + 1; }
