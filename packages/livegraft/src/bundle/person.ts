/** A person as records name them: `Name <mail>`, on one line. */

/** Printable: it is shown on terminals, and a line break would forge a line of what is signed. */
export const linePattern: RegExp = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;

export const personPattern: RegExp = /^[^<>\p{Cc}\p{Zl}\p{Zp}]*[^<>\s\p{Cc}] <[^<>\s@]+@[^<>\s@]+>$/u;

/** `Name <mail>` → the mail, by which a person is known. */
export function mailOf(by: string): string {
  return by.slice(by.lastIndexOf('<') + 1, -1).toLowerCase();
}
