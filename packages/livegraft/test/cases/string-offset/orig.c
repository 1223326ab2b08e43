void put(const char *);
void f(void) { put("abcdef" + 1); put("abcdef"); }
void g(void) { put("abcdef" + 2); put("abcdef"); }
