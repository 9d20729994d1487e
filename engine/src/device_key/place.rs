//! Where a device keeps its key.

use std::path::PathBuf;

use super::record::{self, RecordError};
use super::{DeviceKey, TooManySuccessions};
use crate::ports::{Entropy, StoreError};
use crate::store::disk::Place;

/// Where a device's key lies. Key and successions are one value there, which is replaced as a
/// whole: a crash leaves either the one before or the one after.
///
/// Calls block; those on the keyring may ask its user.
pub struct KeyPlace(Place);

impl KeyPlace {
    /// The operating system's keyring.
    pub fn keyring(service: impl Into<String>, user: impl Into<String>) -> Self {
        KeyPlace(Place::keyring(service, user))
    }

    /// A file that nobody but its owner may read (mode 600).
    pub fn file(path: impl Into<PathBuf>) -> Self {
        KeyPlace(Place::file(path))
    }

    /// The keyring, or, where none runs (a machine without a desktop, CI), a file; what was
    /// chosen [`is_keyring`](Self::is_keyring) tells. A file that is there is taken: the device
    /// began with it.
    ///
    /// # Errors
    /// If a keyring runs but gives no answer (locked, say): that is no reason to do without.
    pub fn keyring_or_file(
        service: impl Into<String>,
        user: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> Result<Self, StoreError> {
        Place::keyring_or_file(service, user, path).map(KeyPlace)
    }

    /// Whether the key lies in the keyring.
    pub fn is_keyring(&self) -> bool {
        self.0.is_keyring()
    }

    /// The key, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if others may read it or a later version wrote it,
    /// [`StoreError::Damaged`] if it is not what was written, [`StoreError::Failed`] if it cannot
    /// be read.
    pub fn load(&self) -> Result<Option<DeviceKey>, StoreError> {
        let Some(text) = self.0.read_secret()? else { return Ok(None) };
        record::decode(&text).map(Some).map_err(|error| match error {
            RecordError::Newer(format) => StoreError::Refused(format!(
                "{self}: format {format} is newer than 1, which this version reads; use the later \
                 version of the program"
            )),
            RecordError::Damaged(why) => StoreError::Damaged(format!(
                "{self}: expected the device's key as it was written, but {why}; bring it back from a \
                 backup, or move it away and pair this device anew"
            )),
        })
    }

    /// The key; a new one is made and kept if there is none.
    ///
    /// # Errors
    /// As for [`load`](Self::load), and if the new one cannot be kept.
    pub fn load_or_make(&self, entropy: &impl Entropy) -> Result<DeviceKey, StoreError> {
        if let Some(key) = self.load()? {
            return Ok(key);
        }
        let key = DeviceKey::generate(entropy);
        self.0.create(record::encode(&key).as_bytes())?;
        Ok(key)
    }

    /// Keeps a key in the place of the one before, durably and as one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the one before is still there, [`StoreError::Failed`] if it is
    /// unknown which of both is.
    pub fn replace(&self, key: &DeviceKey) -> Result<(), StoreError> {
        self.0.replace(record::encode(key).as_bytes())
    }

    /// Drops the successions, if there are any: every device that trusted an earlier key has seen
    /// them, or is given up.
    ///
    /// # Errors
    /// As for [`load`](Self::load) and [`replace`](Self::replace).
    pub fn forget_successions(&self) -> Result<(), StoreError> {
        match self.load()? {
            Some(key) if !key.successions().is_empty() => self.replace(&key.without_successions()),
            _ => Ok(()),
        }
    }

    /// Changes the key: makes a new one and keeps it, with its succession, in the place of the
    /// old one. Endpoint and workspaces are to be opened anew with it.
    ///
    /// # Errors
    /// If there is no key, it was changed too often, or the new one cannot be kept. After
    /// [`StoreError::Failed`], [`load`](Self::load) tells which of both is there.
    pub fn rotate(&self, entropy: &impl Entropy, now_ms: u64) -> Result<DeviceKey, RotateError> {
        let old = self.load()?.ok_or_else(|| {
            StoreError::Refused(format!("{self}: there is no key to change; make one first"))
        })?;
        let new = old.rotate(entropy, now_ms)?;
        self.replace(&new)?;
        Ok(new)
    }
}

impl std::fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPlace({self})")
    }
}

/// A key was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    /// It was changed too often.
    #[error(transparent)]
    TooMany(#[from] TooManySuccessions),
    /// Its place did not do what it was asked.
    #[error(transparent)]
    Place(#[from] StoreError),
}
