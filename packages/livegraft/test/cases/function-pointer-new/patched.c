static int old(int x) { return x + 1; }
static int fresh(int x) { return x + 2; }
int (*hook)(int) = fresh;
