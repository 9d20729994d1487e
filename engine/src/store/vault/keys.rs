//! Keys: a master key that the vault is given, data keys that it makes.
//!
//! Everything stored is sealed under a random data key. The data keys lie in a small file, each
//! sealed under the master key. So a new master key (another passphrase) rewrites one small file
//! and no data, and a new data key costs nothing but another line.
//!
//! Data keys are never dropped: a disk that lied about a write may bring back values sealed under
//! an old one, and whoever has the master key could read those anyway.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::{Aes256Gcm, KeyInit};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::seal::{FORMAT, NONCE_BYTES, Tag, decrypt, encrypt, fresh_nonce};
use crate::id::WorkspaceId;
use crate::ports::{Entropy, StoreError};

/// The name of the key file.
pub(super) const KEY_FILE: &str = "keys.json";

const KEY_BYTES: usize = 32;

/// The key that protects a vault: 32 bytes that nobody can guess, from the operating system's
/// keyring, a key file or a passphrase.
///
/// Its memory is overwritten when it is dropped; what the caller made it from is the caller's.
#[derive(Clone)]
pub struct MasterKey(Box<Zeroizing<[u8; KEY_BYTES]>>);

impl MasterKey {
    /// The key that these bytes are.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut key = MasterKey(Box::default());
        key.0.copy_from_slice(bytes);
        key
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&**self.0).into())
    }

    /// What tells a wrong key from a damaged file. Says nothing about the key to whoever cannot
    /// try all of its values.
    fn check(&self) -> String {
        let hash = blake3::derive_key("graphshell-sync 1 vault master key check", &self.0[..]);
        HEXLOWER.encode(&hash[..8])
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

struct DataKey {
    bytes: Box<Zeroizing<[u8; KEY_BYTES]>>,
    cipher: Aes256Gcm,
}

impl DataKey {
    fn new(bytes: Box<Zeroizing<[u8; KEY_BYTES]>>) -> Self {
        DataKey { cipher: Aes256Gcm::new((&**bytes).into()), bytes }
    }
}

/// The data keys of one vault; at least one.
pub(super) struct KeyRing {
    workspace: WorkspaceId,
    keys: BTreeMap<u32, DataKey>,
    active: u32,
}

/// The key file. Its format is that of the whole vault: an engine that writes any part of a vault
/// in a newer format raises it here first, so that an older one leaves all of it alone.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    format: u64,
    workspace: WorkspaceId,
    /// [`MasterKey::check`] of the key that opens the others.
    master: String,
    /// The data key under which new values are sealed.
    active: u32,
    /// Data keys in the order in which they were made.
    keys: Vec<WrappedKey>,
}

#[derive(Serialize, Deserialize)]
struct WrappedKey {
    id: u32,
    nonce: String,
    sealed: String,
}

/// As much of a key file as every version has.
#[derive(Deserialize)]
struct AnyKeyFile {
    format: u64,
}

impl KeyRing {
    /// The ring of a new vault, with one key.
    pub(super) fn create(workspace: WorkspaceId, entropy: &dyn Entropy) -> Self {
        let mut ring = KeyRing { workspace, keys: BTreeMap::new(), active: 0 };
        ring.add(entropy);
        ring
    }

    /// Makes a new key, the active one from now on.
    pub(super) fn add(&mut self, entropy: &dyn Entropy) {
        let mut bytes = Box::<Zeroizing<[u8; KEY_BYTES]>>::default();
        entropy.fill(&mut bytes[..]);
        self.active = self.keys.keys().last().map_or(1, |last| last + 1);
        self.keys.insert(self.active, DataKey::new(bytes));
    }

    /// Takes back the last [`add`](Self::add).
    pub(super) fn forget_newest(&mut self) {
        self.keys.pop_last();
        self.active = self.keys.keys().last().copied().unwrap_or(0);
    }

    pub(super) fn active(&self) -> (u32, &Aes256Gcm) {
        (self.active, &self.keys[&self.active].cipher)
    }

    pub(super) fn cipher(&self, key: u32) -> Option<&Aes256Gcm> {
        self.keys.get(&key).map(|key| &key.cipher)
    }

    /// The key file that holds this ring for whoever has `master`.
    pub(super) fn encode(&self, master: &MasterKey, entropy: &dyn Entropy) -> Vec<u8> {
        let cipher = master.cipher();
        let wrap = |(&id, key): (&u32, &DataKey)| {
            let nonce = fresh_nonce(entropy);
            // Overwritten with the ciphertext, so nothing of the key stays.
            let mut sealed = key.bytes.to_vec();
            let tag = encrypt(&cipher, &nonce, &associated(self.workspace, id), &mut sealed);
            sealed.extend_from_slice(&tag);
            WrappedKey { id, nonce: HEXLOWER.encode(&nonce), sealed: HEXLOWER.encode(&sealed) }
        };
        let file = KeyFile {
            format: u64::from(FORMAT),
            workspace: self.workspace,
            master: master.check(),
            active: self.active,
            keys: self.keys.iter().map(wrap).collect(),
        };
        let mut text = serde_json::to_vec_pretty(&file).expect("numbers and texts become JSON");
        text.push(b'\n');
        text
    }

    /// Reads the key file called `name`. Of the masters that may be right, also returns which one
    /// is.
    ///
    /// # Errors
    /// `Refused` if a newer engine wrote the file, it is another workspace's, or no master is
    /// right; `Damaged` if it is not what was written.
    pub(super) fn decode<'m>(
        text: &[u8],
        name: &str,
        workspace: WorkspaceId,
        masters: impl IntoIterator<Item = &'m MasterKey>,
    ) -> Result<(Self, &'m MasterKey), StoreError> {
        let damaged = |what: &dyn fmt::Display| StoreError::Damaged(format!("{name}: {what}"));
        let refused = |what: String| Err(StoreError::Refused(format!("{name}: {what}")));
        let AnyKeyFile { format } =
            serde_json::from_slice(text).map_err(|error| damaged(&error))?;
        if format != u64::from(FORMAT) {
            return refused(format!("it has format {format}, this engine knows {FORMAT}"));
        }
        let file: KeyFile = serde_json::from_slice(text).map_err(|error| damaged(&error))?;
        if file.workspace != workspace {
            return refused(format!("it belongs to workspace {}, not {workspace}", file.workspace));
        }
        let Some(master) = masters.into_iter().find(|master| master.check() == file.master) else {
            return refused("wrong key: the vault was locked with another one".to_owned());
        };
        let cipher = master.cipher();
        let mut keys = BTreeMap::new();
        for wrapped in &file.keys {
            let key = wrapped.open(&cipher, workspace);
            let key = key.ok_or_else(|| {
                damaged(&format_args!("data key {} is not what was written", wrapped.id))
            })?;
            keys.insert(wrapped.id, key);
        }
        if !keys.contains_key(&file.active) {
            return Err(damaged(&format_args!(
                "data key {}, the active one, is missing",
                file.active
            )));
        }
        Ok((KeyRing { workspace, keys, active: file.active }, master))
    }
}

impl WrappedKey {
    fn open(&self, cipher: &Aes256Gcm, workspace: WorkspaceId) -> Option<DataKey> {
        let nonce: [u8; NONCE_BYTES] = hex(&self.nonce)?;
        let sealed: [u8; KEY_BYTES + size_of::<Tag>()] = hex(&self.sealed)?;
        let (sealed, tag) = sealed.split_first_chunk().expect("a key is shorter");
        let tag: Tag = tag.try_into().expect("what is left is the tag");
        // Opened in the place where it stays.
        let mut bytes = Box::new(Zeroizing::new(*sealed));
        decrypt(cipher, &nonce, &associated(workspace, self.id), &mut bytes[..], &tag)
            .then(|| DataKey::new(bytes))
    }
}

fn associated(workspace: WorkspaceId, key: u32) -> Vec<u8> {
    let mut out = b"graphshell-sync 1 vault data key".to_vec();
    out.push(FORMAT);
    out.extend_from_slice(workspace.0.as_bytes());
    out.extend_from_slice(&key.to_be_bytes());
    out
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
