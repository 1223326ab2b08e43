void a(void), b(void), c(void);
void f(unsigned x)
{
	static const void *const to[] = { &&one, &&two, &&three };
	goto *to[x];
one:	a(); return;
two:	b(); return;
three:	c(); return;
}
