int f(int x) { static int fresh; fresh += x; static int count; return x + ++count; }
int g(int x) { static int count; return x - 2 * ++count; }
