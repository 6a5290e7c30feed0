//! A device that has no room for a frame at the moment: a chip that still sends the last one.

use std::cell::Cell;

use barepg_smoltcp::smoltcp::phy::{Device, DeviceCapabilities};
use barepg_smoltcp::smoltcp::time::Instant;
use barepg_smoltcp::{Sockets, Stack, TcpBuffers};
use embedded_io::{Read, Write};

use crate::world::{End, Faults, PORT, World};
use crate::{fixed, now, retry};

struct Busy<'b>(End, &'b Cell<bool>);

impl Device for Busy<'_> {
    type RxToken<'a>
        = <End as Device>::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = <End as Device>::TxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.0.receive(now)
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        if self.1.get() { None } else { self.0.transmit(now) }
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.0.capabilities()
    }
}

/// smoltcp forgets to repeat a segment that it wanted to repeat while the device was busy. Then a keep-alive's byte was
/// the next that the peer got, in place of one of the segments that were under way.
#[test]
fn a_device_that_is_busy_loses_no_segment() {
    let (world, end) = World::new(1, Faults::default());
    let busy = Cell::new(false);
    let mut buffers: TcpBuffers<2048, 2048> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(Busy(end, &busy), &world, fixed(), &mut buffers, &mut sockets).unwrap();
    let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
    let lost = |percent| world.wire.borrow_mut().faults.loss = percent;
    lost(100);
    assert_eq!(stream.write(&[1; 100]), Ok(100));
    lost(0);
    for n in 2..8 {
        assert_eq!(stream.write(&[n; 100]), Ok(100));
    }
    // Six acknowledgements of the first byte are on their way.
    busy.set(true);
    for _ in 0..5 {
        world.tick();
        stack.poll();
    }
    busy.set(false);
    let (begun, mut back) = (now(&world), Vec::<u8>::new());
    while back.len() < 700 {
        let mut buf = [0; 700];
        let n = retry(&world, 60_000, || stream.read(&mut buf)).unwrap();
        back.extend(&buf[..n]);
    }
    let whole: Vec<u8> = (1..8).flat_map(|n| [n; 100]).collect();
    assert!(back == whole, "other bytes than were sent");
    assert!(now(&world) - begun < 5000, "{} ms", now(&world) - begun);
}
