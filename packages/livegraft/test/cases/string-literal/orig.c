void put(const char *);
void f(void) { put("before"); }
void g(void) { put("other"); }
