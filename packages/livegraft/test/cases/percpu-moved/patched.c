__attribute__((section(".data..percpu"))) int hits = 1;
int f(void) { return 1; }
