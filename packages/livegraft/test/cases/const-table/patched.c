static const int table[8] = { 1, 2, 3, 44, 5, 6, 7, 8 };
int f(int i) { return table[i & 7]; }
int g(int i) { return table[i & 3] + 1; }
int h(int i) { return i; }
