/** A set of words in little space that never forgets one, and seldom takes another for one of its own (Bloom's filter, 16 bits a word). */

const bitsEach = 16;
const probes = 5;

export function packWords(words: ReadonlySet<string>): Uint8Array {
  const bytes = new Uint8Array(Math.max(8, Math.ceil((words.size * bitsEach) / 8)));
  for (const word of words) for (const bit of bitsOf(word, bytes.length * 8)) bytes[bit >> 3]! |= 1 << (bit & 7);
  return bytes;
}

export function mayHaveWord(packed: Uint8Array, word: string): boolean {
  return bitsOf(word, packed.length * 8).every((bit) => (packed[bit >> 3]! & (1 << (bit & 7))) !== 0);
}

/** FNV-1a and a second hash, combined. */
function bitsOf(word: string, size: number): number[] {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < word.length; i++) {
    a = Math.imul(a ^ word.charCodeAt(i), 0x01000193);
    b = Math.imul(b, 33) ^ word.charCodeAt(i);
  }
  return Array.from({ length: probes }, (_, i) => ((a >>> 0) + i * ((b | 1) >>> 0)) % size);
}
