//! The development machine as a board: what the others run, over the operating system's sockets.
//! The command line's words are the arguments of the others, joined by spaces.

use std::fmt;
use std::process::ExitCode;

use barepg::host::{Dialler, Link, SystemPlatform};
use barepg::{Config, Dial, HostSpec, NoEntropy, Platform, Storage, Target};
use barepg_app::Lent;
use embedded_io::ErrorKind;

struct Board {
    dialler: Dialler,
    #[cfg(feature = "survive")]
    flash: Option<barepg::host::FileFlash>,
}

/// Bytes of the file that is a flash.
#[cfg(feature = "survive")]
const FLASH: usize = 64 * 1024;

/// What the driver needs of the machine, and a place to take readings.
struct Machine(SystemPlatform);

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.entropy(buf)
    }

    fn unix_time(&self) -> Option<u64> {
        self.0.unix_time()
    }

    fn idle(&self) {
        self.0.idle();
        #[cfg(feature = "survive")]
        barepg_app::sample(self.now_ms());
    }
}

/// In the words of the boards with a network stack of their own.
struct DialError(barepg::DialError);

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            barepg::DialError::Failed(ErrorKind::ConnectionRefused) => {
                f.write_str("connection refused")
            }
            barepg::DialError::TimedOut => {
                f.write_str("no answer from the host before the deadline")
            }
            barepg::DialError::UnknownHost => f.write_str("host name not found"),
            error => write!(f, "{error:?}"),
        }
    }
}

impl From<DialError> for barepg::DialError {
    fn from(error: DialError) -> Self {
        error.0
    }
}

impl barepg_app::Board for Board {
    type Transport = Link;
    type DialError = DialError;
    #[cfg(feature = "survive")]
    type Flash = barepg::host::FileFlash;

    #[cfg(feature = "survive")]
    fn flash(&mut self) -> Self::Flash {
        self.flash.take().expect("flash=FILE names one")
    }

    fn dial(&mut self, host: &str, port: u16, timeout_ms: u32) -> Result<Link, DialError> {
        let config = Config::new().connect_timeout_ms(timeout_ms);
        let host = HostSpec { host, hostaddr: "", port };
        self.dialler.dial(&Target::new(host, &config)).map_err(DialError)
    }

    fn hang_up(&mut self, transport: Link) {
        drop(transport);
    }
}

struct Stdout;

impl fmt::Write for Stdout {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let mut storage: Storage<1024, 512> = Storage::new();
    let platform = Machine(SystemPlatform::new());
    #[cfg(feature = "provision")]
    let mut parameters = barepg_app::Parameters::new();
    #[cfg(feature = "provision")]
    if let Some(path) = barepg_app::provision_file(&arguments) {
        let lines = std::fs::read(path).expect(path);
        if !barepg_app::provision_from(&lines, &mut parameters, &mut Stdout) {
            return ExitCode::FAILURE;
        }
    }
    #[cfg(feature = "tls")]
    let root = barepg_app::root_file(&arguments).map(|path| std::fs::read(path).expect(path));
    #[cfg(feature = "tls")]
    let root = root.as_deref().unwrap_or(&[]);
    #[cfg(all(feature = "tls", feature = "provision"))]
    let root = if parameters.root().is_empty() { root } else { parameters.root() };
    #[cfg(feature = "tls")]
    let files = [(barepg_app::ROOT, root)];
    #[cfg(feature = "tls")]
    let mut records: barepg::tls::TlsStorage = barepg::tls::TlsStorage::new();
    #[cfg(feature = "tls")]
    let tls = barepg::tls::Tls::new(&mut records).files(&files);
    let mut board = Board {
        dialler: Dialler::new(),
        #[cfg(feature = "survive")]
        flash: barepg_app::flash_file(&arguments).map(|file| {
            let flash = barepg::host::FileFlash::open(file, FLASH).expect(file);
            // It is the process that ends here, not the machine.
            flash.without_sync()
        }),
    };
    let success = barepg_app::run(
        &arguments,
        &mut board,
        Lent {
            buffers: storage.buffers(),
            platform: &platform,
            #[cfg(feature = "survive")]
            rest: &|| std::thread::sleep(std::time::Duration::from_millis(2)),
            #[cfg(feature = "provision")]
            parameters: &parameters,
            #[cfg(feature = "tls")]
            tls,
        },
        &mut Stdout,
    );
    println!("@done {}", if success { "ok" } else { "failed" });
    ExitCode::from(u8::from(!success))
}
