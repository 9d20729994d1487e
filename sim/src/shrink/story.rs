//! The last touches: pages with names that one can say, and a reason that says what breaks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Names, Search, edited};
use crate::fingerprint::{Fingerprint, Ingredients};
use crate::plan::Plan;
use crate::world::Failure;

/// Names for pages, in the order in which they turn up.
const PAGES: [&str; 10] =
    ["home", "news", "wiki", "shop", "mail", "blog", "map", "docs", "forum", "code"];

/// The plan as JSON.
pub(super) fn value(plan: &Plan) -> Value {
    serde_json::to_value(plan).expect("a plan's keys are strings")
}

impl Search<'_> {
    /// Names the pages; ids follow from names, so all at once, then one by one.
    pub(super) fn names(&mut self) {
        let peers: BTreeSet<&str> = self.best.peers.iter().map(|peer| peer.name.as_str()).collect();
        let old = pages(&self.best);
        if old.iter().all(|name| PAGES.contains(&name.as_str())) {
            return;
        }
        let mut free =
            (0..).map(page).filter(|name| !peers.contains(name.as_str()) && !old.contains(name));
        let names: Names = old.iter().cloned().zip(&mut free).collect();
        let whole = |plan: &Plan| edited(plan, |plan| rename(plan, &names));
        if self.once(whole) {
            return;
        }
        for (old, new) in &names {
            let one = Names::from([(old.clone(), new.clone())]);
            self.once_value(|plan| rename(plan, &one));
        }
    }
}

/// The names of the plan's pages, in the order in which they turn up.
fn pages(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let legacy = plan.peers.iter().flat_map(|peer| peer.legacy.iter());
    let steps = plan.steps.iter().filter_map(|step| match &step.action {
        crate::plan::Action::Edit { edits, .. } => Some(edits),
        // A stroll's pages have the names that the web gives them.
        _ => None,
    });
    for edit in legacy.chain(steps.flatten()) {
        for name in edit.nodes() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn page(nth: usize) -> String {
    PAGES.get(nth).map_or_else(|| format!("page{nth}"), |&name| name.to_owned())
}

/// Gives every text that is such a name the new one, but for texts that a user reads.
fn rename(value: &mut Value, names: &Names) {
    match value {
        Value::String(text) => {
            if let Some(new) = names.get(text) {
                text.clone_from(new);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(fields) => {
            let named = fields
                .iter_mut()
                .filter(|(field, _)| !["why", "url", "title"].contains(&field.as_str()));
            named.for_each(|(_, value)| rename(value, names));
        }
        _ => {}
    }
}

/// Why the plan exists.
pub(super) fn reason(plan: &Plan, failure: &Failure, origin: &str) -> String {
    let who = match failure.peers.as_slice() {
        [] => String::new(),
        peers => format!(" at {}", peers.join(" and ")),
    };
    let takes = Ingredients::of(plan);
    let takes: Vec<&str> = takes.names().collect();
    let takes = match takes.as_slice() {
        [] => String::new(),
        takes => format!(" It takes {}.", takes.join(", ")),
    };
    let print = Fingerprint::of(failure);
    let why = format!(
        "\"{}\" does not hold{who}.{takes} Shrunk from {origin}; fingerprint {}.",
        failure.property,
        print.id()
    );
    why.chars().take(400).collect()
}
