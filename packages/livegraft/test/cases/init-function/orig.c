int v;
__attribute__((section(".init.text"))) int start(void) { v = 1; return 0; }
int f(void) { return v; }
