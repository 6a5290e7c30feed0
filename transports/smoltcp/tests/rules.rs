//! The stream keeps the rules that the driver's transports keep, in simulated time.

#[allow(dead_code)] // a part of it is for the other tests
mod world;

use barepg::Platform;
use barepg_smoltcp::{Ipv4, Setup, Sockets, Stack, TcpBuffers};
use barepg_transport_tests::{Peer, check};
use world::{End, Faults, Manner, OWN, OWN_MAC, PORT, World};

/// The far end, and the loop of a board that polls its stack while the driver does other things.
struct Puppet<'w, 's, 'a> {
    world: &'w World,
    stack: &'s Stack<'a, End>,
}

impl Puppet<'_, '_, '_> {
    fn pass(&self, ms: u64) {
        for _ in 0..ms {
            self.world.tick();
            self.stack.poll();
        }
    }
}

impl Peer for Puppet<'_, '_, '_> {
    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.world.peer.borrow_mut().socket().send_slice(bytes).unwrap();
            bytes = &bytes[n..];
            self.pass(2);
        }
    }

    fn received(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..20 {
            let mut peer = self.world.peer.borrow_mut();
            while peer.socket().can_recv() {
                all.extend(peer.socket().recv(|b| (b.len(), b.to_vec())).unwrap());
            }
            drop(peer);
            self.pass(2);
        }
        all
    }

    fn close(&mut self) {
        self.world.peer.borrow_mut().socket().close();
    }

    fn reset(&mut self) {
        self.pass(20);
        self.world.peer.borrow_mut().socket().abort();
        // Before the peer listens again, which makes it forget.
        self.world.peer.borrow_mut().listens = false;
        self.pass(20);
        self.world.peer.borrow_mut().listens = true;
    }
}

#[test]
fn the_stream_keeps_the_rules_of_transports() {
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let setup = Setup::new(OWN_MAC).ipv4(ipv4);
    let (world, end) = World::new(1, Faults::default());
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(end, &world, setup, &mut buffers, &mut sockets).unwrap();
    world.peer.borrow_mut().manner = Manner::Puppet;
    check(&|| world.now_ms(), &|run| {
        let mut stream = stack.connect("10.0.0.1", PORT, 20_000).unwrap();
        let mut peer = Puppet { world: &world, stack: &stack };
        peer.pass(20);
        run(&mut stream, &mut peer);
        drop(stream);
        peer.pass(50);
    });
}
