asm(".pushsection .text.stub,\"ax\"\n\t.globl stub\nstub:\tmov $1, %eax\n\tret\n\t.popsection");
int f(int x) { return x; }
