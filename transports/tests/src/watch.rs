//! A call that never returns: the most usual breach of rule 1, which no assertion after it can find.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use embedded_io::ErrorKind;

use crate::{Link, Peer, Run};

/// How long a call may take on any machine, whatever clock the transport waits by.
const LONGEST: Duration = Duration::from_secs(10);

/// Watches all calls of a check. The transport cannot leave its thread, so the process ends when one does not return.
pub(crate) struct Watch(Sender<Option<&'static str>>);

impl Watch {
    pub(crate) fn start() -> Self {
        let (calls, called) = channel();
        std::thread::spawn(move || watch(&called));
        Self(calls)
    }

    /// `open`, with a link whose calls are watched.
    pub(crate) fn over(&self, open: &dyn Fn(Run<'_>), run: Run<'_>) {
        open(&mut |link: &mut dyn Link, peer: &mut dyn Peer| {
            run(&mut Watched { link, calls: &self.0 }, peer);
        });
    }
}

fn watch(called: &Receiver<Option<&'static str>>) {
    // Nothing is sent any more when the check has ended.
    while let Ok(mut call) = called.recv() {
        while let Some(name) = call {
            match called.recv_timeout(LONGEST) {
                Ok(next) => call = next,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = LONGEST.as_secs();
                    // Not captured by the test.
                    let _ = writeln!(
                        std::io::stderr(),
                        "\nrule 1: {name} did not return within {seconds} s, and cannot be interrupted: \
                         the test process ends"
                    );
                    std::process::exit(101);
                }
            }
        }
    }
}

struct Watched<'w> {
    link: &'w mut dyn Link,
    calls: &'w Sender<Option<&'static str>>,
}

impl Watched<'_> {
    fn call<R>(&mut self, name: &'static str, call: impl FnOnce(&mut dyn Link) -> R) -> R {
        // Also where the call panics.
        struct Returned<'w>(&'w Sender<Option<&'static str>>);
        impl Drop for Returned<'_> {
            fn drop(&mut self) {
                let _ = self.0.send(None);
            }
        }
        let _ = self.calls.send(Some(name));
        let _returned = Returned(self.calls);
        call(self.link)
    }
}

impl Link for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.call("read", |link| link.read(buf))
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.call("write", |link| link.write(buf))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.call("flush", |link| link.flush())
    }

    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.call("read_ready", |link| link.read_ready())
    }
}
