static inline int twice(int x) { return 2 * x; }
int f(int x) { return twice(x) + 1; }
int g(int x) { return twice(x) - 1; }
int h(int x) { return x; }
