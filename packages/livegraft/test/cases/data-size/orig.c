int seen[4];
int f(int x) { return seen[x & 3]; }
