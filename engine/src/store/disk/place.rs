//! Where one small value lies, replaced as a whole: in the operating system's keyring (Keychain,
//! Credential Manager, Secret Service) or in a file that its owner alone may read.
//!
//! Calls block, and a keyring may show the user a prompt. Without a keyring (no D-Bus, no service
//! behind it) calls on it fail at once.

use std::path::{Path, PathBuf};

use keyring::{Entry, Error};
use zeroize::Zeroizing;

use super::files;
use crate::ports::StoreError;

/// Where a value lies.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Keyring {
        service: String,
        /// What tells it from others of the same service.
        user: String,
    },
    File(PathBuf),
}

impl Place {
    pub(crate) fn keyring(service: impl Into<String>, user: impl Into<String>) -> Self {
        Place::Keyring { service: service.into(), user: user.into() }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> Self {
        Place::File(path.into())
    }

    /// The keyring, or, where none runs, a file. A file that is there is taken.
    ///
    /// # Errors
    /// If a keyring runs but gives no answer.
    pub(crate) fn keyring_or_file(
        service: impl Into<String>,
        user: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> Result<Self, StoreError> {
        let path = path.into();
        if path.exists() {
            return Ok(Place::File(path));
        }
        let keyring = Place::keyring(service, user);
        match keyring.read() {
            Ok(_) => Ok(keyring),
            Err(StoreError::Refused(_)) => Ok(Place::File(path)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn is_keyring(&self) -> bool {
        matches!(self, Place::Keyring { .. })
    }

    /// What lies there, if something does, to be relied on from now on.
    pub(crate) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let bytes = match self {
            Place::Keyring { service, user } => match self.entry(service, user)?.get_password() {
                Ok(text) => Some(text.into_bytes()),
                Err(Error::NoEntry) => None,
                Err(error) => return Err(self.failed(&error)),
            },
            Place::File(path) => files::read_to_rely_on(path)?,
        };
        Ok(bytes.map(Zeroizing::new))
    }

    /// [`read`](Self::read) of a secret, which is refused where others may read it too.
    pub(crate) fn read_secret(&self) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        if let Place::File(path) = self {
            check_private(path)?;
        }
        self.read()
    }

    /// Puts the first value there. A file that is there meanwhile stays, and it is an error.
    pub(crate) fn create(&self, value: &[u8]) -> Result<(), StoreError> {
        match self {
            Place::Keyring { .. } => self.replace(value),
            Place::File(path) => files::create(path, value),
        }
    }

    /// Puts a value in the place of the one before. A keyring takes text only, since some of them
    /// do.
    pub(crate) fn replace(&self, value: &[u8]) -> Result<(), StoreError> {
        match self {
            Place::Keyring { service, user } => {
                let text = std::str::from_utf8(value);
                let text = text.map_err(|_| StoreError::Refused(format!("{self}: no text")))?;
                let set = self.entry(service, user)?.set_password(text);
                set.map_err(|error| self.failed(&error))
            }
            Place::File(path) => files::replace(path, value),
        }
    }

    fn entry(&self, service: &str, user: &str) -> Result<Entry, StoreError> {
        Entry::new(service, user).map_err(|error| match Entry::store_status() {
            Err(why) => StoreError::Refused(format!("no keyring runs: {why}")),
            Ok(()) => self.failed(&error),
        })
    }

    fn failed(&self, error: &Error) -> StoreError {
        StoreError::Failed(format!("{self}: {error}"))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Keyring { service, user } => {
                write!(f, "keyring entry of {service} for {user}")
            }
            Place::File(path) => path.display().fmt(f),
        }
    }
}

/// Refuses a secret that others may read.
fn check_private(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::Refused(format!(
                "{}: others may read this key (mode {mode:o}, expected 600)",
                path.display()
            )));
        }
    }
    Ok(())
}
