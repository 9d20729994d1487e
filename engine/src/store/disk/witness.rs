//! The memory outside the store: in a file beside it, or in the operating system's keyring.

use std::path::{Path, PathBuf};

use super::files;
use super::place::Place;
use super::worker::Worker;
use crate::id::Incarnation;
use crate::ports::{Promise, StoreError, Witness};

/// A witness of a real device. To be kept where a restored backup of the store does not reach.
///
/// Its place is chosen once and stays, also if the store's key moves: a store that finds no witness
/// takes itself for a restored backup, and its device goes on under another name.
///
/// All waiting is done by a thread of its own, which ends when the witness is dropped.
pub struct DeviceWitness {
    worker: Worker<Place>,
}

impl DeviceWitness {
    /// A witness in a small file, which is replaced as a whole.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn in_file(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::at(Place::file(path))
    }

    /// A witness in the file `<folder>.witness`, beside the store in `folder`. What makes backups
    /// of the store is to leave that file out.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn beside(folder: &Path) -> Result<Self, StoreError> {
        Self::in_file(files::beside(folder, ".witness"))
    }

    /// A witness in the keyring; `user` is to name the workspace.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn in_keyring(
        service: impl Into<String>,
        user: impl Into<String>,
    ) -> Result<Self, StoreError> {
        Self::at(Place::keyring(service, user))
    }

    fn at(place: Place) -> Result<Self, StoreError> {
        Ok(DeviceWitness { worker: Worker::start("graphshell-witness", place)? })
    }
}

impl Witness for DeviceWitness {
    async fn read(&self) -> Result<Option<Promise>, StoreError> {
        self.worker.ask(|place| read(place)).await
    }

    async fn write(&self, promise: Promise) -> Result<(), StoreError> {
        self.worker.ask(move |place| place.replace(encode(promise).as_bytes())).await
    }
}

fn read(place: &Place) -> Result<Option<Promise>, StoreError> {
    let Some(text) = place.read()? else { return Ok(None) };
    let bytes = data_encoding::HEXLOWER.decode(&text).unwrap_or_default();
    match bytes.first() {
        Some(&format) if format > FORMAT => Err(StoreError::Refused(format!(
            "{place}: format {format} is newer than {FORMAT}, which this version reads"
        ))),
        _ => decode(&bytes).map(Some).ok_or_else(|| {
            StoreError::Damaged(format!(
                "{place}: expected what this device promised, in {} digits with a checksum",
                2 * BYTES
            ))
        }),
    }
}

/// Format, incarnation, sequence, and half of a hash over them.
const BYTES: usize = 1 + 16 + 8 + 16;
const FORMAT: u8 = 1;

fn encode(promise: Promise) -> String {
    let mut bytes = vec![FORMAT];
    bytes.extend(promise.incarnation.0);
    bytes.extend(promise.sequence.to_le_bytes());
    bytes.extend(&blake3::hash(&bytes).as_bytes()[..16]);
    data_encoding::HEXLOWER.encode(&bytes)
}

fn decode(bytes: &[u8]) -> Option<Promise> {
    let (content, checksum) = bytes.split_at_checked(BYTES - 16)?;
    if content[0] != FORMAT || *checksum != blake3::hash(content).as_bytes()[..16] {
        return None;
    }
    let (incarnation, sequence) = content[1..].split_at(16);
    Some(Promise {
        incarnation: Incarnation(incarnation.try_into().ok()?),
        sequence: u64::from_le_bytes(sequence.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    fn promise(sequence: u64) -> Promise {
        Promise { incarnation: Incarnation([7; 16]), sequence }
    }

    #[test]
    fn what_was_promised_last_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        assert_eq!(block_on(DeviceWitness::in_file(&path).unwrap().read()), Ok(None));
        for sequence in [1, 2, u64::MAX] {
            let witness = DeviceWitness::in_file(&path).unwrap();
            block_on(witness.write(promise(sequence))).unwrap();
            assert_eq!(block_on(witness.read()), Ok(Some(promise(sequence))));
            drop(witness);
            let witness = DeviceWitness::in_file(&path).unwrap();
            assert_eq!(block_on(witness.read()), Ok(Some(promise(sequence))));
        }
    }

    #[test]
    fn every_changed_digit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let whole = encode(promise(300));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            super::read(&Place::file(&path))
        };
        assert_eq!(read(&whole), Ok(Some(promise(300))));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            let digit = if &whole[at..=at] == "0" { "1" } else { "0" };
            changed.replace_range(at..=at, digit);
            for text in [&changed, &whole[..at]] {
                let error = read(text).unwrap_err();
                assert!(error.to_string().contains("witness"), "{error}");
                // A changed format's number is one that nobody knows.
                assert!(at < 2 || matches!(error, StoreError::Damaged(_)), "{error}");
            }
        }
        let newer = read("02ff").unwrap_err();
        assert!(matches!(&newer, StoreError::Refused(why) if why.contains("format 2")), "{newer}");
    }

    #[test]
    fn witness_that_cannot_be_written_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let witness = DeviceWitness::in_file(folder.path().join("missing").join("witness"));
        let error = block_on(witness.unwrap().write(promise(1))).unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error}");
    }
}
