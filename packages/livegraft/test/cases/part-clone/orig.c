int slow(int *), other(int);
static __attribute__((noinline)) int big(int *p) { asm volatile(""); return slow(p) + slow(p + 1) * slow(p + 2) + other(7); }
int f(int *p) { if (!p) return 0; return big(p); }
