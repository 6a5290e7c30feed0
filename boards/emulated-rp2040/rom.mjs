// What the boot ROM of the RP2040 does for a program, from sections 2.7 and 2.8 of its data sheet: it starts the
// second stage of the boot, and it has functions. The emulator has no boot ROM: each function here is a breakpoint,
// and its work is done outside.

const FLASH = 0x1000_0000, RAM = 0x2000_0000, SECOND_STAGE = 0x2004_1f00;

const TABLE = 0x100, LOOKUP = 0x80;

// Typical times of the board's flash (W25Q16JV).
const ERASE_NANOS = 45_000_000, PROGRAM_NANOS = 400_000;

const SECTOR = 4096, PAGE = 256;

export class Rom {
  // `saved` is called when the flash has changed.
  constructor(chip, clock, { complain, saved }) {
    Object.assign(this, { chip, clock, complain, saved });
    this.names = [];
    // The flash while it is no memory.
    this.hidden = null;
    this.counts = { erased: 0, programmed: 0 };
    const rom = new Uint32Array(4096);
    rom.set([0x0301_754d, (TABLE << 16) | TABLE, LOOKUP | 1], 4);
    // `bkpt NUMBER; bx lr`
    for (let i = 0; i < 64; i++) rom[LOOKUP / 4 + i] = (0xbe00 | i | (0x4770 << 16)) >>> 0;
    chip.bootrom.set(rom);
    chip.onBreak = (number) => this.call(number);
  }

  // As after a reset: the second stage is the first 256 bytes of the flash, if its checksum is right.
  start() {
    const stage = this.chip.flash.subarray(0, 256);
    const sum = new DataView(stage.buffer, stage.byteOffset + 252, 4).getUint32(0, true);
    if (checksum(stage.subarray(0, 252)) !== sum) throw new Error('the second stage of the boot has a wrong checksum');
    this.chip.sram.set(stage, SECOND_STAGE - RAM);
    const { core } = this.chip;
    [core.SP, core.LR, core.PC] = [SECOND_STAGE, 0, SECOND_STAGE];
  }

  call(number) {
    const { registers, PC } = this.chip.core;
    if (PC < LOOKUP || PC >= LOOKUP + 256) {
      throw new Error(`breakpoint ${number} at ${PC.toString(16)}: a panic, or a fault`);
    }
    const [a, b, c] = registers;
    if (number > 0) {
      FUNCTIONS[this.names[number - 1]].call(this, a, b, c);
      return;
    }
    const name = String.fromCharCode(b & 0xff, b >> 8);
    if (!(name in FUNCTIONS)) throw new Error(`the boot ROM's function ${name} is not there`);
    if (!this.names.includes(name)) this.names.push(name);
    registers[0] = (LOOKUP + 4 * (this.names.indexOf(name) + 1)) | 1;
  }

  answer(value) {
    this.chip.core.registers[0] = value;
  }

  change(what, offset, count, unit, work) {
    if (!this.hidden) throw new Error(`${what} while the flash is memory`);
    if (offset % unit || count % unit) throw new Error(`${what} ${count} bytes at ${offset.toString(16)}`);
    if (offset < this.imageEnd) throw new Error(`${what} at ${offset.toString(16)}, where the program is`);
    work(this.hidden.subarray(offset, offset + count));
  }
}

// The lowest first.
function bits(word) {
  return Array.from({ length: 32 }, (_, i) => (word >>> i) & 1);
}

function fill(chip, to, byte, count) {
  for (let i = 0; i < count; i++) chip.writeUint8(to + i, byte);
}

function copy(chip, to, from, count) {
  for (let i = 0; i < count; i++) chip.writeUint8(to + i, chip.readUint8(from + i));
}

// By the codes of section 2.8.3.
const FUNCTIONS = {
  P3(word) { this.answer(bits(word).reduce((sum, bit) => sum + bit, 0)); },
  R3(word) { this.answer(bits(word).reduce((result, bit) => result * 2 + bit, 0)); },
  L3(word) { this.answer(Math.clz32(word)); },
  T3(word) { this.answer(word === 0 ? 32 : 31 - Math.clz32(word & -word)); },
  MS(to, byte, count) { fill(this.chip, to, byte & 0xff, count); },
  S4(to, byte, count) { fill(this.chip, to, byte & 0xff, count); },
  MC(to, from, count) { copy(this.chip, to, from, count); },
  C4(to, from, count) { copy(this.chip, to, from, count); },
  IF() {},
  EX() {
    this.hidden ??= this.chip.flash.slice(0);
    this.chip.flash.fill(0xff);
  },
  RE(offset, count) {
    this.change('erase', offset, count, SECTOR, (part) => part.fill(0xff));
    this.counts.erased += count / SECTOR;
    this.clock.tick((count / SECTOR) * ERASE_NANOS);
  },
  RP(offset, from, count) {
    if (from >= FLASH && from < RAM) throw new Error('program from the flash itself');
    this.change('program', offset, count, PAGE, (part) => {
      // Bits can only be cleared.
      for (let i = 0; i < count; i++) part[i] &= this.chip.readUint8(from + i);
    });
    this.counts.programmed += count / PAGE;
    this.clock.tick((count / PAGE) * PROGRAM_NANOS);
  },
  FC() {},
  CX() {
    if (!this.hidden) return;
    this.chip.flash.set(this.hidden);
    this.hidden = null;
    this.saved();
  },
};

// CRC-32 as section 2.8.1.3.1 has it: nothing is reflected.
function checksum(bytes) {
  let sum = 0xffff_ffff;
  for (const byte of bytes) {
    sum ^= byte << 24;
    for (let i = 0; i < 8; i++) sum = sum & 0x8000_0000 ? (sum << 1) ^ 0x04c1_1db7 : sum << 1;
  }
  return sum >>> 0;
}
