int limit = 5;
int f(int x) { return x > limit; }
