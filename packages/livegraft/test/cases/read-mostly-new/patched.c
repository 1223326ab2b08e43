#define __read_mostly __attribute__((section(".data..read_mostly")))
static int a __read_mostly = 1;
static int fresh __read_mostly = 3;
static int b __read_mostly = 2;
int f(void) { return a + fresh++; }
int g(void) { return b; }
void set(int x, int y) { a = x; b = y; }
