int f(int i) { return "xabcdef"[i + 1]; }
int g(int i) { return i; }
