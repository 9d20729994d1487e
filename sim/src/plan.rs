//! A plan: everything that one run does, step by step, in the format of the scenario files.
//!
//! A seed expands into a plan and the runner runs nothing but plans, so a shrunk seed is a
//! scenario file and a saved failure outlives a change of the generator. Peers and nodes have
//! names; ids are derived from them. A plan read from a file is validated before anybody sees it.

mod company;
mod disk;
mod edit;
mod fact;
mod fault;
mod layout;
mod names;
mod validate;

use std::borrow::Cow;

use graphshell_sync::{EdgeType, Position, Trigger};
use serde::{Deserialize, Serialize};

use crate::web::Web;

pub use company::{Broken, Lie};
pub use disk::{Disk, Part, Rot};
pub use edit::Edit;
pub use fact::{Expectation, Fact, Listed};
pub use fault::{Fault, FaultKind, Source};
pub(crate) use layout::pretty;
pub use names::{device_id, node_id, workspace_id};
pub use validate::{Flaw, PlanError};

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Why this scenario exists, in a sentence or two.
    pub why: String,
    /// Decides every choice that the plan leaves open (per message, per append).
    #[serde(default)]
    pub seed: u64,
    /// The peers, by name; lanes of the story in this order.
    pub peers: Vec<Peer>,
    /// How the network behaves until the heal.
    #[serde(default)]
    pub network: Network,
    /// How long an append takes, least and most, in virtual milliseconds.
    #[serde(default = "default_append_ms")]
    pub append_ms: (u64, u64),
    /// Records after which a peer takes a snapshot; 0 means never.
    #[serde(default)]
    pub snapshot_every: u64,
    /// The disks under the peers' stores; without them stores are ideal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// Records after which a peer cuts from its log what all have; 0 means only when a step says.
    #[serde(default)]
    pub compact_every: u64,
    /// What happens, by time.
    pub steps: Vec<Step>,
    /// Whether the network heals after the last step and all peers sync until nothing moves.
    #[serde(default = "yes")]
    pub heal: bool,
    /// What must be true at the end, beside what must always be true.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

fn yes() -> bool {
    true
}

fn default_append_ms() -> (u64, u64) {
    (1, 4)
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name, unique in the plan.
    pub name: String,
    /// How far its wall clock is off at the start, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_offset_ms: i64,
    /// By how much its wall clock is too fast, in millionths; negative if it is too slow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_drift_ppm: i64,
    /// A legacy log that it imports before its first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legacy: Vec<Edit>,
    /// Whether nobody shares the workspace with it, nor it with anybody, until a step does.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// Whether nobody ever shares the workspace with it, although it knows of it and asks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stranger: bool,
    /// The version of the protocol that it speaks, if it is not this engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// What lies it tells; if any, it is no engine but somebody who crafts frames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lies: Vec<Lie>,
    /// What stays wrong with it when the others heal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Per-message faults. Rates are in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Least and most delay of a frame, in virtual milliseconds; a wide range reorders.
    pub delay_ms: (u64, u64),
    /// Frames that never arrive.
    pub loss: u16,
    /// Frames that arrive twice.
    pub duplication: u16,
    /// Frames in which bits flip on the way.
    pub corruption: u16,
    /// Frames that are cut short on the way.
    pub truncation: u16,
    /// Of a thousand damaged frames, how many the transport hands on all the same, as one with a
    /// bug would. It notices the others, and they are lost: so does any that authenticates.
    pub unchecked: u16,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            delay_ms: (5, 20),
            loss: 0,
            duplication: 0,
            corruption: 0,
            truncation: 0,
            unchecked: 0,
        }
    }
}

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, in virtual milliseconds from the start.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// A user's edits at one peer, as one batch.
    Edit {
        /// Who.
        peer: String,
        /// What.
        edits: Vec<Edit>,
    },
    /// A user's stroll over the web of pages, as one batch: opens `pages` pages that the stroll
    /// has not seen yet, following links where it can. Nodes are named `p` and the page's number;
    /// see [`Web::stroll`].
    Browse {
        /// Who.
        peer: String,
        /// The first page's number.
        from: usize,
        /// How many pages.
        pages: usize,
    },
    /// One round of sync that `peer` starts.
    Sync {
        /// Who asks.
        peer: String,
        /// Whom.
        with: String,
    },
    /// A user settles the first listed conflict about the node or pair.
    Resolve {
        /// Who.
        peer: String,
        /// The node, or the pair's tail.
        about: String,
        /// The pair's head, for a conflict of edge types.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// How.
        choice: Choice,
    },
    /// Frames between two peers stop.
    Partition {
        /// One side, or the sender if only one way.
        from: String,
        /// The other side.
        to: String,
        /// Whether frames still pass from `to` to `from`.
        #[serde(default)]
        one_way: bool,
    },
    /// Frames between two peers stop and pass by turns, beginning with a stop.
    Flap {
        /// One side.
        from: String,
        /// The other side.
        to: String,
        /// How long each turn takes, in milliseconds.
        period_ms: u64,
    },
    /// The way from one peer to another is slower than the weather has it.
    SlowLink {
        /// One side, or the sender if only one way.
        from: String,
        /// The other side.
        to: String,
        /// Whether the way back is as ever.
        #[serde(default, skip_serializing_if = "is_false")]
        one_way: bool,
        /// What a frame takes longer, in milliseconds.
        #[serde(default)]
        delay_ms: u64,
        /// How many bytes pass in a second; frames queue up behind each other, and what would have
        /// to wait too long is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_per_s: Option<u64>,
    },
    /// The connection between two peers breaks: what is on its way is lost, and every call that
    /// waits for an answer fails at once.
    Reset {
        /// One side.
        from: String,
        /// The other side.
        to: String,
    },
    /// The link between two peers is as the weather has it again, both ways.
    Mend {
        /// One side.
        from: String,
        /// The other side.
        to: String,
    },
    /// Another behaviour of the network from now on.
    Weather {
        /// The new one.
        network: Network,
    },
    /// The peer dies at once, or at one of its next port calls.
    Crash {
        /// Who.
        peer: String,
        /// How many more port calls it makes before.
        #[serde(default)]
        after_calls: u32,
    },
    /// The peer stops in the middle of what it writes: at once, or at one of its next disk calls.
    PowerCut {
        /// Who.
        peer: String,
        /// How many more disk calls it makes before.
        #[serde(default)]
        after_calls: u32,
        /// Only the program is killed: what it wrote without a sync stays.
        #[serde(default)]
        program_only: bool,
    },
    /// From now on the peer's files may grow by so many bytes and no more.
    FillDisk {
        /// Who.
        peer: String,
        /// How many.
        room: u64,
    },
    /// There is room again.
    ClearDisk {
        /// Who.
        peer: String,
    },
    /// Bytes change on the disk of a peer that is down.
    Rot {
        /// Who.
        peer: String,
        /// Of which part of its store.
        part: Part,
        /// How.
        how: Rot,
    },
    /// The peer starts again from its durable image.
    Restart {
        /// Who.
        peer: String,
    },
    /// The durable image is copied aside.
    Backup {
        /// Who.
        peer: String,
    },
    /// The peer dies and starts again from the copy set aside.
    Restore {
        /// Who.
        peer: String,
        /// Whether the memory outside the store (keyring) is restored with it.
        #[serde(default)]
        with_witness: bool,
    },
    /// The peer dies; its disk forgets its last records, although they had been durable; it
    /// starts again.
    LoseTail {
        /// Who.
        peer: String,
        /// How many records, at most.
        records: usize,
    },
    /// The peer takes a snapshot.
    Checkpoint {
        /// Who.
        peer: String,
    },
    /// The peer cuts from its log what all have with which it shares the workspace.
    Compact {
        /// Who.
        peer: String,
    },
    /// The peer shares the workspace with another, one way.
    Share {
        /// Who.
        peer: String,
        /// With whom.
        with: String,
        /// Whether the other may only be told, and nothing is taken from it.
        #[serde(default, skip_serializing_if = "is_false")]
        read_only: bool,
    },
    /// The peer shares the workspace with another no more.
    Withdraw {
        /// Who.
        peer: String,
        /// From whom.
        with: String,
    },
    /// Everybody is idle for so long: all wall clocks move on, and what is on its way is lost.
    /// The plan's own time does not count it.
    TimePasses {
        /// How long, in milliseconds.
        by_ms: u64,
    },
    /// The peer's wall clock jumps.
    ClockJump {
        /// Who.
        peer: String,
        /// By how much, in milliseconds.
        by_ms: i64,
    },
    /// Something must be true now, at one peer.
    Expect {
        /// Where.
        peer: String,
        /// What.
        that: Vec<Fact>,
    },
}

/// How a plan settles a conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The node stays removed.
    KeepDeleted,
    /// The node comes back; of each field the greatest uncovered write, or the writes of one peer.
    Restore {
        /// Whose writes are chosen; `None` leaves the shown ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        writes_of: Option<String>,
    },
    /// Both typed edges stay.
    KeepBoth,
    /// One typed edge stays.
    KeepEdge {
        /// Which.
        edge_type: EdgeType,
    },
}

impl Plan {
    /// Nothing happens to these peers.
    pub(crate) fn idle(why: String, peers: Vec<Peer>) -> Self {
        Plan {
            why,
            seed: 0,
            peers,
            network: Network::default(),
            append_ms: default_append_ms(),
            snapshot_every: 0,
            disk: None,
            compact_every: 0,
            steps: Vec::new(),
            heal: false,
            expect: Vec::new(),
        }
    }

    /// Whether logs may begin later than with their first record.
    pub fn cuts_logs(&self) -> bool {
        let cuts =
            |step: &Step| matches!(step.action, Action::Compact { .. } | Action::LoseTail { .. });
        let handed = |peer: &Peer| peer.lies.contains(&Lie::FalseSnapshot);
        let lied = self.peers.iter().any(handed);
        lied || self.compact_every > 0 || self.disk.is_some() || self.steps.iter().any(cuts)
    }
}

impl Action {
    /// The peer to which a step happens; `None` for those that happen to the world.
    pub fn actor(&self) -> Option<&str> {
        match self {
            Action::Edit { peer, .. }
            | Action::Browse { peer, .. }
            | Action::Sync { peer, .. }
            | Action::Resolve { peer, .. }
            | Action::Crash { peer, .. }
            | Action::PowerCut { peer, .. }
            | Action::Rot { peer, .. }
            | Action::Restart { peer }
            | Action::Backup { peer }
            | Action::Restore { peer, .. }
            | Action::LoseTail { peer, .. }
            | Action::Checkpoint { peer }
            | Action::Compact { peer }
            | Action::Share { peer, .. }
            | Action::Withdraw { peer, .. }
            | Action::Expect { peer, .. } => Some(peer),
            Action::Partition { .. }
            | Action::Flap { .. }
            | Action::SlowLink { .. }
            | Action::Reset { .. }
            | Action::TimePasses { .. }
            | Action::Mend { .. }
            | Action::Weather { .. }
            | Action::FillDisk { .. }
            | Action::ClearDisk { .. }
            | Action::ClockJump { .. } => None,
        }
    }

    /// Who edits, and what, if this step is a user's edits.
    pub fn edits(&self) -> Option<(&str, Cow<'_, [Edit]>)> {
        match self {
            Action::Edit { peer, edits } => Some((peer, Cow::Borrowed(edits))),
            Action::Browse { peer, from, pages } => Some((peer, Cow::Owned(stroll(*from, *pages)))),
            _ => None,
        }
    }
}

/// The edits of [`Action::Browse`].
fn stroll(from: usize, pages: usize) -> Vec<Edit> {
    let web = Web::get();
    let mut edits = Vec::with_capacity(3 * pages);
    for (place, (page, came_from)) in web.stroll(from, pages).into_iter().enumerate() {
        let node = format!("p{page}");
        let (row, column) = ((place / 32) as f32, (place % 32) as f32);
        let at =
            Position::new(column * 160.0, row * 120.0).expect("small whole numbers are finite");
        let there = &web.pages()[page];
        edits.push(Edit::AddNode { node: node.clone(), url: there.url.clone(), at });
        edits.push(Edit::SetTitle { node: node.clone(), title: there.title.clone() });
        if let Some(before) = came_from {
            edits.push(Edit::Visit {
                from: format!("p{before}"),
                to: node,
                trigger: Trigger::Link,
            });
        }
    }
    edits
}
