//! Placeholders: for each text another one of the same length, by a random key.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::disguise::Disguise;
use crate::entry::LogEntry;
use crate::hash::Hash;

use super::hashes::Hashes;

/// What urls begin with, if there is room.
const SCHEME: &str = "https://";
/// How often another placeholder is tried if one is taken already; short texts have few.
const TRIES: u8 = 64;

/// Texts and hashes with what stands in their place.
pub(super) struct Placeholders {
    key: [u8; 32],
    texts: BTreeMap<Box<str>, Box<str>>,
    taken: BTreeSet<Box<str>>,
    pub(super) hashes: Hashes,
}

impl Placeholders {
    pub(super) fn new(key: [u8; 32]) -> Self {
        let hashes = Hashes::new(key);
        Placeholders { key, texts: BTreeMap::new(), taken: BTreeSet::new(), hashes }
    }

    /// In the place of bytes of unknown meaning.
    pub(super) fn bytes(&self, bytes: &mut [u8]) {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(bytes);
        hasher.finalize_xof().fill(bytes);
    }

    fn placeholder(&mut self, text: &str, prefix: &str) -> Box<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let mut found = String::new();
        for attempt in 0..TRIES {
            found = self.letters(text, prefix, attempt);
            if !self.taken.contains(found.as_str()) {
                break;
            }
        }
        let found: Box<str> = found.into();
        self.taken.insert(found.clone());
        self.texts.insert(text.into(), found.clone());
        found
    }

    fn letters(&self, text: &str, prefix: &str, attempt: u8) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&[attempt]);
        hasher.update(text.as_bytes());
        let prefix = if text.len() > prefix.len() { prefix } else { "" };
        let mut bytes = vec![0; text.len() - prefix.len()];
        hasher.finalize_xof().fill(&mut bytes);
        let letters = bytes.into_iter().map(|byte| char::from(b'a' + byte % 26));
        prefix.chars().chain(letters).collect()
    }

    /// In the place of an operation.
    pub(super) fn operation(&mut self, operation: &mut LogEntry) {
        match operation {
            LogEntry::AddNode { url, .. } | LogEntry::UpdateNodeUrl { new_url: url, .. } => {
                *url = self.url(url).into();
            }
            LogEntry::UpdateNodeTitle { title, .. } => *title = self.title(title).into(),
            LogEntry::Opaque { kind, payload } => self.payload(*kind, payload),
            LogEntry::AddEdge { .. }
            | LogEntry::RemoveEdge { .. }
            | LogEntry::PinNode { .. }
            | LogEntry::RemoveNode { .. }
            | LogEntry::ClearGraph
            | LogEntry::MoveNode { .. }
            | LogEntry::AssertEdge { .. }
            | LogEntry::AddTraversal { .. }
            | LogEntry::RestoreNode { .. }
            | LogEntry::SettleEdgePair { .. } => {}
        }
    }
}

impl Disguise for Placeholders {
    fn url(&mut self, url: &str) -> Box<str> {
        self.placeholder(url, SCHEME)
    }

    fn title(&mut self, title: &str) -> Box<str> {
        self.placeholder(title, "")
    }

    fn words(&mut self, words: &str) -> String {
        self.placeholder(words, "").into()
    }

    fn payload(&mut self, kind: u16, payload: &mut [u8]) {
        match LogEntry::decode(kind, payload) {
            // What means nothing must go on meaning nothing.
            LogEntry::Opaque { .. } => {
                let known = |bytes: &[u8]| {
                    !matches!(LogEntry::decode(kind, bytes), LogEntry::Opaque { .. })
                };
                for _ in 0..TRIES {
                    self.bytes(payload);
                    if !known(payload) {
                        return;
                    }
                }
            }
            operation => {
                let mut operation = operation.to_owned();
                self.operation(&mut operation);
                let mut bytes = Vec::with_capacity(payload.len());
                operation
                    .encode_payload(&mut bytes)
                    .expect("a text of the same length is no longer");
                payload.copy_from_slice(&bytes);
            }
        }
    }

    fn hash(&mut self, hash: Hash) -> Hash {
        self.hashes.of(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_as_long_and_differ_where_the_texts_do() {
        let mut by = Placeholders::new([3; 32]);
        let urls = ["https://a.example/1", "https://a.example/2", "x", "", "ünïcödé"];
        let replaced = urls.map(|url| by.url(url));
        for (url, other) in urls.iter().zip(&replaced) {
            assert_eq!(url.len(), other.len());
            assert!(url.is_empty() || *url != &**other);
        }
        assert!(replaced[0].starts_with("https://") && replaced[0] != replaced[1]);
        assert_eq!(by.url(urls[1]), replaced[1], "equal texts have one placeholder");
        assert_ne!(Placeholders::new([4; 32]).url(urls[0]), replaced[0], "it is keyed");
    }
}
