//! Random numbers: of the Pico's ring oscillator, of the Pico 2's generator.

#[cfg(feature = "pico2")]
pub use generator::Random;
#[cfg(feature = "pico")]
pub use oscillator::Random;

#[cfg(feature = "pico")]
mod oscillator {
    use rp2040_hal::pac::{RESETS, ROSC};
    use rp2040_hal::rosc::{Enabled, RingOscillator};

    /// Pairs of equal bits in sequence that show a stuck oscillator.
    const STUCK: u32 = 1000;

    /// The oscillator is no certified source: mix in what the device was given at manufacture.
    pub struct Random(RingOscillator<Enabled>);

    impl Random {
        pub fn start(oscillator: ROSC, _: &mut RESETS) -> Self {
            Self(RingOscillator::new(oscillator).initialize())
        }

        /// False when it is stuck.
        pub fn fill(&self, buf: &mut [u8]) -> bool {
            for byte in buf {
                for _ in 0..8 {
                    let Some(bit) = self.bit() else { return false };
                    *byte = *byte << 1 | bit;
                }
            }
            true
        }

        /// An unbiased bit: two unlike ones in sequence, the first of them (von Neumann).
        fn bit(&self) -> Option<u8> {
            for _ in 0..STUCK {
                let (first, second) = (self.0.get_random_bit(), self.0.get_random_bit());
                if first != second {
                    return Some(u8::from(first));
                }
            }
            None
        }
    }
}

#[cfg(feature = "pico2")]
mod generator {
    use rp235x_hal::pac::{RESETS, TRNG};

    /// Processor cycles between two samples of its oscillator: many periods of it.
    const SAMPLE: u32 = 200;

    /// Looks at a generator that has not finished, of some ten cycles each; 192 samples and the bits that its
    /// correction discards take a tenth of them.
    const LOOKS: u32 = 100_000;

    /// Section 12.12 of the RP2350's data sheet. Its own health checks stay on.
    pub struct Random(TRNG);

    impl Random {
        pub fn start(generator: TRNG, resets: &mut RESETS) -> Self {
            resets.reset().modify(|_, w| w.trng().set_bit());
            resets.reset().modify(|_, w| w.trng().clear_bit());
            while resets.reset_done().read().trng().bit_is_clear() {}
            let random = Self(generator);
            random.sample();
            random
        }

        /// False when a health check has failed, or nothing comes. It begins again then.
        pub fn fill(&self, buf: &mut [u8]) -> bool {
            for chunk in buf.chunks_mut(24) {
                let Some(words) = self.words() else {
                    self.0.trng_sw_reset().write(|w| w.trng_sw_reset().set_bit());
                    self.sample();
                    return false;
                };
                for (to, from) in chunk.iter_mut().zip(words.into_iter().flat_map(u32::to_le_bytes))
                {
                    *to = from;
                }
            }
            true
        }

        fn sample(&self) {
            self.0.sample_cnt1().write(|w| unsafe { w.sample_cntr1().bits(SAMPLE) });
            self.0.rnd_source_enable().write(|w| w.rnd_src_en().set_bit());
        }

        /// Reading the last of them starts the next.
        fn words(&self) -> Option<[u32; 6]> {
            for _ in 0..LOOKS {
                let state = self.0.rng_isr().read();
                if state.autocorr_err().bit_is_set() || state.crngt_err().bit_is_set() {
                    return None;
                }
                if self.0.trng_valid().read().ehr_valid().bit_is_set() {
                    return Some([
                        self.0.ehr_data0().read().bits(),
                        self.0.ehr_data1().read().bits(),
                        self.0.ehr_data2().read().bits(),
                        self.0.ehr_data3().read().bits(),
                        self.0.ehr_data4().read().bits(),
                        self.0.ehr_data5().read().bits(),
                    ]);
                }
            }
            None
        }
    }
}
