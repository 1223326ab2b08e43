__attribute__((noinline)) int f(int x) { asm volatile(""); return x + 3; }
int g(int x) { return f(x) + 2; }
