int v;
#define ALT(new, feature, len) asm volatile("661:\n\tnop\n\tnop\n\tnop\n662:\n\t.pushsection .altinstructions,\"a\"\n\t.long 661b - .\n\t.long 663f - .\n\t.word " feature "\n\t.byte 662b - 661b\n\t.byte 664f - 663f\n\t.popsection\n\t.pushsection .altinstr_replacement,\"ax\"\n663:\t" new "\n664:\n\t.popsection")
int f(int x) { ALT("lfence", "5", 3); return v; }
int g(int x) { ALT("", "6", 0); return v + 1; }
int h(int x) { ALT("mfence", "7", 3); return v + 2; }
