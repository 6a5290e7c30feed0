//! The far end for the tests of the transport rules, which do with it what they like.

use barepg_smoltcp::Stack;
use barepg_smoltcp::smoltcp::phy::Device;
use barepg_transport_tests::Peer;

use super::World;

/// The far end, and the loop of a board that polls its stack while the driver does other things.
pub struct Puppet<'w, 's, 'a, D: Device> {
    pub world: &'w World,
    pub stack: &'s Stack<'a, D>,
}

impl<D: Device> Puppet<'_, '_, '_, D> {
    pub fn pass(&self, ms: u64) {
        for _ in 0..ms {
            self.world.tick();
            self.stack.poll();
        }
    }
}

impl<D: Device> Peer for Puppet<'_, '_, '_, D> {
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
