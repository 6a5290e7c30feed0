#![no_std]
#![no_main]
//! The common operations on a Stellaris LM3S6965: Cortex-M3, 256 KB flash, 64 KB RAM, Ethernet.

#[cfg(feature = "tls")]
use barepg::tls::{Tls, TlsStorage};
use barepg::{NoEntropy, Platform, Storage};
use barepg_app::Lent;
use barepg_semihost::{
    CommandLine, Output, SemihostingHostRng, barepg_mark_begin, barepg_mark_end, barepg_mark_moved,
    command_line, fault, finish, once, stack,
};
use barepg_smoltcp::{ConnectError, Setup, Sleep, Sockets, Stack, TcpBuffers, TcpStream};
use cortex_m_rt::{ExceptionFrame, entry, exception};

mod clock;
mod eth;
#[cfg(feature = "defmt")]
mod log;
mod regs;
mod vectors;

use clock::Clock;
use eth::{Ethernet, Frames};

/// Bytes of the send record buffer: a client certificate goes through it whole.
#[cfg(feature = "tls")]
const SEND_RECORD: usize = if cfg!(feature = "signing") { 2048 } else { 768 };

type Net = Stack<'static, Ethernet>;

/// What the driver needs of the machine. There is no watchdog to feed, and the network is served
/// while the transport waits: `idle` has nothing to do.
struct Machine;

impl Platform for Machine {
    #[cfg(feature = "watched")]
    fn idle(&self) {
        barepg_semihost::barepg_mark_idle();
    }

    fn now_ms(&self) -> u64 {
        Clock::now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        SemihostingHostRng.fill(buf).then_some(()).ok_or(NoEntropy)
    }

    #[cfg(feature = "tls")]
    fn unix_time(&self) -> Option<u64> {
        barepg_semihost::semihosting_host_time()
    }
}

impl Sleep for Machine {
    fn sleep_until(&self, deadline_ms: u64) {
        Clock::sleep_until(deadline_ms);
    }
}

/// What the program needs of the board.
struct Board<'m> {
    net: &'m Net,
    #[cfg(feature = "depth")]
    depths: stack::Depths,
}

impl<'m> barepg_app::Board for Board<'m> {
    type Transport = TcpStream<'m, 'static, Ethernet>;
    type DialError = ConnectError;

    fn dial(
        &mut self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<Self::Transport, ConnectError> {
        self.net.connect(host, port, timeout_ms)
    }

    fn hang_up(&mut self, mut transport: Self::Transport) {
        transport.close(1000);
    }

    fn mark_begin(&mut self, id: u32) {
        #[cfg(feature = "depth")]
        self.depths.begin();
        barepg_mark_begin(id);
    }

    fn mark_end(&mut self, id: u32) {
        barepg_mark_end(id);
        #[cfg(feature = "depth")]
        self.depths.end(id);
    }

    fn mark_moved() {
        barepg_mark_moved();
    }
}

#[entry]
fn main() -> ! {
    stack::paint();
    let Some(core) = cortex_m::Peripherals::take() else { fault("peripherals taken") };
    Clock::start(core.SYST);
    #[cfg(feature = "defmt")]
    log::start();
    let (Some(frames), Some(memory), Some(sockets), Some(storage), Some(line)) = (
        once!(Frames = Frames::new()),
        once!(TcpBuffers<2048, 512> = TcpBuffers::new()),
        once!(Sockets<'static> = Sockets::new()),
        once!(Storage<1024, 512> = Storage::new()),
        once!(CommandLine = CommandLine::new()),
    ) else {
        fault("memory taken")
    };
    let (ethernet, mac) = Ethernet::start(frames);
    let arguments = command_line(line);
    let setup = Setup::new(mac);
    #[cfg(feature = "hosts")]
    let setup = match barepg_app::name_server(arguments) {
        Some(server) => setup.name_server(server.into()),
        None => setup,
    };
    let Ok(net) = Stack::new(ethernet, &Machine, setup, memory, sockets) else {
        fault("no network")
    };
    #[cfg(feature = "provision")]
    let parameters = parameters(arguments);
    #[cfg(all(feature = "tls", feature = "provision"))]
    let files = match parameters.root() {
        [] => tls_files(arguments),
        root => [(barepg_app::ROOT, root)],
    };
    #[cfg(all(feature = "tls", not(feature = "provision")))]
    let files = tls_files(arguments);
    #[cfg(feature = "signing")]
    let files = [files[0], client_file(arguments, 0), client_file(arguments, 1)];
    #[cfg(feature = "tls")]
    let Some(records) = once!(TlsStorage<4113, SEND_RECORD> = TlsStorage::new()) else {
        fault("memory taken")
    };
    #[cfg(feature = "tls")]
    let tls = Tls::new(records).files(&files);
    let mut output = Output::new();
    let mut board = Board {
        net: &net,
        #[cfg(feature = "depth")]
        depths: stack::Depths::default(),
    };
    let success = barepg_app::run(
        arguments,
        &mut board,
        Lent {
            buffers: storage.buffers(),
            platform: &Machine,
            #[cfg(feature = "provision")]
            parameters,
            #[cfg(feature = "tls")]
            tls,
        },
        &mut output,
    );
    #[cfg(feature = "depth")]
    board.depths.print(&mut output);
    finish(output, success)
}

/// What the device was given: the lines of a file of the emulator's host stand in for those on a serial
/// line.
#[cfg(feature = "provision")]
fn parameters(arguments: &str) -> &'static barepg::provision::Provisioned {
    let (Some(parameters), Some(bytes)) = (
        once!(barepg_app::Parameters = barepg_app::Parameters::new()),
        once!([u8; 4096] = [0; 4096]),
    ) else {
        fault("memory taken")
    };
    if let Some(path) = barepg_app::provision_file(arguments) {
        let lines = barepg_semihost::read_host_file(path, bytes).unwrap_or(&[]);
        if !barepg_app::provision_from(lines, parameters, &mut Output::new()) {
            fault("no parameters")
        }
    }
    parameters
}

/// The root certificates, from a file of the emulator's host. Firmware in the field has them in
/// its flash.
#[cfg(feature = "tls")]
fn tls_files(arguments: &str) -> [(&'static str, &'static [u8]); 1] {
    let Some(path) = barepg_app::root_file(arguments) else { return [(barepg_app::ROOT, &[])] };
    // One certificate in DER; an RSA 4096's takes 1.3 KB.
    let Some(bytes) = once!([u8; 1536] = [0; 1536]) else { fault("memory taken") };
    let Some(root) = barepg_semihost::read_host_file(path, bytes) else {
        fault("root certificates cannot be read")
    };
    [(barepg_app::ROOT, root)]
}

/// The client's certificate or its key, likewise; empty where it has none.
#[cfg(feature = "signing")]
fn client_file(arguments: &str, which: usize) -> (&'static str, &'static [u8]) {
    let name = barepg_app::CLIENT[which];
    let Some(files) = barepg_app::client_files(arguments) else { return (name, &[]) };
    let room: Option<&'static mut [u8]> = match which {
        0 => once!([u8; 1536] = [0; 1536]).map(|room| &mut room[..]),
        _ => once!([u8; 2560] = [0; 2560]).map(|room| &mut room[..]),
    };
    let Some(bytes) = room.and_then(|room| barepg_semihost::read_host_file(files[which], room))
    else {
        fault("client certificate or key cannot be read")
    };
    (name, bytes)
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fault("hard fault")
}
