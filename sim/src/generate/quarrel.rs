//! Two users who want different things of the same page or pair, at the same moment and without
//! having heard of each other: what a merge is for, and too rare if it were left to chance.
//!
//! Where their clocks agree, their edits carry equal times. Later one of them meets the other and
//! decides.

use graphshell_sync::{EdgeType, Trigger};

use super::user::{Habits, TYPES, Tab, User};
use crate::plan::{Choice, Edit};

/// What two users do, and how one of them ends it.
pub(super) struct Quarrel {
    /// The edits of either side.
    pub(super) sides: [Vec<Edit>; 2],
    /// About which node, or pair, and how.
    pub(super) decision: Option<(String, Option<String>, Choice)>,
}

#[derive(Clone, Copy)]
enum Matter {
    /// Both write the same fields.
    Values,
    /// One removes what the other changes.
    RemoveOrChange,
    /// One removes what the other links to and visits.
    RemoveOrLink,
    /// Both link a pair, by different types.
    Types,
    /// One clears the graph while the other adds to it.
    ClearOrAdd,
}

impl Habits<'_> {
    /// A quarrel of two users about something that both know, if there is such.
    pub(super) fn quarrel(&mut self, [one, two]: [&mut User; 2]) -> Option<Quarrel> {
        let shared: Vec<Tab> = one.known.intersection(&two.known).copied().collect();
        if shared.is_empty() {
            return None;
        }
        let (tab, other) = (self.dice.pick(&shared), self.dice.pick(&shared));
        let (node, beside) = (self.name(tab), self.name(other));
        let matter = self.dice.weighted(&[
            (4, Matter::Values),
            (3, Matter::RemoveOrChange),
            (2, Matter::RemoveOrLink),
            (4, Matter::Types),
            (u64::from(self.clears), Matter::ClearOrAdd),
        ]);
        let visit = |from: &String, to: &String| Edit::Visit {
            from: from.clone(),
            to: to.clone(),
            trigger: Trigger::Typed,
        };
        let (sides, decision) = match matter {
            Matter::Values => ([self.write_all(tab), self.write_all(tab)], None),
            Matter::RemoveOrChange => {
                one.known.remove(&tab);
                one.removed.insert(tab);
                let removes = vec![Edit::RemoveNode { node: node.clone() }];
                let choice = match self.dice.below(3) {
                    0 => Choice::KeepDeleted,
                    1 => Choice::Restore { writes_of: None },
                    _ => Choice::Restore { writes_of: Some(self.anybody()) },
                };
                ([removes, self.write_all(tab)], Some((node, None, choice)))
            }
            Matter::RemoveOrLink => {
                one.known.remove(&tab);
                one.removed.insert(tab);
                two.links.insert((other, tab));
                let links = vec![
                    Edit::AssertEdge { from: beside.clone(), to: node.clone() },
                    visit(&beside, &node),
                ];
                let choice = if self.dice.chance(50) {
                    Choice::KeepDeleted
                } else {
                    Choice::Restore { writes_of: None }
                };
                let removes = vec![Edit::RemoveNode { node: node.clone() }];
                ([removes, links], Some((node, None, choice)))
            }
            Matter::Types => {
                one.links.insert((tab, other));
                two.links.insert((tab, other));
                let first = self.dice.index(TYPES.len());
                let second = (first + 1 + self.dice.index(TYPES.len() - 1)) % TYPES.len();
                let choice = if self.dice.chance(60) {
                    Choice::KeepBoth
                } else {
                    Choice::KeepEdge { edge_type: TYPES[first] }
                };
                let link = |edge_type: EdgeType| Edit::AddEdge {
                    from: node.clone(),
                    to: beside.clone(),
                    edge_type,
                };
                let sides = [vec![link(TYPES[first])], vec![link(TYPES[second])]];
                (sides, Some((node, Some(beside), choice)))
            }
            Matter::ClearOrAdd => {
                one.removed.append(&mut one.known);
                let mut adds = vec![self.add(tab), visit(&beside, &node)];
                adds.extend(self.write_all(tab));
                ([vec![Edit::Clear], adds], None)
            }
        };
        Some(Quarrel { sides, decision })
    }

    /// Writes every field of a node but its url.
    fn write_all(&mut self, tab: Tab) -> Vec<Edit> {
        let node = self.name(tab);
        vec![
            self.rename(tab),
            Edit::Move { node: node.clone(), to: self.position() },
            Edit::Pin { node, pinned: self.dice.chance(50) },
        ]
    }

    fn anybody(&mut self) -> String {
        self.names[self.dice.index(self.names.len())].clone()
    }
}
