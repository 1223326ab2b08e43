import { expect, test } from 'vitest';
import { siblingOf } from './share.ts';

const here = ['5.10.0-46-amd64', '6.1.0-55-amd64', '6.12.111+deb12-amd64', '6.12.117+deb13-amd64', 'mine'];

test('the nearest of the same series, and none of another', () => {
  expect(siblingOf('6.12.118+deb13-amd64', here)).toBe('6.12.117+deb13-amd64');
  expect(siblingOf('6.12.113+deb12-amd64', here)).toBe('6.12.111+deb12-amd64');
  expect(siblingOf('6.1.0-56-amd64', here)).toBe('6.1.0-55-amd64');
  expect(siblingOf('6.1.0-55-amd64', here)).toBeUndefined();
  expect(siblingOf('7.2.13+deb14-amd64', here)).toBeUndefined();
});
