//! The store on a real disk: a [`Vault`](super::vault::Vault) in a folder, on a thread of its own.
//!
//! Nothing here knows what is stored: journals take short values, files take bytes. Only here does
//! the engine touch files, the operating system's keyring and threads for its store.

mod files;
mod journal;
mod keys;
mod medium;
mod passphrase;
mod place;
mod store;
mod tail;
mod witness;
mod worker;

pub use journal::FjallJournal;
pub use keys::KeySource;
pub use medium::FolderMedium;
#[cfg(feature = "iroh")]
pub(crate) use place::Place;
pub use store::DiskStore;
pub use witness::DeviceWitness;
