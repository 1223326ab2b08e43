void warn(int);
int f(int x)
{
	if (x > 1) { static char __already_done; if (!__already_done) { __already_done = 1; warn(1); } }
	if (x > 2) { static char __already_done; if (!__already_done) { __already_done = 1; warn(2); } }
	return x;
}
