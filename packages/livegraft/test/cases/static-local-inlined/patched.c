static inline __attribute__((always_inline)) int next(int x) { static int count; asm volatile(""); return x + ++count; }
int f(int x) { return next(x); }
int g(int x) { return next(x) * 2; }
