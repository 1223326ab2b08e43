/** What the instructions of a function say that the search for waits needs: constants in registers, calls, loops. */
import type { OpKind as OperandKind } from 'iced-x86';
import { iced } from '../../support/iced.ts';
import { type Code, plain } from './code.ts';

/** The System V ABI’s registers of the first arguments of a call. */
const ARGUMENTS = ['RDI', 'RSI', 'RDX', 'RCX'] as const;
const CALL_CLOBBERED = ['RAX', 'RCX', 'RDX', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11'] as const;

export interface CallStep {
  readonly offset: number;
  readonly name: string;
  /** Constants that the first four arguments may have; empty: not seen. */
  readonly constants: readonly (readonly bigint[])[];
}

export interface Steps {
  readonly calls: readonly CallStep[];
  /** Values that current->__state is given. */
  readonly states: readonly { readonly offset: number; readonly value: bigint }[];
  /** Branches back: from … to, byte offsets. */
  readonly loops: readonly { readonly from: number; readonly to: number }[];
  /** It has a way out: a return, or a jump to another function. */
  readonly returns: boolean;
}

/** Follows the code from top to bottom, not along its branches: what it says of a constant is likely, not certain. */
export function stepsOf({ bytes, calls, name: self }: Code): Steps {
  const { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register, RegisterExt } = iced();
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = BASE;
  const instruction = new Instruction();
  const byOffset = new Map(calls.map((call) => [call.offset, call]));
  const full = (register: number): number => RegisterExt.fullRegister(register);
  const constants = new Map<number, bigint>();
  /** All that a register is ever given: in a loop it comes back to a call with what it had first. */
  const ever = new Map<number, bigint[]>();
  const copied = new Map<number, number>();
  const current = new Set<number>();
  const found: { offset: number; name: string; from: (bigint | { register: number } | undefined)[] }[] = [];
  const states: { offset: number; value: bigint }[] = [];
  const loops: { from: number; to: number }[] = [];
  let returns = false;
  const give = (register: number, value: bigint): void => {
    constants.set(register, value);
    copied.delete(register);
    ever.set(register, [...(ever.get(register) ?? []), value]);
  };
  while (decoder.canDecode) {
    const offset = decoder.position;
    decoder.decodeOut(instruction);
    const call = byOffset.get(offset);
    const { flowControl, mnemonic, op0Kind, op1Kind } = instruction;
    const opCount = instruction.opCount;
    if (flowControl === FlowControl.Return) returns = true;
    if (call !== undefined) {
      if (call.name === '__x86_return_thunk') returns = true;
      else if (flowControl !== FlowControl.Call && plain(call.name) !== self) returns = true;
      const from = ARGUMENTS.map((argument) => {
        const register = Register[argument];
        const copy = copied.get(register);
        return constants.get(register) ?? (copy === undefined ? undefined : { register: copy });
      });
      found.push({ offset, name: call.name, from });
    }
    if (flowControl === FlowControl.Call || flowControl === FlowControl.IndirectCall) {
      for (const each of CALL_CLOBBERED) {
        constants.delete(Register[each]);
        copied.delete(Register[each]);
        current.delete(Register[each]);
      }
      continue;
    }
    if (flowControl === FlowControl.ConditionalBranch || flowControl === FlowControl.UnconditionalBranch) {
      const to = Number(instruction.nearBranchTarget - BASE);
      if (call === undefined && to >= 0 && to <= offset) loops.push({ from: offset, to });
      continue;
    }
    if (opCount === 0 || mnemonic === Mnemonic.Cmp || mnemonic === Mnemonic.Test) continue;
    if (op0Kind === OpKind.Memory) {
      // set_current_state() is an xchg; __set_current_state() a plain store, as to any other field
      const isCurrent = current.has(full(instruction.memoryBase));
      const value =
        mnemonic === Mnemonic.Mov && isCurrent && isImmediate(op1Kind, OpKind)
          ? instruction.immediate(1)
          : mnemonic === Mnemonic.Xchg && op1Kind === OpKind.Register
            ? constants.get(full(instruction.op1Register))
            : undefined;
      if (value !== undefined) states.push({ offset, value: BigInt.asUintN(32, value) });
      continue;
    }
    if (op0Kind !== OpKind.Register) continue;
    const to = full(instruction.op0Register);
    const isMove = mnemonic === Mnemonic.Mov;
    current.delete(to);
    if (isMove && isImmediate(op1Kind, OpKind)) {
      give(to, instruction.immediate(1));
    } else if (mnemonic === Mnemonic.Xor && op1Kind === OpKind.Register && full(instruction.op1Register) === to) {
      give(to, 0n);
    } else if (isMove && op1Kind === OpKind.Register) {
      const from = full(instruction.op1Register);
      const value = constants.get(from);
      if (value === undefined) constants.delete(to);
      else constants.set(to, value);
      copied.set(to, from);
      if (current.has(from)) current.add(to);
    } else {
      constants.delete(to);
      copied.delete(to);
      // per-CPU variables are read by way of %gs; a pointer that is written through is current
      if (isMove && instruction.memorySegment === Register.GS) current.add(to);
    }
  }
  instruction.free();
  decoder.free();
  return {
    calls: found.map(({ offset, name, from }) => ({
      offset,
      name,
      constants: from.map((each) =>
        each === undefined ? [] : typeof each === 'bigint' ? [each] : (ever.get(each.register) ?? []),
      ),
    })),
    states,
    loops,
    returns,
  };
}

const BASE = 1n << 40n;

type OpKinds = ReturnType<typeof iced>['OpKind'];

function isImmediate(kind: OperandKind, kinds: OpKinds): boolean {
  return kind >= kinds.Immediate8 && kind <= kinds.Immediate32to64;
}
