static __attribute__((noinline)) int handler(int x) { return x + 2; }
int (*hook)(int) = handler;
void add(int (*)(int));
void f(void) { add(handler); }
