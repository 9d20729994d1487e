//! The store on a real disk: a [`Vault`](super::vault::Vault) in a folder, on a thread of its own.
//!
//! Nothing here knows what is stored: journals take short values, files take bytes. Only here does
//! the engine touch files, the operating system's keyring and threads for its store.

pub(crate) mod files;
mod journal;
mod keyring_entry;
mod keys;
mod medium;
mod passphrase;
mod store;
mod tail;
mod witness;
mod worker;

pub use journal::FjallJournal;
#[cfg(feature = "iroh")]
pub(crate) use keyring_entry::KeyringEntry;
pub use keys::KeySource;
#[cfg(feature = "iroh")]
pub(crate) use keys::check_private;
pub use medium::FolderMedium;
pub use store::DiskStore;
pub use witness::DeviceWitness;
