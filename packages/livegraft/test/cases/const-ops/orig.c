int open(int), close(int);
struct ops { int (*open)(int), (*close)(int); };
static const struct ops ops = { open, close };
void use(const struct ops *);
void f(void) { use(&ops); }
