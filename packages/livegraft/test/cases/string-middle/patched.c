int f(int i) { return "yabcdef"[i + 1]; }
int g(int i) { return i; }
