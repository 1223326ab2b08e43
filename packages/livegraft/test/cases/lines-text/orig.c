int v;
#define BUG() asm volatile("1:\tud2\n\t.pushsection __bug_table,\"aw\"\n2:\t.long 1b - .\n\t.long %c0 - .\n\t.word %c1\n\t.word %c2\n\t.org 2b + 12\n\t.popsection" : : "i"(__FILE__), "i"(__LINE__), "i"(1))
void might_sleep_at(const char *file, int line, int offset);
void assertion_failed(const char *fmt, const char *file, int line);
void abort_at(void *trans, const char *func, int line, int err);
void trace(const char *func, int mode);
#define might_sleep() might_sleep_at(__FILE__, __LINE__, 0)
#define S_(x) #x
#define S(x) S_(x)
void warn(const char *text);
int f(int x) { if (x) BUG(); return v; }
int g(int x) { warn("write at " __FILE__ ":" S(__LINE__) " of 16"); return x; }
int h(int x) { warn("write at " __FILE__ ":" S(__LINE__) " of 16"); return x; }
