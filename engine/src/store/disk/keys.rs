//! Where the key of a store comes from.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::passphrase;
use super::place::Place;
use crate::ports::{Entropy, StoreError};
use crate::store::vault::MasterKey;
use crate::system::SystemEntropy;

/// The bytes of a key, in a place that is overwritten when it is dropped.
pub(super) type KeyBytes = Box<Zeroizing<[u8; 32]>>;

/// Where the key that seals a store comes from. It seals the store's data key, so that it can
/// change without anything being written anew.
pub struct KeySource(Kind);

enum Kind {
    Kept(Place),
    Passphrase(Zeroizing<String>),
}

impl KeySource {
    /// A random key in the operating system's keyring, made when a store is begun.
    pub fn keyring(service: impl Into<String>, user: impl Into<String>) -> Self {
        KeySource(Kind::Kept(Place::keyring(service, user)))
    }

    /// The key that a passphrase stands for, by Argon2id. Whoever forgets it has lost the store.
    pub fn passphrase(passphrase: impl Into<String>) -> Self {
        KeySource(Kind::Passphrase(Zeroizing::new(passphrase.into())))
    }

    /// A random key in a file, made when a store is begun, which nobody but its owner may read.
    /// To be kept apart from the store: who has both can read it.
    pub fn key_file(path: impl Into<PathBuf>) -> Self {
        KeySource(Kind::Kept(Place::file(path)))
    }

    /// The keyring, or, where none runs (a machine without a desktop, CI), a key file; what was
    /// chosen [`is_keyring`](Self::is_keyring) tells. A key file that is there is taken: the store
    /// was begun with it. So after the key was moved into the keyring, the file is to be removed.
    ///
    /// Blocks while the keyring is asked.
    ///
    /// # Errors
    /// If a keyring runs but gives no answer (locked, say): that is no reason to do without.
    pub fn keyring_or_key_file(
        service: impl Into<String>,
        user: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> Result<Self, StoreError> {
        Ok(KeySource(Kind::Kept(Place::keyring_or_file(service, user, path)?)))
    }

    /// Whether the key lies in the keyring.
    pub fn is_keyring(&self) -> bool {
        matches!(&self.0, Kind::Kept(place) if place.is_keyring())
    }

    /// The key for the store in `folder`. Only for a `new` one a key is made: another key than the
    /// one that a store was begun with would be of no use.
    pub(super) fn key(&self, folder: &Path, new: bool) -> Result<MasterKey, StoreError> {
        let key = match &self.0 {
            Kind::Kept(place) => kept(place, folder, new)?,
            Kind::Passphrase(passphrase) => passphrase::key(folder, passphrase, new)?,
        };
        Ok(MasterKey::from_bytes(&key))
    }
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Kept(place) => write!(f, "KeySource({place})"),
            Kind::Passphrase(_) => f.write_str("KeySource(passphrase)"),
        }
    }
}

/// A keyring keeps the key as 64 digits, a file as its 32 bytes.
fn kept(place: &Place, folder: &Path, new: bool) -> Result<KeyBytes, StoreError> {
    let keyring = place.is_keyring();
    if let Place::File(path) = place {
        let inside =
            |path: &Path| Some(path.canonicalize().ok()?.starts_with(folder.canonicalize().ok()?));
        if path.parent().and_then(inside).unwrap_or(false) {
            let what = format!("{place}: a key seals nothing in its own store");
            return Err(StoreError::Refused(what));
        }
    }
    match place.read_secret()? {
        Some(digits) if keyring => parse(&digits)
            .ok_or_else(|| StoreError::Damaged(format!("{place}: no key of 64 digits"))),
        Some(bytes) => {
            let mut key = KeyBytes::default();
            if bytes.len() != key.len() {
                let found = bytes.len();
                let what = format!("{place}: a key has 32 bytes, the file has {found}");
                return Err(StoreError::Damaged(what));
            }
            key.copy_from_slice(&bytes);
            Ok(key)
        }
        None if new => {
            let key = random_key();
            let digits = Zeroizing::new(data_encoding::HEXLOWER.encode(&**key));
            place.create(if keyring { digits.as_bytes() } else { &**key })?;
            Ok(key)
        }
        None => Err(StoreError::Damaged(format!(
            "{place}: it is missing, and the store cannot be read without the key it was begun with"
        ))),
    }
}

/// The key that these 64 digits are.
fn parse(digits: &[u8]) -> Option<KeyBytes> {
    let mut key = KeyBytes::default();
    // Asked first, since `decode_mut` panics over a length that does not fit.
    if digits.len() != 2 * key.len() {
        return None;
    }
    data_encoding::HEXLOWER.decode_mut(digits, &mut **key).ok()?;
    Some(key)
}

fn random_key() -> KeyBytes {
    let mut key = KeyBytes::default();
    SystemEntropy.fill(&mut **key);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_in(path: &Path, new: bool) -> Result<[u8; 32], StoreError> {
        kept(&Place::file(path), Path::new("store"), new).map(|key| **key)
    }

    #[test]
    fn key_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = key_in(&path, true).unwrap();
        assert_eq!(key_in(&path, true).unwrap(), made);
        assert_eq!(key_in(&path, false).unwrap(), made);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |mode| std::fs::Permissions::from_mode(mode);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, mode(0o640)).unwrap();
            let refused = key_in(&path, false).unwrap_err();
            assert!(
                matches!(&refused, StoreError::Refused(why) if why.contains("640")),
                "{refused}"
            );
        }
    }

    #[test]
    fn lost_key_is_named_and_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let error = key_in(&path, false).unwrap_err();
        assert!(error.to_string().contains("key"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn key_of_another_length_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Place::file(&path).create(&[1; 31]).unwrap();
        assert!(matches!(key_in(&path, true), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn text_of_another_length_or_with_other_characters_is_no_key() {
        let good = "0f".repeat(32);
        assert_eq!(parse(good.as_bytes()).map(|key| **key), Some([0x0f; 32]));
        for text in
            ["", "0f", &good[1..], &good[2..], &format!("{good}0f"), &good.replace('f', "g")]
        {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn key_in_its_own_store_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::file(folder.path().join("key"));
        let refused = kept(&place, folder.path(), true).unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    }

    #[test]
    fn passphrase_is_not_printed() {
        let source = KeySource::passphrase("correct horse");
        assert!(!format!("{source:?}").contains("horse"));
    }
}
