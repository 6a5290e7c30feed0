// A model of the W5500 in raw mode (MACRAW), from its data sheet, version 1.1.0: what barepg-w5500's own tests have
// in Rust, here at the pins. It complains of what a chip would forgive today and not tomorrow.

const MEMORY = 16 * 1024;

// Registers of the common block.
const MR = 0x00, SHAR = 0x09, PHYCFGR = 0x2e, VERSIONR = 0x39;

// Registers of a socket.
const SN_MR = 0x00, SN_CR = 0x01, SN_IR = 0x02, SN_SR = 0x03, SN_RXBUF_SIZE = 0x1e, SN_TXBUF_SIZE = 0x1f;
const SN_TX_FSR = 0x20, SN_TX_RD = 0x22, SN_TX_WR = 0x24, SN_RX_RSR = 0x26, SN_RX_RD = 0x28, SN_RX_WR = 0x2a;

const RECEIVED = 1 << 2, SENT = 1 << 4;

// Section 5.5.1: the pin is low for this long, and then the chip is ready.
const RESET_NANOS = 500_000, READY_NANOS = 1_000_000;

export class W5500 {
  // `send` takes a frame, `complain` a sentence, `now` gives nanoseconds.
  constructor({ send, complain, now }) {
    Object.assign(this, { send, complain, now });
    // A cable with something at its other end.
    this.linked = true;
    this.dropped = 0;
    this.bytes = 0;
    this.selected = false;
    this.header = [];
    // Nothing works before the pin has reset it.
    this.resetSince = null;
    this.readyAt = Infinity;
    this.clear();
  }

  clear() {
    this.common = new Uint8Array(0x40);
    this.socket = new Uint8Array(0x30);
    this.tx = new Uint8Array(MEMORY);
    this.rx = new Uint8Array(MEMORY);
    this.sizes = { rx: 2048, tx: 2048 };
    this.common[VERSIONR] = 4;
  }

  resetPin(high) {
    if (!high) {
      this.resetSince ??= this.now();
      this.readyAt = Infinity;
    } else if (this.resetSince !== null) {
      const low = this.now() - this.resetSince;
      if (low < RESET_NANOS) this.complain(`W5500: reset for ${low} ns only`);
      this.resetSince = null;
      this.readyAt = this.now() + READY_NANOS;
      this.clear();
    }
  }

  selectPin(low) {
    if (this.selected && !low && this.header.length < 3 && this.header.length > 0) {
      this.complain('W5500: a header was cut');
    }
    this.selected = low;
    this.header = [];
  }

  // A byte each way. Without chip select it listens to nothing.
  exchange(byte) {
    if (!this.selected) {
      this.complain('W5500: a byte without chip select');
      return 0xff;
    }
    this.bytes += 1;
    if (this.now() < this.readyAt) {
      this.complain('W5500: used before it is ready');
      return 0;
    }
    if (this.header.length < 3) {
      this.header.push(byte);
      if (this.header.length === 3) {
        this.place = (this.header[0] << 8) | this.header[1];
        this.block = this.header[2] >> 3;
        this.writes = (this.header[2] & 4) !== 0;
        if (this.header[2] & 3) this.complain('W5500: not of variable length');
      }
      return 0;
    }
    const place = this.place;
    this.place = (this.place + 1) & 0xffff;
    if (!this.writes) return this.read(place);
    this.write(place, byte);
    return 0;
  }

  get open() {
    return this.socket[SN_SR] === 0x42;
  }

  word(register) {
    return (this.socket[register] << 8) | this.socket[register + 1];
  }

  setWord(register, value) {
    this.socket[register] = (value >> 8) & 0xff;
    this.socket[register + 1] = value & 0xff;
  }

  // A frame from the network goes into the memory, after its length.
  receive(frame) {
    if (!this.open || !this.linked) return;
    const own = frame.subarray(0, 6).every((byte, i) => byte === this.common[SHAR + i]);
    // MFEN: to the own address, or to many.
    if (this.socket[SN_MR] & 0x80 && !(frame[0] & 1) && !own) return;
    const total = frame.length + 2;
    const used = this.word(SN_RX_RSR);
    if (used + total > this.sizes.rx) {
      this.dropped += 1;
      return;
    }
    let place = this.word(SN_RX_WR);
    for (const byte of [total >> 8, total & 0xff, ...frame]) {
      this.rx[place % this.sizes.rx] = byte;
      place = (place + 1) & 0xffff;
    }
    this.setWord(SN_RX_WR, place);
    this.setWord(SN_RX_RSR, used + total);
    this.socket[SN_IR] |= RECEIVED;
  }

  command(command) {
    if (command === 0x01) {
      if ((this.socket[SN_MR] & 0x0f) !== 4) this.complain('W5500: not MACRAW');
      this.socket[SN_IR] = 0;
      for (const register of [SN_TX_RD, SN_TX_WR, SN_RX_RD, SN_RX_WR, SN_RX_RSR]) this.setWord(register, 0);
      this.setWord(SN_TX_FSR, this.sizes.tx);
      this.socket[SN_SR] = 0x42;
    } else if (command === 0x20 && this.open) {
      const from = this.word(SN_TX_RD), to = this.word(SN_TX_WR);
      const length = (to - from) & 0xffff;
      if (this.socket[SN_IR] & SENT) this.complain('W5500: a frame before the last has left');
      if (length < 14 || length > 1514) this.complain(`W5500: a frame of ${length} bytes`);
      const frame = Buffer.alloc(length);
      for (let i = 0; i < length; i++) frame[i] = this.tx[(from + i) % this.sizes.tx];
      this.setWord(SN_TX_RD, to);
      // Without a link a frame never leaves.
      if (this.linked) {
        this.socket[SN_IR] |= SENT;
        this.send(frame);
      }
    } else if (command === 0x40 && this.open) {
      this.setWord(SN_RX_RSR, (this.word(SN_RX_WR) - this.word(SN_RX_RD)) & 0xffff);
    }
  }

  read(place) {
    if (this.block === 0 && place === PHYCFGR) return 0b1011_1110 | Number(this.linked);
    if (this.block === 0) return this.common[place] ?? 0;
    if (this.block === 1) return this.socket[place] ?? 0;
    if (this.block === 3) return this.rx[place % this.sizes.rx];
    return 0;
  }

  write(place, byte) {
    if (this.block === 0 && place === MR && byte & 0x80) this.clear();
    else if (this.block === 0 && place !== VERSIONR) this.common[place] = byte;
    else if (this.block === 2) this.tx[place % this.sizes.tx] = byte;
    else if (this.block === 1) this.writeSocket(place, byte);
  }

  writeSocket(place, byte) {
    if (place === SN_CR) this.command(byte);
    else if (place === SN_IR) this.socket[SN_IR] &= ~byte; // ones clear
    else if (place === SN_RXBUF_SIZE) this.sizes.rx = byte * 1024;
    else if (place === SN_TXBUF_SIZE) this.sizes.tx = byte * 1024;
    else if (![SN_SR, SN_TX_FSR, SN_TX_FSR + 1, SN_RX_RSR, SN_RX_RSR + 1].includes(place)) this.socket[place] = byte;
  }
}
