//! One secret in the operating system's keyring: Keychain, Credential Manager, Secret Service.
//!
//! Calls block, and may show the user a prompt. Without a keyring (no D-Bus, no service behind
//! it) they fail at once.

use keyring::{Entry, Error};

use crate::ports::StoreError;

/// Where a secret lies in the keyring.
#[derive(Clone, Debug)]
pub(crate) struct KeyringEntry {
    pub(crate) service: String,
    pub(crate) user: String,
}

impl KeyringEntry {
    fn entry(&self) -> Result<Entry, StoreError> {
        Entry::new(&self.service, &self.user).map_err(|error| match Entry::store_status() {
            Err(why) => StoreError::Refused(format!("no keyring runs: {why}")),
            Ok(()) => self.failed(&error),
        })
    }

    fn failed(&self, error: &Error) -> StoreError {
        StoreError::Failed(format!("{self}: {error}"))
    }

    /// Whether there is a keyring at all.
    ///
    /// # Errors
    /// If one runs but gives no answer.
    pub(crate) fn runs(&self) -> Result<bool, StoreError> {
        match self.read() {
            Ok(_) => Ok(true),
            Err(StoreError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The secret's text, if there is one.
    pub(crate) fn read(&self) -> Result<Option<String>, StoreError> {
        match self.entry()?.get_password() {
            Ok(text) => Ok(Some(text)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Puts a text in the place of the one before. Some keyrings take no other bytes than text.
    pub(crate) fn write(&self, text: &str) -> Result<(), StoreError> {
        self.entry()?.set_password(text).map_err(|error| self.failed(&error))
    }
}

impl std::fmt::Display for KeyringEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "keyring entry of {} for {}", self.service, self.user)
    }
}
