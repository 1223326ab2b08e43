int f(int x) { return x + 5; }
int f_too(int x) __attribute__((alias("f")));
int g(int x) { return f_too(x) + 2; }
