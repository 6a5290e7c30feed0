// A W5500-EVB-Pico: the RP2040 of rp2040js with its boot ROM, flash, ring oscillator, and the W5500 at its pins.

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { Rom } from './rom.mjs';
import { W5500 } from './w5500.mjs';

const FLASH = 0x1000_0000, FLASH_SIZE = 2 * 1024 * 1024;
const RAM = 0x2000_0000, RAM_SIZE = 256 * 1024;

const MISO = 16, SELECT = 17, CLOCK = 18, MOSI = 19, RESET = 20, BUTTON = 22, LED = 25;
const FUNCTION_SPI = 1;

// The most that the W5500's data sheet guarantees.
const SPI_HZ = 33.3e6;

// What RAM holds before something is written there.
const PAINT = 0xa5;

// Registers that rp2040js does not have, and that matter to nothing here: UARTDMACR, UARTRSR.
const UNKNOWN = ['UART0 Unimplemented peripheral write to 0x48', 'UART0 Unimplemented peripheral read from 0x4',
  'UART0 Unimplemented peripheral write to 0x4'];

const WATCHDOG = new Error('the watchdog');

export async function load(rp2040js) {
  const at = (file) => import(pathToFileURL(join(rp2040js, 'dist/esm', file)).href);
  const [{ RP2040 }, { SimulationClock }, { BasePeripheral }] = await Promise.all(
    ['rp2040.js', 'clock/simulation-clock.js', 'peripherals/peripheral.js'].map(at));
  return { RP2040, SimulationClock, BasePeripheral };
}

export class Board {
  // `said` takes an event and its text: `led`, `line`, `restart`, `complaint`.
  constructor(emulator, { image, flash, send, said }) {
    Object.assign(this, { emulator, flashFile: flash, send, said });
    this.image = segments(readFileSync(image));
    this.flash = Buffer.alloc(FLASH_SIZE, 0xff);
    if (existsSync(flash)) this.flash.set(readFileSync(flash).subarray(0, FLASH_SIZE));
    this.imageEnd = 0;
    for (const { address, bytes } of this.image) {
      this.flash.set(bytes, address - FLASH);
      this.imageEnd = Math.max(this.imageEnd, address - FLASH + bytes.length);
    }
    Object.assign(this, { instructions: 0, seconds: 0, stack: 0, complaints: new Set(), buttonHeld: false });
    this.totals = { erased: 0, programmed: 0, spi: 0, dropped: 0, unwatched: 0 };
    this.typed = [];
    this.switchOn();
  }

  complain(text) {
    if (!this.complaints.has(text)) this.said('complaint', text);
    this.complaints.add(text);
  }

  switchOn() {
    const { RP2040, SimulationClock, BasePeripheral } = this.emulator;
    const clock = new SimulationClock();
    const chip = new RP2040(clock);
    const notice = (name, text) => {
      if (!UNKNOWN.some((known) => `${name} ${text}`.startsWith(known))) this.complain(`${name}: ${text}`);
    };
    chip.logger = { debug() {}, info() {}, warn: notice, error: notice };
    chip.flash.set(this.flash);
    chip.sram.fill(PAINT);
    chip.executed = 0;
    chip.peripherals[0x40060] = oscillator(new BasePeripheral(chip, 'ROSC'));
    const complain = (text) => this.complain(text);
    this.network = new W5500({ send: this.send, complain, now: () => clock.nanos });
    const cable = this.cable ?? true;
    this.network.linked = cable;
    this.wire(chip, clock);
    const rom = new Rom(chip, clock, { complain, saved: () => this.save(chip) });
    rom.imageEnd = this.imageEnd;
    // Thrown, for rp2040js would let the watchdog fire for ever at the same instant.
    const watchdog = chip.peripherals[0x40058];
    watchdog.onWatchdogTrigger = () => { throw WATCHDOG; };
    this.watch(watchdog, clock);
    Object.assign(this, { chip, clock, rom, on: true, text: '' });
    rom.start();
  }

  // The longest time between two feedings of the watchdog.
  watch(watchdog, clock) {
    const LOAD = 4;
    const write = watchdog.writeUint32.bind(watchdog);
    let last = Infinity;
    watchdog.writeUint32 = (offset, value) => {
      if (offset === LOAD) {
        this.totals.unwatched = Math.max(this.totals.unwatched, Math.round((clock.nanos - last) / 1e6));
        last = clock.nanos;
      }
      write(offset, value);
    };
  }

  wire(chip, clock) {
    const { network } = this;
    const listen = (pin, heard) => chip.gpio[pin].addListener(heard);
    listen(LED, (state) => {
      this.said('led', `${state === 1 ? 'on' : 'off'}, ${(chip.executed / 1e6).toFixed(1)} million instructions and ` +
        `${Math.round(clock.nanos / 1e6)} ms after the start`);
    });
    listen(RESET, (state) => network.resetPin(state !== 0));
    let busy = false;
    listen(SELECT, (state) => {
      if (busy) this.complain('chip select changed within a byte');
      network.selectPin(state === 0);
    });
    chip.gpio[BUTTON].setInputValue(!this.buttonHeld);
    const spi = chip.spi[0];
    let byte = 0;
    const done = clock.createAlarm(() => {
      busy = false;
      spi.completeTransmit(network.exchange(byte));
    });
    spi.onTransmit = (value) => {
      if (!network.checked) this.checkBus(chip, spi);
      network.checked = true;
      [busy, byte] = [true, value];
      done.schedule(8e9 / spi.clockFrequency);
    };
    chip.uart[0].onByte = (value) => {
      if (value !== 10) this.text += String.fromCharCode(value);
      else [this.text] = ['', this.said('line', this.text)];
    };
  }

  // rp2040js connects the peripheral whatever the pins are set to.
  checkBus(chip, spi) {
    for (const pin of [MISO, CLOCK, MOSI]) {
      if (chip.gpio[pin].functionSelect !== FUNCTION_SPI) this.complain(`GP${pin} is not SPI's`);
    }
    if (spi.spiMode !== 0 || spi.dataBits !== 8) this.complain('not SPI mode 0 with 8 bits');
    if (!(spi.clockFrequency <= SPI_HZ)) this.complain(`SPI at ${spi.clockFrequency} Hz`);
    this.spiHz = spi.clockFrequency;
  }

  setCable(linked) {
    this.cable = linked;
    this.network.linked = linked;
  }

  setButton(held) {
    this.buttonHeld = held;
    this.chip.gpio[BUTTON].setInputValue(!held);
  }

  save(chip) {
    this.flash.set(chip.flash.subarray(0, FLASH_SIZE));
    writeFileSync(this.flashFile, this.flash);
  }

  // The most of the stack that was in use: what is written from the top of the RAM down. The variables are at its
  // other end, with paint between.
  switchOff() {
    const { sram } = this.chip;
    let [lowest, quiet] = [RAM_SIZE, 0];
    for (let at = RAM_SIZE - 1; at >= 0 && quiet < 16384; at--) {
      quiet = sram[at] === PAINT ? quiet + 1 : 0;
      if (!quiet) lowest = at;
    }
    this.stack = Math.max(this.stack, RAM_SIZE - lowest);
    this.instructions += this.chip.executed;
    this.seconds += this.clock.nanos / 1e9;
    this.totals.erased += this.rom.counts.erased;
    this.totals.programmed += this.rom.counts.programmed;
    this.totals.spi += this.network.bytes;
    this.totals.dropped += this.network.dropped;
    this.on = false;
  }

  // So many instructions, or so many nanoseconds of sleep; whether it sleeps.
  run(instructions, nanos) {
    const { chip, clock } = this;
    const uart = chip.uart[0];
    if (this.typed.length && !uart.rxFIFO.full) uart.feedByte(this.typed.shift());
    const before = clock.nanos;
    try {
      chip.executed += execute(chip.core, clock, 1e9 / chip.clkSys, instructions, before + nanos);
    } catch (error) {
      if (error !== WATCHDOG) throw error;
      this.said('restart', '');
      this.switchOff();
      this.switchOn();
    }
    return this.chip.core.waiting;
  }
}

function execute(core, clock, cycle, instructions, end) {
  let count = 0;
  while (count < instructions) {
    if (core.waiting) {
      if (clock.nanos >= end) break;
      if (!clock.nextAlarm) throw new Error('it sleeps, and nothing will wake it');
      clock.tick(clock.nanosToNextAlarm);
    } else {
      clock.tick(core.executeInstruction() * cycle);
      count++;
    }
  }
  return count;
}

// Section 2.17 of the data sheet. Bits are drawn by the machine that emulates.
function oscillator(peripheral) {
  const STATUS = 0x18, RANDOMBIT = 0x1c, STABLE = 0x8000_1000;
  let pool = Buffer.alloc(0), at = 0;
  const registers = {};
  peripheral.readUint32 = (offset) => {
    if (offset === STATUS) return STABLE;
    if (offset !== RANDOMBIT) return registers[offset] ?? 0;
    if (at === pool.length * 8) [pool, at] = [randomBytes(4096), 0];
    const bit = (pool[at >> 3] >> (at & 7)) & 1;
    at++;
    return bit;
  };
  peripheral.writeUint32 = (offset, value) => { registers[offset] = value; };
  return peripheral;
}

// What an ELF file puts into the flash.
function segments(elf) {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.length);
  const found = [];
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = view.getUint32(28, true) + i * view.getUint16(42, true);
    const [type, offset, , address, size] = [0, 4, 8, 12, 16].map((field) => view.getUint32(at + field, true));
    if (type === 1 && size > 0) found.push({ address, bytes: elf.subarray(offset, offset + size) });
  }
  return found;
}
