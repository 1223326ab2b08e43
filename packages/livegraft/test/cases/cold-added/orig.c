__attribute__((cold)) void report(int);
int f(int x) { return x + 1; }
int g(int x) { return x; }
