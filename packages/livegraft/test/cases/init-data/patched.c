struct id { int vendor, device; };
__attribute__((section(".init.rodata"))) static const struct id ids[] = { { 1, 2 }, { 3, 5 } };
int match(const struct id *);
__attribute__((section(".init.text"))) int start(void) { return match(ids); }
