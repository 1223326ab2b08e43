int limit = 6;
int f(int x) { return x > limit; }
