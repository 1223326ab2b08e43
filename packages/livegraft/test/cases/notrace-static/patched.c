static __attribute__((noinline)) __attribute__((no_instrument_function)) int helper(int x) { asm volatile(""); return x + 3; }
int f(int x) { return helper(x) + 1; }
int g(int x) { return helper(x) + 2; }
int h(int x) { return x; }
