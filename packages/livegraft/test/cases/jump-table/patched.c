int a(int), b(int);
int f(int x)
{
	switch (x) {
	case 0: return a(x);
	case 1: return b(x);
	case 2: return a(x) + 1;
	case 3: return b(x) + 9;
	case 4: return a(x) + 2;
	case 5: return b(x) + 2;
	case 6: return a(x) + 3;
	}
	return x;
}
int g(int x) { return x; }
