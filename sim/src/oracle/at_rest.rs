//! Nothing that a user wrote lies readable on a disk, no nonce is used twice, and no sealed value
//! opens where it does not belong.
//!
//! The first is judged over every stored byte of every file, on the platter, in the cache and on its
//! way, whenever a peer stops and at the end. The second is judged when the log takes a value:
//! the head of a sealed value is part of the vault's format. The third is tried for real: values of the
//! log change places on a copy of the disk, and a vault must refuse it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use graphshell_sync::store::medium::Change;

use super::Finding;
use crate::plan::{Edit, Plan};

/// Shortest text that is looked for, in bytes.
const SHORTEST: usize = 8;
/// How much of a longer one's start and of its end is looked for: compression may cut it up.
const STRETCH: usize = 12;
/// Bytes of a nonce.
const NONCE: usize = 12;
/// A peer, one of its data keys, and a nonce under it.
type Used = (usize, u64, [u8; NONCE]);

/// What one run must not find on its disks.
pub(crate) struct AtRest {
    texts: AhoCorasick,
    /// Sealed values by peer, data key and nonce: a hash of the first that had it.
    nonces: RefCell<BTreeMap<Used, blake3::Hash>>,
}

impl AtRest {
    /// Every url and title that the plan's users write.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut texts = std::collections::BTreeSet::new();
        let mut note = |edit: &Edit| {
            let (Edit::AddNode { url: text, .. }
            | Edit::SetUrl { url: text, .. }
            | Edit::SetTitle { title: text, .. }) = edit
            else {
                return;
            };
            let text = text.as_bytes();
            if text.len() >= SHORTEST {
                let stretch = STRETCH.min(text.len());
                texts.insert(text[..stretch].to_vec());
                texts.insert(text[text.len() - stretch..].to_vec());
            }
        };
        plan.peers.iter().flat_map(|peer| &peer.legacy).for_each(&mut note);
        for (_, edits) in plan.steps.iter().filter_map(|step| step.action.edits()) {
            edits.iter().for_each(&mut note);
        }
        // Each run builds one; it searches too little to make up for a faster kind.
        let texts = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(texts)
            .expect("a plan's texts are few and short");
        AtRest { texts, nonces: RefCell::default() }
    }

    /// A text of a user's in some bytes, if there is one.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<String> {
        let found = self.texts.find(bytes)?;
        Some(String::from_utf8_lossy(&bytes[found.range()]).into_owned())
    }

    /// Judges a piece of a file.
    pub(crate) fn judge_bytes(&self, peer: usize, file: &str, bytes: &[u8]) -> Result<(), Finding> {
        let Some(text) = self.find(bytes) else { return Ok(()) };
        Err(finding(peer, "no plaintext at rest", format!("{file} holds {text:?}, readable")))
    }

    /// Judges what the log is given.
    pub(crate) fn judge_sealed(&self, peer: usize, changes: &[Change]) -> Result<(), Finding> {
        for change in changes {
            let Change::Put(key, value) = change else { continue };
            let Some((data_key, nonce)) = head(key, value) else { continue };
            let hash = blake3::hash(value);
            let first = *self.nonces.borrow_mut().entry((peer, data_key, nonce)).or_insert(hash);
            if first != hash {
                let detail = format!("two values are sealed with nonce {nonce:02x?}");
                return Err(finding(peer, "no nonce is used twice", detail));
            }
        }
        Ok(())
    }
}

/// Data key and nonce, if this is the first piece of a sealed value: its number and length, a
/// format, the key's number, the nonce.
fn head(key: &[u8], value: &[u8]) -> Option<(u64, [u8; NONCE])> {
    if !key.ends_with(&[0, 0]) {
        return None;
    }
    let (_, rest) = varint(value)?;
    let (_, rest) = varint(rest)?;
    let (_format, rest) = rest.split_first()?;
    let (data_key, rest) = varint(rest)?;
    Some((data_key, *rest.first_chunk()?))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, &byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * place as u32).min(63);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}

fn finding(peer: usize, property: &'static str, detail: String) -> Finding {
    Finding { property, peers: vec![peer], operations: Vec::new(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest() -> AtRest {
        let text = r#"{"why":"","peers":[{"name":"a"}],"steps":[{"at_ms":0,"do":"edit","peer":"a",
            "edits":[{"op":"add_node","node":"n","url":"https://example.org/a/long/way"},
                     {"op":"set_title","node":"n","title":"short"}]}]}"#;
        AtRest::new(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_stretch_of_a_users_text_is_found() {
        let at_rest = at_rest();
        assert!(at_rest.judge_bytes(0, "log", b"....https://exam....").is_err());
        assert!(at_rest.judge_bytes(0, "log", b"..le/way").is_ok());
        assert!(at_rest.judge_bytes(0, "log", b"..rg/a/long/way..").is_err());
        assert!(at_rest.judge_bytes(0, "log", b"short").is_ok(), "too short to mean anything");
    }

    #[test]
    fn the_same_nonce_for_other_bytes_is_found() {
        let at_rest = at_rest();
        let put = |nonce: u8, rest: u8| {
            let mut value = vec![1, 40, 1, 1];
            value.extend([nonce; NONCE]);
            value.push(rest);
            vec![Change::Put(vec![2, 0, 0], value)]
        };
        assert!(at_rest.judge_sealed(0, &put(1, 1)).is_ok());
        assert!(at_rest.judge_sealed(0, &put(2, 2)).is_ok());
        assert!(at_rest.judge_sealed(0, &put(1, 1)).is_ok(), "the same value again");
        assert!(at_rest.judge_sealed(1, &put(1, 3)).is_ok(), "another peer has another key");
        assert!(at_rest.judge_sealed(0, &put(1, 3)).is_err());
    }
}
