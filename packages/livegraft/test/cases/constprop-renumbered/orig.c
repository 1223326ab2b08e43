int a(int), b(int);
static __attribute__((noinline)) int h(int x, int y) { asm volatile(""); return y == 3 ? a(x) : b(x + y); }
int f1(int x) { return h(x, 3) + 1; }
int f2(int x) { return h(x, 4) + 2; }
int f3(int x) { return h(x, 3) + 3; }
int other(int x) { return h(x, x); }
