//! Passes that set what holds for a whole run or peer back to the plainest value.
//!
//! They work on the plan's JSON form, so a setting that is added to the format is tried without a
//! word about it here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Search, edited};

/// Fields of a plan that are no settings.
const NO_SETTINGS: [&str; 5] = ["why", "seed", "peers", "steps", "expect"];

impl Search<'_> {
    /// Sets the settings back, each as a whole, then part by part.
    pub(super) fn settings(&mut self) {
        self.peer_settings();
        let value = super::story::value(&self.best);
        let fields = value.as_object().expect("a plan is an object");
        for (field, value) in
            fields.iter().filter(|(field, _)| !NO_SETTINGS.contains(&field.as_str()))
        {
            if self
                .once_value(|plan| drop(plan.as_object_mut().and_then(|plan| plan.remove(field))))
            {
                continue;
            }
            for part in value.as_object().into_iter().flat_map(|parts| parts.keys()) {
                let without = |plan: &mut Value| {
                    drop(plan[field].as_object_mut().and_then(|parts| parts.remove(part)))
                };
                if !self.once_value(without) {
                    self.once_value(|plan| plan[field][part] = json!(0));
                }
            }
        }
        self.once_value(|plan| plan["heal"] = json!(false));
        self.once_value(|plan| plan["seed"] = json!(0));
    }

    /// Takes every field but its name from all peers, then from one after the other.
    fn peer_settings(&mut self) {
        let plan = super::story::value(&self.best);
        let peers = plan["peers"].as_array().expect("peers are a list");
        let fields = peers.iter().flat_map(|peer| peer.as_object().into_iter().flatten());
        let fields: BTreeSet<&String> =
            fields.map(|(field, _)| field).filter(|field| *field != "name").collect();
        for field in fields {
            let count = self.best.peers.len();
            let all_first = |plan: &crate::plan::Plan, n: usize| {
                edited(plan, |plan| {
                    let peers = plan["peers"].as_array_mut().into_iter().flatten().enumerate();
                    for (_, peer) in peers.filter(|&(place, _)| n == 0 || place == n - 1) {
                        peer.as_object_mut().and_then(|peer| peer.remove(field));
                    }
                })
            };
            while self.first(count + 1, all_first).is_some() {}
        }
    }

    /// Sets numbers and switches of single steps back, and cuts texts and places of edits short.
    pub(super) fn details(&mut self) {
        let value = super::story::value(&self.best);
        let steps = value["steps"].as_array().expect("steps are a list");
        for (place, step) in steps.iter().enumerate() {
            for (field, found) in step.as_object().into_iter().flatten() {
                let plain = match found {
                    Value::Number(_) if field != "at_ms" && found != &json!(0) => json!(0),
                    Value::Bool(true) => json!(false),
                    _ => continue,
                };
                self.once_value(|plan| plan["steps"][place][field] = plain.clone());
            }
        }
        self.once(|plan| edited(plan, short_texts));
        self.once(|plan| edited(plan, no_positions));
        self.once(|plan| edited(plan, plain_positions));
    }
}

/// Gives every url and title a short one in its place; equal ones stay equal.
fn short_texts(plan: &mut Value) {
    let mut known: Vec<String> = Vec::new();
    let mut short = |kind: &str, text: &mut Value| {
        let long = format!("{kind} {text}");
        let nth = known.iter().position(|other| *other == long).unwrap_or_else(|| {
            known.push(long);
            known.len() - 1
        });
        *text = match kind {
            "url" => json!(format!("https://example.org/{nth}")),
            _ => json!(format!("Title {nth}")),
        };
    };
    each_edit(plan, &mut |edit| {
        for kind in ["url", "title"] {
            if let Some(text) = edit.get_mut(kind) {
                short(kind, text);
            }
        }
    });
}

fn no_positions(plan: &mut Value) {
    each_edit(plan, &mut |edit| drop(edit.as_object_mut().and_then(|edit| edit.remove("at"))));
}

/// Gives each position that an edit names a plain one of its own, but for those at the origin.
fn plain_positions(plan: &mut Value) {
    let mut nth = 0;
    each_edit(plan, &mut |edit| {
        for field in ["at", "to"] {
            let named = edit.get_mut(field).filter(|position| position.is_array());
            if let Some(position) = named.filter(|position| **position != json!([0.0, 0.0])) {
                nth += 1;
                *position = json!([f64::from(nth), 0.0]);
            }
        }
    });
}

fn each_edit(plan: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    for (list, edits) in [("peers", "legacy"), ("steps", "edits")] {
        for owner in plan[list].as_array_mut().into_iter().flatten() {
            owner
                .get_mut(edits)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
                .for_each(&mut *visit);
        }
    }
}
