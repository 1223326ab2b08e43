/* adds one */ int f(int x) { return x + 1; }
