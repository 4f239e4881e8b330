//! The key of this device, in a crate without `std`.
//!
//! `JRC_CREDENTIAL` is the absolute path of what `jrc pledge generate --format rust` wrote: cargo builds anew when it
//! is another one. The key itself stands in no environment and in no command line.
#![no_std]

/// What the device is flashed with.
pub mod credential {
    include!(env!("JRC_CREDENTIAL"));
}

/// What a console may show of it.
pub fn key_check() -> &'static str {
    credential::KEY_CHECK
}

/// The number of the first Join Request; the device stores the next one before it uses it.
pub fn first_number() -> u64 {
    credential::SSN_START
}
