struct s { int a, b, c; };
int put(int);
static __attribute__((noinline)) int sum(struct s *p) { return put(p->b) + 1; }
int f(struct s *p) { return sum(p); }
int g(struct s *p) { return sum(p) + 2; }
