__attribute__((cold)) void report(int);
int f(int x) { if (x < 0) { report(x); report(1); } return x + 1; }
int g(int x) { return x; }
