int v;
__attribute__((section(".init.text"))) int start(void) { v = 2; return 0; }
int f(void) { return v; }
