// Runs a Pico image unchanged: `node main.mjs RP2040JS IMAGE FLASH NETWORK`. RP2040JS is the package's folder, FLASH
// the file that is the board's flash while it is off, NETWORK a UNIX socket with Ethernet frames, each after its
// length in 32 bits (QEMU's `-netdev stream`).
//
// What happens is said in lines; what the machine is to do is read in lines: see `COMMANDS`.

import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';

import { Board, load } from './board.mjs';

// Instructions, and nanoseconds of sleep, between two looks at the network.
const TURN = 20_000, NAP = 20_000_000;

// While it sleeps, the board's clock runs this much faster than ours at most.
const HASTE = 10;

const [rp2040js, image, flash, path] = process.argv.slice(2);
const said = (event, text) => process.stdout.write(`${event} ${text}\n`);
const socket = createConnection(path);
const send = (frame) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  socket.write(Buffer.concat([length, frame]));
};
const board = new Board(await load(rp2040js), { image, flash, send, said });

let waiting = Buffer.alloc(0);
socket.on('data', (data) => {
  waiting = Buffer.concat([waiting, data]);
  while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32BE(0)) {
    const end = 4 + waiting.readUInt32BE(0);
    if (board.on) board.network.receive(waiting.subarray(4, end));
    waiting = waiting.subarray(end);
  }
});
socket.on('error', (error) => fail(error));
socket.on('close', () => fail(new Error('the network is gone')));

const COMMANDS = {
  type: (text) => board.typed.push(...Buffer.from(`${text}\n`)),
  cable: (state) => board.setCable(state === 'in'),
  button: (state) => board.setButton(state === 'held'),
  power: (state) => {
    if (state === 'on' && !board.on) board.switchOn();
    if (state === 'off' && board.on) board.switchOff();
  },
  stop: () => {
    if (board.on) board.switchOff();
    for (const [name, value] of Object.entries({ ...board.totals, instructions: board.instructions,
      stack: board.stack, spi_hz: Math.round(board.spiHz ?? 0), milliseconds: Math.round(board.seconds * 1000),
      busy_milliseconds: Math.round(busy) })) said('total', `${name} ${value}`);
    process.exit(0);
  },
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, ...text] = line.split(' ');
  COMMANDS[command]?.(text.join(' '));
}).on('close', () => process.exit(0));

function fail(error) {
  said('failed', `${error.message} (at ${board.chip?.core.PC.toString(16)}, from ${board.chip?.core.LR.toString(16)})`);
  process.exit(1);
}

let busy = 0;
function turn() {
  if (!board.on) return setTimeout(turn, 5);
  const before = performance.now();
  try {
    const slept = board.run(TURN, NAP);
    const took = performance.now() - before;
    busy += took;
    // A board that only waits must not wait its deadlines out before anything can answer.
    if (slept) return setTimeout(turn, Math.max(0, NAP / 1e6 / HASTE - took));
  } catch (error) {
    fail(error);
  }
  setImmediate(turn);
}
turn();
