int open(int), close(int);
struct ops { int (*open)(int), (*close)(int); };
static const struct ops ops = { close, open };
void use(const struct ops *);
void f(void) { use(&ops); }
