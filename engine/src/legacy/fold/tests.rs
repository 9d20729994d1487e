use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const A: &str = "00000000-0000-0000-0000-00000000000a";
const B: &str = "not a uuid";

fn node(id: &str) -> NodeId {
    NodeId::from_legacy(id)
}

fn add(id: &str, url: &str) -> LegacyLogEntry {
    LegacyLogEntry::AddNode {
        node_id: id.into(),
        url: url.into(),
        position_x: 1.0,
        position_y: 2.0,
    }
}

fn link(from: &str, to: &str) -> LegacyLogEntry {
    LegacyLogEntry::AddEdge {
        from_node_id: from.into(),
        to_node_id: to.into(),
        edge_type: LegacyEdgeType::Hyperlink,
    }
}

fn remove(id: &str) -> LegacyLogEntry {
    LegacyLogEntry::RemoveNode { node_id: id.into() }
}

fn title(id: &str, title: &str) -> LegacyLogEntry {
    LegacyLogEntry::UpdateNodeTitle { node_id: id.into(), title: title.into() }
}

fn pin(id: &str, is_pinned: bool) -> LegacyLogEntry {
    LegacyLogEntry::PinNode { node_id: id.into(), is_pinned }
}

fn added(id: &str, url: &str) -> LogEntry {
    let position = Position::new(1.0, 2.0).unwrap();
    LogEntry::AddNode { node_id: node(id), url: url.into(), position }
}

fn linked(from: &str, to: &str) -> LogEntry {
    LogEntry::AddEdge { from: node(from), to: node(to), edge_type: EdgeType::Hyperlink }
}

#[test]
fn live_state_is_authored_in_the_order_of_the_log() {
    let url = LegacyLogEntry::UpdateNodeUrl { node_id: B.into(), new_url: "b2".into() };
    let log = [add(B, "b"), link(B, B), add(A, "a"), title(B, "B"), link(A, B), pin(B, true), url];
    let titled = LogEntry::UpdateNodeTitle { node_id: node(B), title: "B".into() };
    let pinned = LogEntry::PinNode { node_id: node(B), is_pinned: true };
    let entries = vec![added(B, "b2"), titled, pinned, added(A, "a"), linked(B, B), linked(A, B)];
    assert_eq!(fold(log), Folded { entries, adjusted: Vec::new() });
}

#[test]
fn adding_a_node_again_replaces_url_and_position_only() {
    let log = [add(A, "old"), title(A, "A"), pin(A, true), link(A, A), add(A, "new")];
    let folded = fold(log);
    assert_eq!(folded.entries[0], added(A, "new"));
    assert_eq!(folded.entries.len(), 4, "{:?}", folded.entries);
}

#[test]
fn removed_node_takes_its_edges_and_values_along() {
    let log = [
        add(A, "a"),
        add(B, "b"),
        title(A, "A"),
        pin(A, true),
        link(A, B),
        link(B, A),
        remove(A),
        add(A, "again"),
    ];
    assert_eq!(fold(log.clone()).entries, [added(B, "b"), added(A, "again")]);
    let linked_again = log.into_iter().chain([link(B, A)]);
    assert_eq!(fold(linked_again).entries, [added(B, "b"), added(A, "again"), linked(B, A)]);
}

#[test]
fn unpinned_untitled_and_unlinked_leave_no_operation() {
    let unlink = |edge_type| LegacyLogEntry::RemoveEdge {
        from_node_id: A.into(),
        to_node_id: A.into(),
        edge_type,
    };
    let log = [add(A, "a"), pin(A, true), pin(A, false), title(A, "A"), title(A, ""), link(A, A)];
    let other_type = log.iter().cloned().chain([unlink(LegacyEdgeType::History)]);
    assert_eq!(fold(other_type).entries, [added(A, "a"), linked(A, A)]);
    let same_type = log.into_iter().chain([unlink(LegacyEdgeType::Hyperlink)]);
    assert_eq!(fold(same_type).entries, [added(A, "a")]);
}

#[test]
fn operation_on_an_unknown_node_does_nothing() {
    let log = [title(A, "A"), pin(A, true), remove(A), add(B, "b"), link(A, B), link(B, A)];
    assert_eq!(fold(log.into_iter().chain([add(A, "a")])).entries, [added(B, "b"), added(A, "a")]);
}

#[test]
fn clear_leaves_nothing_before_it() {
    let log = [add(A, "a"), link(A, A), LegacyLogEntry::ClearGraph, title(A, "A"), add(B, "b")];
    assert_eq!(fold(log).entries, [added(B, "b")]);
}

#[test]
fn what_does_not_fit_is_adjusted_and_reported_whole() {
    let url = "u".repeat(MAX_URL_BYTES + 1);
    let long = "t".to_owned() + &"ß".repeat(MAX_TITLE_BYTES / 2);
    let mut node_a = add(A, &url);
    if let LegacyLogEntry::AddNode { position_x, .. } = &mut node_a {
        *position_x = f32::INFINITY;
    }
    let folded = fold([node_a, title(A, &long)]);
    let position = Position::new(0.0, 2.0).unwrap();
    let cut = "t".to_owned() + &"ß".repeat(MAX_TITLE_BYTES / 2 - 1);
    let entries = vec![
        LogEntry::AddNode { node_id: node(A), url: String::new(), position },
        LogEntry::UpdateNodeTitle { node_id: node(A), title: cut },
    ];
    let adjusted = [
        Adjusted::UrlDropped { was: url },
        Adjusted::PositionReset { was: (f32::INFINITY, 2.0) },
        Adjusted::TitleCut { was: long },
    ]
    .map(|what| Adjustment { node: node(A), what });
    assert_eq!(folded, Folded { entries, adjusted: adjusted.into() });
}

#[test]
fn texts_that_differ_are_nodes_that_differ() {
    let usual = "0123456e-89ab-4def-8123-456789abcdef";
    assert_eq!(node(usual).0.to_string(), usual);
    let forms = [
        usual.to_owned(),
        usual.to_uppercase(),
        usual.replace('-', ""),
        format!("{{{usual}}}"),
        format!("urn:uuid:{usual}"),
        String::new(),
        "n1".into(),
    ];
    for (index, form) in forms.iter().enumerate() {
        assert!(!forms[..index].iter().any(|other| node(other) == node(form)), "{form}");
    }
    // A golden value: devices of all versions must agree.
    assert_eq!(node("n1").0.to_string(), "39ed3994-a31e-8008-a02d-64254c8f911e");
}

fn legacy() -> impl Strategy<Value = LegacyLogEntry> {
    let id = || prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(String::from);
    let edge_type = || prop_oneof![Just(LegacyEdgeType::Hyperlink), Just(LegacyEdgeType::History)];
    prop_oneof![
        3 => (id(), any::<f32>(), any::<f32>()).prop_map(|(node_id, position_x, position_y)| {
            LegacyLogEntry::AddNode { url: node_id.clone(), node_id, position_x, position_y }
        }),
        4 => (id(), id(), edge_type()).prop_map(|(from_node_id, to_node_id, edge_type)| {
            LegacyLogEntry::AddEdge { from_node_id, to_node_id, edge_type }
        }),
        1 => (id(), id(), edge_type()).prop_map(|(from_node_id, to_node_id, edge_type)| {
            LegacyLogEntry::RemoveEdge { from_node_id, to_node_id, edge_type }
        }),
        1 => (id(), ".{0,3}")
            .prop_map(|(node_id, title)| LegacyLogEntry::UpdateNodeTitle { node_id, title }),
        1 => (id(), any::<bool>())
            .prop_map(|(node_id, is_pinned)| LegacyLogEntry::PinNode { node_id, is_pinned }),
        1 => id().prop_map(|node_id| LegacyLogEntry::RemoveNode { node_id }),
        1 => (id(), ".{0,3}")
            .prop_map(|(node_id, new_url)| LegacyLogEntry::UpdateNodeUrl { node_id, new_url }),
    ]
}

/// The live state by the plainest means: edges are searched and dropped with their node.
#[derive(Default)]
struct Naive {
    nodes: Vec<(String, LogEntry, String, bool)>,
    edges: Vec<(String, String, LegacyEdgeType)>,
}

impl Naive {
    fn apply(&mut self, entry: LegacyLogEntry) {
        let index = |id: &String| self.nodes.iter().position(|node| node.0 == *id);
        match entry {
            LegacyLogEntry::AddNode { node_id, url, position_x, position_y } => {
                let [x, y] = [position_x, position_y].map(|v| if v.is_finite() { v } else { 0.0 });
                let position = Position::new(x, y).unwrap();
                let entry = LogEntry::AddNode { node_id: node(&node_id), url, position };
                match index(&node_id) {
                    Some(index) => self.nodes[index].1 = entry,
                    None => self.nodes.push((node_id, entry, String::new(), false)),
                }
            }
            LegacyLogEntry::AddEdge { from_node_id, to_node_id, edge_type } => {
                if index(&from_node_id).is_some() && index(&to_node_id).is_some() {
                    let edge = (from_node_id, to_node_id, edge_type);
                    self.edges.retain(|other| *other != edge);
                    self.edges.push(edge);
                }
            }
            LegacyLogEntry::RemoveEdge { from_node_id, to_node_id, edge_type } => {
                self.edges.retain(|other| {
                    *other != (from_node_id.clone(), to_node_id.clone(), edge_type)
                });
            }
            LegacyLogEntry::UpdateNodeTitle { node_id, title } => {
                if let Some(index) = index(&node_id) {
                    self.nodes[index].2 = title;
                }
            }
            LegacyLogEntry::PinNode { node_id, is_pinned } => {
                if let Some(index) = index(&node_id) {
                    self.nodes[index].3 = is_pinned;
                }
            }
            LegacyLogEntry::RemoveNode { node_id } => {
                self.nodes.retain(|node| node.0 != node_id);
                self.edges.retain(|edge| edge.0 != node_id && edge.1 != node_id);
            }
            LegacyLogEntry::ClearGraph => *self = Naive::default(),
            LegacyLogEntry::UpdateNodeUrl { node_id, new_url } => {
                let found = index(&node_id).map(|index| &mut self.nodes[index].1);
                if let Some(LogEntry::AddNode { url, .. }) = found {
                    *url = new_url;
                }
            }
        }
    }

    fn entries(self) -> Vec<LogEntry> {
        let mut entries = Vec::new();
        for (id, entry, title, is_pinned) in self.nodes {
            let node_id = node(&id);
            entries.push(entry);
            entries.extend(
                Some(title)
                    .filter(|title| !title.is_empty())
                    .map(|title| LogEntry::UpdateNodeTitle { node_id, title }),
            );
            entries.extend(is_pinned.then_some(LogEntry::PinNode { node_id, is_pinned }));
        }
        let edges = self.edges.iter().map(|(from, to, edge_type)| {
            let (from, to, edge_type) = edge_key(from, to, *edge_type);
            LogEntry::AddEdge { from, to, edge_type }
        });
        entries.extend(edges);
        entries
    }
}

proptest! {
    #[test]
    fn fold_agrees_with_a_plain_replay(log in vec(legacy(), 0..60)) {
        let mut naive = Naive::default();
        for entry in log.clone() {
            naive.apply(entry);
        }
        prop_assert_eq!(fold(log).entries, naive.entries());
    }
}
