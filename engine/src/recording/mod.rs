//! Recordings: what was done to an engine, so that a developer can do it again.
//!
//! The engine's core does no IO: all that it knows came in as an input. So a list of these inputs, with
//! what the store showed when it was opened and the randomness that was drawn, is all that it takes to
//! have the same core do the same again, on any machine. A recording holds that, and a short hash of everything
//! that the core gave, so that a replay says "the same", or names the first thing that differs.
//!
//! ```
//! # use futures_executor::block_on;
//! # use graphshell_sync::backend::NoNetwork;
//! # use graphshell_sync::store::{MemoryStore, MemoryWitness};
//! # use graphshell_sync::{Config, DeviceId, PortSet, SystemClock, WorkspaceId};
//! use graphshell_sync::recording::{Player, Recorder, Recording, redact};
//! use graphshell_sync::{SystemEntropy, Workspace};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (clock, entropy, network) = (SystemClock, SystemEntropy, NoNetwork);
//! # let (store, witness) = (MemoryStore::new(), MemoryWitness::new());
//! # let ports = PortSet { clock, entropy, store, witness, network };
//! # let workspace = WorkspaceId(uuid::uuid!("5b1c52f0-3f5b-4c1e-9a56-0d5c7a1f2e33"));
//! # let device = DeviceId([1; 32]);
//! # let config = Config { workspace, device, snapshot_every: 1_000, compact_every: 10_000 };
//! let recorder = Recorder::new(16 << 20); // keeps the latest 16 MiB of inputs, in memory
//! let (workspace, driver) = block_on(Workspace::open_recorded(config, ports, &recorder))?;
//! // … and when the user says "report a problem":
//! let recording = recorder.recording()?;
//! let report = redact(&recording, &SystemEntropy)?; // no url, no title
//! # assert!(Player::new(&Recording::decode(report)?).next_step().is_some());
//! # drop((workspace, driver));
//! # Ok(())
//! # }
//! ```
//!
//! Save the report as a file, and `cargo sim replay FILE` tells its story and compares.
//!
//! # Bound
//!
//! A [`Recorder`] keeps its bytes in memory, up to a bound. When half of it is used, it waits for a
//! moment in which nothing is under way, takes an image of the core and begins anew from there; what
//! is older is dropped as soon as the bound demands it. So a recording can always be replayed from its beginning. If no
//! such moment comes in time, all is dropped and recording goes on at the next one. Nothing is written to a disk, and
//! nothing waits: an edit is encoded and hashed, no more. Taking an image costs as much as a
//! snapshot, and happens within the driver.
//!
//! # What a redacted recording still tells
//!
//! [`redact`] replaces urls, titles, payloads of unknown kinds and all words of errors by
//! placeholders of the same length; equal texts get equal placeholders, and what they are depends on a random key
//! that is thrown away. Hashes are worked out anew, so that nobody can try out what hashes to them. Left
//! as they are: the ids of workspace, devices, authors and nodes, how many there are and how they are
//! linked, the lengths of texts, where nodes lie, and when things happened.

mod codec;
mod file;
mod mark;
mod opening;
mod player;
mod recorder;
mod redact;
mod stage;
mod step;
#[cfg(test)]
mod tests;

pub use crate::core::history::expand as history;
pub use crate::core::{Input, Output, Rebuild};
pub use file::{Head, RECORDING_MAGIC, RECORDING_VERSION, Recording, RecordingError};
pub use mark::{Kind, Mark};
pub use player::{Difference, NextStep, Played, Player};
pub use recorder::{NotRecorded, Recorder};
pub use redact::{RedactError, redact};
pub use step::Step;

pub use file::engine_version;
