static int old(int x) { return x + 1; }
int (*hook)(int) = old;
