__attribute__((weak)) int arch_f(int x) { return x + 1; }
int g(int x) { return arch_f(x) + 2; }
