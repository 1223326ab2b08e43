__attribute__((section(".data..percpu"))) int old;
__attribute__((section(".data..percpu"))) int fresh;
int f(void) { int r; asm("mov %%gs:%1, %0" : "=r"(r) : "m"(fresh)); return r; }
