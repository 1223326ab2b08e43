struct quirk { int id; };
__attribute__((section(".quirks"), used)) static const struct quirk one = { 1 };
int f(int x) { return x; }
