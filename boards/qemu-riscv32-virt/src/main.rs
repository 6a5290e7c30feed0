#![no_std]
#![no_main]
//! The common operations on QEMU's RISC-V virt machine: rv32imac, virtio network and entropy.

#[cfg(feature = "tls")]
use barepg::tls::{Tls, TlsStorage};
use barepg::{NoEntropy, Platform, Storage};
use barepg_app::Lent;
use barepg_semihost::{
    CommandLine, Output, barepg_mark_begin, barepg_mark_end, barepg_mark_moved, command_line,
    fault, finish, once, stack,
};
use barepg_smoltcp::{ConnectError, Setup, Sleep, Sockets, Stack, TcpBuffers, TcpStream};
use riscv_rt::{TrapFrame, entry};

mod clock;
#[cfg(any(feature = "provision", feature = "survive"))]
mod flash;
#[cfg(feature = "provision")]
mod uart;
mod virtio;

use clock::Clock;
use virtio::{Entropy, Frames, Nic};

type Net = Stack<'static, Nic>;

/// What the driver needs of the machine. There is no watchdog to feed, and the network is served
/// while the transport waits: `idle` takes readings, where a program wants them.
struct Machine {
    entropy: Entropy,
}

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        Clock::now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.entropy.fill(buf).then_some(()).ok_or(NoEntropy)
    }

    fn unix_time(&self) -> Option<u64> {
        Some(clock::unix_time())
    }

    #[cfg(feature = "survive")]
    fn idle(&self) {
        barepg_app::sample(self.now_ms());
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
    type Transport = TcpStream<'m, 'static, Nic>;
    type DialError = ConnectError;
    #[cfg(feature = "survive")]
    type Flash = flash::Flash;

    #[cfg(feature = "survive")]
    fn flash(&mut self) -> flash::Flash {
        flash::Flash::take()
    }

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
    let (Some(machine), Some(frames), Some(memory), Some(sockets), Some(storage), Some(line)) = (
        once!(Option<Machine> = None),
        once!(Frames = Frames::new()),
        once!(TcpBuffers<2048, 512> = TcpBuffers::new()),
        once!(Sockets<'static> = Sockets::new()),
        once!(Storage<1024, 512> = Storage::new()),
        once!(CommandLine = CommandLine::new()),
    ) else {
        fault("memory taken")
    };
    let Some(entropy) = Entropy::start() else { fault("no entropy device") };
    let machine = &*machine.insert(Machine { entropy });
    let Some((nic, mac, interrupt)) = Nic::start(frames) else { fault("no network device") };
    Clock::start(interrupt);
    let arguments = command_line(line);
    let setup = Setup::new(mac);
    #[cfg(feature = "hosts")]
    let setup = match barepg_app::name_server(arguments) {
        Some(server) => setup.name_server(server.into()),
        None => setup,
    };
    let Ok(net) = Stack::new(nic, machine, setup, memory, sockets) else { fault("no network") };
    let mut output = Output::new();
    #[cfg(feature = "provision")]
    let parameters = parameters(arguments, &mut output);
    #[cfg(all(feature = "tls", feature = "provision"))]
    let files = match parameters.root() {
        [] => tls_files(arguments),
        root => [(barepg_app::ROOT, root)],
    };
    #[cfg(all(feature = "tls", not(feature = "provision")))]
    let files = tls_files(arguments);
    #[cfg(feature = "tls")]
    let Some(records) = once!(TlsStorage<4113, 768> = TlsStorage::new()) else {
        fault("memory taken")
    };
    #[cfg(feature = "tls")]
    let tls = Tls::new(records).files(&files);
    let mut board = Board {
        net: &net,
        #[cfg(feature = "depth")]
        depths: stack::Depths::default(),
    };
    #[cfg(feature = "survive")]
    let rest = || {
        net.poll();
        Clock::sleep_until(Clock::now_ms() + 5);
    };
    let success = barepg_app::run(
        arguments,
        &mut board,
        Lent {
            buffers: storage.buffers(),
            platform: machine,
            #[cfg(feature = "survive")]
            rest: &rest,
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

/// What the device was given, now or before.
#[cfg(feature = "provision")]
fn parameters(arguments: &str, output: &mut Output) -> &'static barepg::provision::Provisioned {
    let Some(parameters) = once!(barepg_app::Parameters = barepg_app::Parameters::new()) else {
        fault("memory taken")
    };
    let (flash, mut line) = (flash::Flash::parameters(), uart::Uart::start());
    if !barepg_app::provision_over(arguments, flash, &mut line, parameters, output) {
        fault("no parameters")
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

/// Any exception; interrupts are not enabled.
#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler(_: &TrapFrame) -> ! {
    fault("exception")
}
