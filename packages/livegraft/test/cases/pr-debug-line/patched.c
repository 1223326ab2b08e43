struct _ddebug { const char *mod, *function, *file, *format; unsigned line : 18, class : 6, flags : 8; long key[2]; } __attribute__((aligned(8)));
void pr(struct _ddebug *, const char *);
#define pr_debug(text) do { static struct _ddebug __attribute__((section("__dyndbg"), used)) __UNIQUE_ID_ddebug = { "mod", __func__, "file.c", text, __LINE__, 63, 0 }; if (__UNIQUE_ID_ddebug.flags) pr(&__UNIQUE_ID_ddebug, text); } while (0)


int f(int x) { pr_debug("f"); return x; }
int g(int x) { pr_debug("g"); return x + 1; }
