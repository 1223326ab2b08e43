int h(int i) { static int t[7] = {1, 2, 3, 4}; return t[i]; }

int f(int *a, int i) { return a[i] + 1; }
int g(int i) { static int t[4] = {1, 2, 3, 4}; return t[i]; }
