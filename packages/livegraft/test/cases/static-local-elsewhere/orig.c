void put(int);
__attribute__((noinline)) int f(int x) { static int count; asm volatile(""); return x + ++count; }
__attribute__((noinline)) int g(int x) { asm volatile(""); return x; }
int both(int x) { return f(x) + g(x); }
