//! The device's key: an Ed25519 pair that names the device, authenticates it on the network, and
//! signs its own succession when it is changed.
//!
//! The public half is the [`DeviceId`] that others share a workspace with, the secret half never
//! leaves the device. [`KeyPlace`] keeps it in the operating system's keyring or in a file.
//!
//! # Changing the key
//!
//! [`DeviceKey::rotate`] gives a new key that carries a [`Succession`]: a statement, signed by both
//! keys, that the new one takes the old one's place. Key and statement are kept together, in one
//! write, so whatever happens there is a key, and one that can say where it comes from. Devices
//! that trusted the old key are shown the statement by [`present`](crate::pairing::present) and
//! move their consent. To the workspace the device with the new key is a new author; what the old
//! one made stays what it is.
//!
//! Whoever stole a key can sign a succession as well. The devices that meet the true one first move
//! their consent to it, and then refuse the other; where that is not good enough the device is to be
//! withdrawn and paired anew.

#[cfg(feature = "store")]
mod place;
#[cfg(any(feature = "store", test))]
mod record;
pub(crate) mod succession;

use iroh::SecretKey;

use crate::id::DeviceId;
use crate::limits::MAX_SUCCESSIONS;
use crate::ports::Entropy;

#[cfg(feature = "store")]
pub use place::{KeyPlace, RotateError};
pub use succession::{Lineage, Succession, SuccessionError};

/// A device's secret key, and the statements by which it took the place of the ones before.
#[derive(Clone)]
pub struct DeviceKey {
    secret: SecretKey,
    /// Oldest first; each begins where the one before ended, the last ends with this key.
    successions: Vec<Succession>,
}

impl DeviceKey {
    /// A new key, which succeeds nobody.
    pub fn generate(entropy: &impl Entropy) -> Self {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed);
        SecretKey::from_bytes(&seed).into()
    }

    /// The public half: what others know this device by.
    pub fn device_id(&self) -> DeviceId {
        DeviceId(*self.secret.public().as_bytes())
    }

    /// The secret half, for the endpoint of this device.
    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The statements that devices which trusted an earlier key have to be shown, oldest first; at
    /// most [`MAX_SUCCESSIONS`].
    pub fn successions(&self) -> &[Succession] {
        &self.successions
    }

    /// A new key in the place of this one. To be kept before it is used: this one is of no use to
    /// those who have seen the new one's statement.
    ///
    /// # Errors
    /// If the key has [`MAX_SUCCESSIONS`] statements already.
    pub fn rotate(
        &self,
        entropy: &impl Entropy,
        now_ms: u64,
    ) -> Result<DeviceKey, TooManySuccessions> {
        if self.successions.len() >= MAX_SUCCESSIONS {
            return Err(TooManySuccessions);
        }
        let mut next = DeviceKey::generate(entropy);
        next.successions.clone_from(&self.successions);
        next.successions.push(Succession::new(&self.secret, &next.secret, None, now_ms));
        Ok(next)
    }

    /// The same key without its statements: every device that trusted an earlier one has seen them,
    /// or is given up.
    pub fn without_successions(mut self) -> DeviceKey {
        self.successions.clear();
        self
    }
}

impl From<SecretKey> for DeviceKey {
    fn from(secret: SecretKey) -> Self {
        DeviceKey { secret, successions: Vec::new() }
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let successions = self.successions.len();
        write!(f, "DeviceKey({}, {successions} successions)", self.device_id())
    }
}

/// A key was changed too often for its statements to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the device's key was changed {MAX_SUCCESSIONS} times since its successions were forgotten; let \
     the other devices see them, or forget them and pair anew with those that have not"
)]
pub struct TooManySuccessions;

#[cfg(test)]
mod tests;
