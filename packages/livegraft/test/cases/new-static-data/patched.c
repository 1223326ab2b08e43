static int calls = 5;
int f(int x) { return x + calls++; }
