void put(int);
__attribute__((noinline)) int f(int x) { asm volatile(""); return x; }
__attribute__((noinline)) int g(int x) { static int count; asm volatile(""); return x + ++count; }
int both(int x) { return f(x) + g(x); }
