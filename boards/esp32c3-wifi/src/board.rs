//! The chip's clock, random numbers, watchdog and Wi-Fi.

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::task::{Context, Waker};

use barepg::{Dial, DialError, NoEntropy, Platform, Target};
use barepg_smoltcp::bridge::Embassy;
use barepg_smoltcp::{Sleep, Stack, TcpStream};
use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::peripherals::TIMG1;
use esp_hal::rng::Trng;
use esp_hal::time::{Duration, Instant};
use esp_hal::timer::timg::{MwdtStage, TimerGroup, Wdt};
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{AuthenticationMethodConfig, Config, Interface, WifiController};

pub type Air = Embassy<Interface>;

pub struct Board {
    watchdog: RefCell<Wdt<TIMG1<'static>>>,
    /// The server's time at the start of the clock, in seconds since 1970.
    epoch: Cell<Option<u64>>,
}

/// The board, its Wi-Fi, and an LED at GPIO 8.
pub fn start(
    ssid: &str,
    password: &str,
) -> Option<(Board, WifiController<'static>, Air, Output<'static>)> {
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // The radio's heap: the first part of it is what the boot loader used.
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    let timers = TimerGroup::new(peripherals.TIMG0);
    esp_rtos::start(timers.timer0, peripherals.FROM_CPU_INTR0);
    let mut watchdog = TimerGroup::new(peripherals.TIMG1).wdt;
    watchdog.set_timeout(MwdtStage::Stage0, Duration::from_secs(8));
    watchdog.enable();
    let mut radio = WifiController::new(peripherals.WIFI, Default::default()).ok()?;
    let password = AuthenticationMethodConfig::Wpa2Personal(password.try_into().ok()?);
    let station = StationConfig::default().with_ssid(ssid.try_into().ok()?);
    radio.set_config(&Config::Station(station.with_authentication(password))).ok()?;
    let led = Output::new(peripherals.GPIO8, Level::High, OutputConfig::default());
    let board = Board { watchdog: RefCell::new(watchdog), epoch: Cell::new(None) };
    Some((board, radio, Embassy(Interface::try_station()?), led))
}

impl Board {
    pub fn set_time(&self, seconds: u64) {
        self.epoch.set(seconds.checked_sub(self.now_ms() / 1000));
    }
}

impl Platform for Board {
    fn now_ms(&self) -> u64 {
        Instant::now().duration_since_epoch().as_millis() // 52 bits at 16 MHz
    }

    fn idle(&self) {
        self.watchdog.borrow_mut().feed();
    }

    /// A true generator while the radio is on, and only then.
    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        Trng::try_new().map_err(|_| NoEntropy)?.read(buf);
        Ok(())
    }

    fn unix_time(&self) -> Option<u64> {
        Some(self.epoch.get()? + self.now_ms() / 1000)
    }
}

impl Sleep for Board {}

/// Joins the network first, when it has been lost.
pub struct Dialler<'s, 'a> {
    pub radio: WifiController<'static>,
    pub stack: &'s Stack<'a, Air>,
    pub board: &'a Board,
}

impl<'s, 'a> Dial for Dialler<'s, 'a> {
    type Transport = TcpStream<'s, 'a, Air>;

    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError> {
        let deadline = self.board.now_ms() + u64::from(target.timeout_ms);
        if !self.radio.is_connected() {
            // Without an executor: polled until it is done.
            let mut joining = pin!(self.radio.connect_async());
            while joining.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                if self.board.now_ms() >= deadline {
                    return Err(DialError::TimedOut);
                }
                self.board.idle();
            }
        }
        self.stack.dial(target)
    }
}
