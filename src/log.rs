//! Events of the driver: `defmt` when the feature is on, nothing otherwise.
//!
//! Arguments are mentioned in both cases, so that switching the feature never makes a variable
//! unused. Only numbers, message types and SQLSTATEs are logged: never a value, a statement's
//! text or anything secret.

macro_rules! debug {
    ($($arg:tt)*) => {{
        #[cfg(feature = "defmt")]
        defmt::debug!($($arg)*);
        #[cfg(not(feature = "defmt"))]
        log_discard!($($arg)*);
    }};
}

macro_rules! warning {
    ($($arg:tt)*) => {{
        #[cfg(feature = "defmt")]
        defmt::warn!($($arg)*);
        #[cfg(not(feature = "defmt"))]
        log_discard!($($arg)*);
    }};
}

#[cfg(not(feature = "defmt"))]
macro_rules! log_discard {
    ($format:literal $(, $arg:expr)* $(,)?) => {{ $( let _ = &$arg; )* }};
}
