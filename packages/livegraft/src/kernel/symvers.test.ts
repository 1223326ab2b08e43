import { expect, test } from 'vitest';
import { parseSymvers } from './symvers.ts';

test('parseSymvers: CRC, owner, licence, namespace; other lines are left out', () => {
  const text = `0x4c9d28b0\tphys_base\tvmlinux\tEXPORT_SYMBOL\t
0x669aff23\tcrypto_cipher_setkey\tcrypto/cipher\tEXPORT_SYMBOL_GPL\tCRYPTO_INTERNAL
0x00000000\told\tvmlinux\tEXPORT_SYMBOL
phys_base vmlinux

`;
  expect([...parseSymvers(text)]).toEqual([
    ['phys_base', { crc: 0x4c9d28b0, owner: 'vmlinux', gpl: false, namespace: '' }],
    ['crypto_cipher_setkey', { crc: 0x669aff23, owner: 'crypto/cipher', gpl: true, namespace: 'CRYPTO_INTERNAL' }],
    ['old', { crc: 0, owner: 'vmlinux', gpl: false, namespace: '' }],
  ]);
});
