import net from 'node:net';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const db = await PGlite.create();
// The port is asked of the system first: the server takes no 0.
const probe = net.createServer().listen(0, '127.0.0.1');
await new Promise((done) => probe.once('listening', done));
const { port } = probe.address();
await new Promise((done) => probe.close(done));
const server = new PGLiteSocketServer({ db, port, maxConnections: 10, host: '127.0.0.1' });
await server.start();
console.log(port);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
