void put(const char *);
void f(void) { put("behind"); }
void g(void) { put("other"); }
