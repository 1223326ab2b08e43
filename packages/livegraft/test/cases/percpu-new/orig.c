__attribute__((section(".data..percpu"))) int old;
int f(void) { int r; asm("mov %%gs:%1, %0" : "=r"(r) : "m"(old)); return r; }
