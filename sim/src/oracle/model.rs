//! The graph that a reader sees is what the reference model makes of the peer's history.

use graphshell_sync::Graph;

use super::{Finding, View};
use crate::model;

const PROPERTY: &str = "graph equals the model's";

/// Judges one peer; its view must be [settled](View::settled).
pub(crate) fn judge(view: &View) -> Result<(), Finding> {
    let expected = model::graph(&view.history);
    if view.graph == expected {
        return Ok(());
    }
    Err(Finding {
        property: PROPERTY,
        peers: vec![view.peer],
        operations: Vec::new(),
        detail: difference(&expected, &view.graph),
    })
}

/// Names the first thing that two graphs do not share.
fn difference(expected: &Graph, found: &Graph) -> String {
    let name = |what: &str, expected: String, found: String| {
        format!("{what}: expected {expected}, found {found}")
    };
    let nodes = expected.nodes.keys().chain(found.nodes.keys());
    for id in nodes {
        let (expected, found) = (expected.nodes.get(id), found.nodes.get(id));
        if expected != found {
            return name(&format!("node {id}"), format!("{expected:?}"), format!("{found:?}"));
        }
    }
    let pairs = expected.edges.keys().chain(found.edges.keys());
    for pair in pairs {
        let (expected, found) = (expected.edges.get(pair), found.edges.get(pair));
        if expected != found {
            let what = format!("edge {} -> {}", pair.0, pair.1);
            return name(&what, format!("{expected:?}"), format!("{found:?}"));
        }
    }
    let rows = expected.conflicts.len().max(found.conflicts.len());
    let row = (0..rows).find(|&row| expected.conflicts.get(row) != found.conflicts.get(row));
    let row = row.unwrap_or(0);
    let (expected, found) = (expected.conflicts.get(row), found.conflicts.get(row));
    name(&format!("conflict {row}"), format!("{expected:?}"), format!("{found:?}"))
}
