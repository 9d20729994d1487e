//! The keys of a profile: the store's, and the device's own.

use std::io::IsTerminal;

use graphshell_sync::DeviceId;
use graphshell_sync::store::disk::KeySource;

use crate::args::{Common, KeyPlace};
use crate::failure::{Failure, Kind, Result};
use crate::files;
use crate::profile::{Contents, Profile};

/// The service under which a keyring keeps them.
const SERVICE: &str = "graphshell-peer";
/// Longest passphrase file that is read, in bytes.
const MAX_PASSPHRASE: u64 = 4096;

/// See the module.
pub(crate) struct Keys {
    /// What opens the store.
    pub(crate) store: KeySource,
    /// The public half of the device's key.
    pub(crate) device: DeviceId,
}
