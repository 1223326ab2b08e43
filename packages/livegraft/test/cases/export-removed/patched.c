#define EXPORT(name)                                                                                                   \
	asm(".section \"__ksymtab_strings\", \"aMS\", %progbits, 1\n__kstrtab_" #name ":\n\t.asciz \"" #name "\"\n"       \
	    "__kstrtabns_" #name ":\n\t.asciz \"\"\n\t.previous\n"                                                         \
	    "\t.section \"___ksymtab+" #name "\", \"a\"\n\t.balign 4\n\t.long " #name " - .\n"                            \
	    "\t.long __kstrtab_" #name " - .\n\t.long __kstrtabns_" #name " - .\n\t.previous")
int f(int x) { return x; }

int g(int x) { return x + 2; }
EXPORT(g);
