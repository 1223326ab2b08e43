int seen[8];
int f(int x) { return seen[x & 7]; }
