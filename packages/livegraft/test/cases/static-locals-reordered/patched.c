int f(int x)
{
	if (x <= 5) { static int count; return x - ++count; }
	{ static int count; return x + 2 * ++count; }
}
