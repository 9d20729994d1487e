//! What a plan says about disks: how often which call goes wrong, and what rots.

use serde::{Deserialize, Serialize};

/// Simulated disks under the real store, one per peer. Without it a peer's store is ideal: an
/// append is durable as a whole or leaves nothing.
///
/// Rates are in thousandths of the calls concerned. Faults end with the heal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// Pages written and not synced that a power cut loses.
    pub lost: u16,
    /// Power cuts that tear one page of a file at a sector.
    pub torn: u16,
    /// Syncs that fail. What they were for may be durable or not, and is never written again.
    pub sync_error: u16,
    /// Syncs that say they were done and do nothing.
    pub sync_lie: u16,
    /// Reads that fail.
    pub read_error: u16,
    /// Writes that fail and write nothing.
    pub write_error: u16,
    /// Writes to the memory outside the store that fail; one half of them is done all the same.
    pub witness_error: u16,
}

impl Default for Disk {
    fn default() -> Self {
        Disk {
            lost: 500,
            torn: 300,
            sync_error: 0,
            sync_lie: 0,
            read_error: 0,
            write_error: 0,
            witness_error: 0,
        }
    }
}

impl Disk {
    /// Its rates, by the names that a plan gives them.
    pub(super) fn rates(&self) -> [(&'static str, u16); 7] {
        [
            (".disk.lost", self.lost),
            (".disk.torn", self.torn),
            (".disk.sync_error", self.sync_error),
            (".disk.sync_lie", self.sync_lie),
            (".disk.read_error", self.read_error),
            (".disk.write_error", self.write_error),
            (".disk.witness_error", self.witness_error),
        ]
    }
}

/// A part of a peer's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The log.
    Log,
    /// The database.
    Database,
    /// The file of sealed keys.
    Keys,
}

/// What happens to bytes that nobody touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rot {
    /// One bit flips.
    Flip,
    /// One sector reads as zeros.
    Zero,
    /// Two values of the log stand in each other's place, each undamaged; only in the log.
    Swap,
    /// A group of the log is gone without a trace, as often as not the newest; only in the log.
    Cut,
}
