//! What makes two failures look like one: the property, and the shape of what was found.
//!
//! A sweep that fails in a hundred seeds fails for one or two reasons. Names, ids, numbers, texts and
//! times are taken out of a finding; what is left is alike for one bug in most seeds. It is a
//! heuristic: one bug may have several fingerprints, and two bugs may share one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::Plan;
use crate::world::Failure;

/// Longest shape, in characters.
const LONGEST_SHAPE: usize = 160;
/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 8;

/// The property that failed, and how, without anything that another seed would name differently.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    property: String,
    shape: String,
}

impl Fingerprint {
    /// The failure's.
    pub fn of(failure: &Failure) -> Self {
        Fingerprint {
            property: failure.property.to_owned(),
            shape: shape(&failure.detail, &failure.peers),
        }
    }

    /// That of every plan which ran differently twice.
    pub fn not_deterministic() -> Self {
        Fingerprint { property: "same plan, same run".to_owned(), shape: String::new() }
    }

    /// Its name: 8 hexadecimal digits.
    pub fn id(&self) -> String {
        let mut id = blake3::Hasher::new()
            .update(self.property.as_bytes())
            .update(&[0])
            .update(self.shape.as_bytes())
            .finalize()
            .to_hex()
            .to_string();
        id.truncate(ID_DIGITS);
        id
    }

    /// The property that failed.
    pub fn property(&self) -> &str {
        &self.property
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.property)?;
        if self.shape.is_empty() { Ok(()) } else { write!(f, " ({})", self.shape) }
    }
}

/// The detail without quoted texts, whatever stands in brackets, names, ids and numbers.
fn shape(detail: &str, peers: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in outside_brackets(detail).split_whitespace() {
        let word = general(word, peers);
        // `a to b` and `a -> b` name a range or a pair where another seed names one thing.
        let joins = word.starts_with('…') && words.last().is_some_and(|last| last == "…");
        let range = word.starts_with('…')
            && matches!(words.as_slice(), [.., first, joint] if first == "…" && (joint == "to" || joint == "->"));
        if range {
            words.truncate(words.len() - 2);
        } else if joins {
            words.pop();
        }
        words.push(word);
    }
    words.join(" ").chars().take(LONGEST_SHAPE).collect()
}

/// Drops what is in brackets and puts `…` for quoted text.
fn outside_brackets(text: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0_usize);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                if depth == 0 {
                    out.push('…');
                }
            }
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// A word with `…` for what another seed would have in its place.
fn general(word: &str, peers: &[String]) -> String {
    let core = word.trim_end_matches([',', ':', ';', '.']);
    let end = &word[core.len()..];
    let is_id = core.len() >= 16 && core.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if is_id || core.contains('#') || peers.iter().any(|peer| peer == core) {
        return format!("…{end}");
    }
    let mut out = String::new();
    for c in word.chars() {
        match c.is_ascii_digit() {
            true if out.ends_with('…') => {}
            true => out.push('…'),
            false => out.push(c),
        }
    }
    out
}

/// What a plan is made of: the kinds of its edits and of its faults, by their names in the format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingredients {
    /// Kinds of edits.
    pub edits: BTreeSet<String>,
    /// Kinds of faults.
    pub faults: BTreeSet<String>,
}

impl Ingredients {
    /// The plan's.
    pub fn of(plan: &Plan) -> Self {
        let steps = plan.steps.iter().filter_map(|step| step.action.edits());
        let mut edits: BTreeSet<String> = BTreeSet::new();
        for (_, made) in steps {
            edits.extend(made.iter().map(|edit| tag(edit, "op")));
        }
        edits.extend(plan.peers.iter().flat_map(|peer| &peer.legacy).map(|edit| tag(edit, "op")));
        let faults = plan.fault_kinds().into_iter().map(|kind| kind.name().to_owned()).collect();
        Ingredients { edits, faults }
    }

    /// All kinds, edits first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.edits.iter().chain(&self.faults).map(String::as_str)
    }
}

/// The value of the field that tells variants apart.
pub(crate) fn tag(value: &impl Serialize, field: &str) -> String {
    let fields: BTreeMap<String, Value> = serde_json::to_value(value)
        .and_then(serde_json::from_value)
        .expect("steps and edits are objects");
    fields.get(field).and_then(Value::as_str).expect("variants are told apart by name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(property: &'static str, detail: &str) -> Fingerprint {
        let peers = vec!["ada".to_owned()];
        let (operations, virtual_ms, detail) = (Vec::new(), 7, detail.to_owned());
        Fingerprint::of(&Failure { property, peers, operations, virtual_ms, detail })
    }

    #[test]
    fn names_ids_numbers_texts_and_contents_do_not_count() {
        for (one, other) in [
            (
                "node 4cde8950-4e8a-826e-b3f1-cb00b48ee162: expected Some(Node { url: \"a)\" }), \
                 found None",
                "node c0fc528c-4076-85d7-a155-ea9fb12fba28: expected Some(Node { url: \"\" }), \
                 found None",
            ),
            (
                "it told its user that edit ada#32 to ada#34 is durable, but",
                "it told its user that edit cleo/2#20 is durable, but",
            ),
            (
                "panicked at core/ledger.rs:61:9:\nleft: 1",
                "panicked at core/ledger.rs:102:13:\nleft: 22",
            ),
            ("expected \"one \\\" title\" at ada", "expected \"two\" at ada"),
        ] {
            assert_eq!(of("p", one), of("p", other));
            assert_eq!(of("p", one).id(), of("p", other).id());
        }
    }

    #[test]
    fn the_property_and_what_was_found_count() {
        let found_none = of("p", "node x: expected Some(Node { a: 1 }), found None");
        assert_ne!(found_none, of("q", "node x: expected Some(Node { a: 1 }), found None"));
        assert_ne!(found_none, of("p", "node x: expected None, found Some(Node { a: 1 })"));
        assert_ne!(found_none, of("p", "edge x: expected Some(Edge { a: 1 }), found None"));
        assert_eq!(found_none.to_string(), "p (node x: expected Some, found None)");
        assert_eq!(found_none.id().len(), ID_DIGITS);
    }

    #[test]
    fn a_shape_is_bounded() {
        assert!(of("p", &"long ".repeat(1_000)).to_string().len() < 300);
    }

    #[test]
    fn a_plans_ingredients_are_named_as_in_its_format() {
        let plan = Plan::from_json(
            r#"{"why": "x", "peers": [{"name": "ada"}], "network": {"loss": 5}, "steps": [
                {"at_ms": 0, "do": "edit", "peer": "ada", "edits": [{"op": "clear"}]},
                {"at_ms": 1, "do": "crash", "peer": "ada"},
                {"at_ms": 2, "do": "restart", "peer": "ada"}]}"#,
            "test",
        )
        .unwrap();
        let names: Vec<_> = Ingredients::of(&plan).names().map(str::to_owned).collect();
        assert_eq!(names, ["clear", "crash", "loss"]);
    }
}
