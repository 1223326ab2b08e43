int f(int x) { static int count; return x + ++count; }
int g(int x) { static int count; return x - ++count; }
