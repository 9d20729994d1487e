//! What a plan must satisfy before it may run.
//!
//! The runner trusts a validated plan: names resolve, times ascend, sizes are bounded and edits
//! are ones that the engine can write down.

use std::collections::BTreeSet;

use graphshell_sync::wire::PROTOCOL_VERSION;
use graphshell_sync::{EdgeKind, LogEntry, limits};

use super::{Action, Choice, Edit, Fact, Listed, Network, Part, Peer, Plan, Rot};
use crate::probe;
use crate::web::Web;

/// Most peers of one plan.
const MAX_PEERS: usize = 1_000;
const _: () = assert!(MAX_PEERS <= limits::MAX_AUTHORS, "everybody is an author");
/// Most steps of one plan.
const MAX_STEPS: usize = 100_000;
/// Most edits of one step: they are one batch.
const MAX_EDITS: usize = limits::MAX_BATCH_ENTRIES;
/// Most pages of one stroll.
const MAX_STROLL: usize = 340;
const _: () = assert!(3 * MAX_STROLL <= MAX_EDITS, "a page is three edits at most");
/// Longest name of a peer or node, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Longest virtual time, in milliseconds: 30 days.
const MAX_AT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Longest delay of a frame or append, in milliseconds.
const MAX_DELAY_MS: u64 = 60_000;
/// Farthest that a clock may be off or jump, in milliseconds: about ten years.
const MAX_CLOCK_MS: u64 = 3653 * 24 * 60 * 60 * 1000;

/// Most millionths by which a clock may be too fast or too slow.
const MAX_DRIFT_PPM: u64 = 500_000;

/// A plan cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The text is not JSON, or not of a plan's shape.
    #[error("{file}: {source}")]
    Json {
        /// Which plan.
        file: String,
        /// What and where, with what was expected.
        source: serde_json::Error,
    },
    /// The plan contradicts itself or exceeds a bound.
    #[error("{file}: {flaw}")]
    Flaw {
        /// Which plan.
        file: String,
        /// What and where, with what was expected.
        #[source]
        flaw: Flaw,
    },
}

/// One thing that is wrong in a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: found {found}, expected {expected}")]
pub struct Flaw {
    /// Where: steps count from 1.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
}

impl Flaw {
    /// The step that is flawed, from 0, if the flaw lies in one.
    pub(crate) fn step(&self) -> Option<usize> {
        nth(&self.place, "step ")
    }

    /// The expectation that is flawed, from 0, if the flaw lies in one.
    pub(crate) fn expectation(&self) -> Option<usize> {
        nth(&self.place, "expectation ")
    }
}

/// The number after `what` at the beginning of a place, from 0; places count from 1.
fn nth(place: &str, what: &str) -> Option<usize> {
    let digits = place.strip_prefix(what)?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<usize>().ok()?.checked_sub(1)
}

/// A flaw without its place; places are written only when something is wrong.
type Wrong = (&'static str, String, String);

fn check(
    holds: bool,
    field: &'static str,
    found: impl ToString,
    expected: impl ToString,
) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err((field, found.to_string(), expected.to_string())) }
}

fn at(place: impl FnOnce() -> String) -> impl FnOnce(Wrong) -> Flaw {
    move |(field, found, expected)| Flaw { place: place() + field, found, expected }
}

impl Plan {
    /// Says what is wrong with the plan first, if anything is.
    pub fn validate(&self) -> Result<(), Flaw> {
        self.check_whole().map_err(at(|| "plan".to_owned()))?;
        let mut peers = BTreeSet::new();
        for (place, peer) in self.peers.iter().enumerate() {
            let place = || format!("peer {}", place + 1);
            check_name(".name", &peer.name).map_err(at(place))?;
            check(peers.insert(peer.name.as_str()), ".name", quoted(&peer.name), "a unique name")
                .map_err(at(place))?;
            check_clock(".clock_offset_ms", peer.clock_offset_ms).map_err(at(place))?;
            check_company(peer).map_err(at(place))?;
            let drift = peer.clock_drift_ppm;
            let most = || format!("at most {MAX_DRIFT_PPM} either way");
            check(drift.unsigned_abs() <= MAX_DRIFT_PPM, ".clock_drift_ppm", drift, most())
                .map_err(at(place))?;
            for (nth, edit) in peer.legacy.iter().enumerate() {
                let place = || format!("{} ({}), legacy edit {}", place(), peer.name, nth + 1);
                check_edit(edit).and_then(|()| check_legacy(edit)).map_err(at(place))?;
            }
        }
        check(
            self.peers.iter().any(|peer| !peer.is_hostile()),
            ".peers",
            "hostile ones alone",
            "a peer without lies",
        )
        .map_err(at(|| "plan".to_owned()))?;
        let hostile = self.peers.iter().filter(|peer| peer.is_hostile());
        let mut before = Before {
            hostile: hostile.map(|peer| peer.name.as_str()).collect(),
            peers,
            crashed: BTreeSet::new(),
            backed_up: BTreeSet::new(),
            disks: self.disk.is_some(),
        };
        let mut last = 0;
        for (place, step) in self.steps.iter().enumerate() {
            let place = || format!("step {} (at {} ms)", place + 1, step.at_ms);
            let most = || format!("a time from {last} (the step before) to {MAX_AT_MS}");
            check((last..=MAX_AT_MS).contains(&step.at_ms), ".at_ms", step.at_ms, most())
                .map_err(at(place))?;
            last = step.at_ms;
            before.check_step(&step.action).map_err(at(place))?;
            for (nth, edit) in written(&step.action).iter().enumerate() {
                check_edit(edit).map_err(at(|| format!("{}, edit {}", place(), nth + 1)))?;
            }
        }
        self.check_facts(&before.peers)
    }

    fn check_whole(&self) -> Result<(), Wrong> {
        let why = self.why.trim();
        check(!why.is_empty() && why.len() <= 1000, ".why", quoted(why), "why the plan exists")?;
        let count = self.peers.len();
        check((1..=MAX_PEERS).contains(&count), ".peers", count, format!("1 to {MAX_PEERS}"))?;
        let count = self.steps.len();
        check(count <= MAX_STEPS, ".steps", count, format!("at most {MAX_STEPS}"))?;
        check_range(".append_ms", self.append_ms)?;
        for (field, rate) in self.disk.iter().flat_map(|disk| disk.rates()) {
            check_rate(field, rate)?;
        }
        check_network(&self.network)
    }

    /// A fact about a node that nothing in the plan names would hold or fail for a typing error.
    fn check_facts(&self, peers: &BTreeSet<&str>) -> Result<(), Flaw> {
        let strolls = self.steps.iter().filter_map(|step| step.action.edits());
        let legacy = self.peers.iter().flat_map(|peer| &peer.legacy).flat_map(Edit::nodes);
        let mut nodes: BTreeSet<String> = legacy.map(str::to_owned).collect();
        for (_, edits) in strolls {
            nodes.extend(edits.iter().flat_map(Edit::nodes).map(str::to_owned));
        }
        let known = |fact: &Fact| {
            let unknown = fact_nodes(fact).into_iter().find(|&name| !nodes.contains(name));
            unknown.map_or(Ok(()), |name| {
                check(false, "", quoted(name), "a node that an edit of the plan names")
            })?;
            match fact {
                Fact::ForkReported { author_of } => check_peer(peers, ".author_of", author_of),
                Fact::Counted { what, least, most } => {
                    check(probe::is_declared(what), ".what", quoted(what), "what a run may count")?;
                    let given = least.or(*most).is_some();
                    check(given, "", "no bound".to_owned(), "`least`, `most` or both")?;
                    let (least, most) = (least.unwrap_or(0), most.unwrap_or(u64::MAX));
                    check(least <= most, ".most", most, format!("{least} or more"))
                }
                _ => Ok(()),
            }
        };
        for (place, step) in self.steps.iter().enumerate() {
            let Action::Expect { that, .. } = &step.action else { continue };
            for (nth, fact) in that.iter().enumerate() {
                let place =
                    || format!("step {} (at {} ms), fact {}", place + 1, step.at_ms, nth + 1);
                known(fact).map_err(at(place))?;
            }
        }
        for (place, expectation) in self.expect.iter().enumerate() {
            let place = || format!("expectation {}", place + 1);
            for name in &expectation.at {
                check_peer(peers, ".at", name).map_err(at(place))?;
                let lies = self.peers.iter().any(|peer| peer.is_hostile() && peer.name == *name);
                check(!lies, ".at", quoted(name), "a peer without lies").map_err(at(place))?;
            }
            for (nth, fact) in expectation.that.iter().enumerate() {
                known(fact).map_err(at(|| format!("{}, fact {}", place(), nth + 1)))?;
            }
        }
        Ok(())
    }
}

/// What the steps so far have done, as far as later steps rely on it.
struct Before<'a> {
    peers: BTreeSet<&'a str>,
    /// Those that have no engine.
    hostile: BTreeSet<&'a str>,
    crashed: BTreeSet<&'a str>,
    backed_up: BTreeSet<&'a str>,
    /// Whether the plan has disks that can go wrong.
    disks: bool,
}

impl<'a> Before<'a> {
    fn check_step(&mut self, action: &'a Action) -> Result<(), Wrong> {
        let peer = |field, name: &String| {
            check_peer(&self.peers, field, name)?;
            let engine = field != ".peer" || !self.hostile.contains(name.as_str());
            check(engine, field, quoted(name), "a peer without lies")
        };
        match action {
            Action::Sync { peer: who, with } if self.hostile.contains(who.as_str()) => {
                peer(".with", with)?;
                let honest = !self.hostile.contains(with.as_str());
                check(honest, ".with", quoted(with), "a peer without lies")
            }
            Action::Edit { peer: who, edits } => {
                peer(".peer", who)?;
                let most = format!("1 to {MAX_EDITS}");
                check((1..=MAX_EDITS).contains(&edits.len()), ".edits", edits.len(), most)
            }
            Action::Browse { peer: who, from, pages } => {
                peer(".peer", who)?;
                let all = Web::get().pages().len();
                check(*from < all, ".from", from, format!("a page's number, below {all}"))?;
                check(
                    (1..=MAX_STROLL).contains(pages),
                    ".pages",
                    pages,
                    format!("1 to {MAX_STROLL}"),
                )
            }
            Action::Sync { peer: who, with }
            | Action::Share { peer: who, with, .. }
            | Action::Withdraw { peer: who, with } => {
                peer(".peer", who)?;
                peer(".with", with)?;
                check(who != with, ".with", quoted(with), "another peer")
            }
            Action::Resolve { peer: who, about, to, choice } => {
                peer(".peer", who)?;
                check_name(".about", about)?;
                to.as_ref().map_or(Ok(()), |to| check_name(".to", to))?;
                match choice {
                    Choice::Restore { writes_of: Some(whose) } => peer(".choice.writes_of", whose),
                    _ => Ok(()),
                }
            }
            Action::Partition { from, to, .. }
            | Action::Flap { from, to, .. }
            | Action::SlowLink { from, to, .. }
            | Action::Reset { from, to }
            | Action::Mend { from, to } => {
                peer(".from", from)?;
                peer(".to", to)?;
                check(from != to, ".to", quoted(to), "another peer")?;
                check_link(action)
            }
            Action::TimePasses { by_ms } => {
                let most = || format!("a time from 1 to {MAX_CLOCK_MS}");
                check((1..=MAX_CLOCK_MS).contains(by_ms), ".by_ms", by_ms, most())
            }
            Action::Weather { network } => check_network(network),
            Action::Crash { peer: who, .. } => {
                peer(".peer", who)?;
                check(self.crashed.insert(who), ".peer", quoted(who), "a peer that has not crashed")
            }
            Action::PowerCut { peer: who, .. } => {
                peer(".peer", who)?;
                self.check_disks()?;
                check(self.crashed.insert(who), ".peer", quoted(who), "a peer that has not crashed")
            }
            Action::FillDisk { peer: who, .. } | Action::ClearDisk { peer: who } => {
                peer(".peer", who)?;
                self.check_disks()
            }
            Action::Rot { peer: who, part, how } => {
                peer(".peer", who)?;
                self.check_disks()?;
                let down = self.crashed.contains(who.as_str());
                check(down, ".peer", quoted(who), "a crashed peer")?;
                let fits = *part == Part::Log || !matches!(how, Rot::Swap | Rot::Cut);
                check(fits, ".how", format!("{how:?}"), "one that the part can suffer")
            }
            Action::Restart { peer: who } => {
                peer(".peer", who)?;
                check(self.crashed.remove(who.as_str()), ".peer", quoted(who), "a crashed peer")
            }
            Action::Backup { peer: who } => {
                peer(".peer", who)?;
                self.backed_up.insert(who);
                Ok(())
            }
            Action::Restore { peer: who, .. } => {
                peer(".peer", who)?;
                self.crashed.remove(who.as_str());
                let saved = self.backed_up.contains(who.as_str());
                check(saved, ".peer", quoted(who), "a peer that an earlier step backed up")
            }
            Action::LoseTail { peer: who, records } => {
                peer(".peer", who)?;
                check(*records > 0, ".records", records, "at least one record")
            }
            Action::ClockJump { peer: who, by_ms } => {
                peer(".peer", who)?;
                check_clock(".by_ms", *by_ms)
            }
            Action::Checkpoint { peer: who }
            | Action::Compact { peer: who }
            | Action::Expect { peer: who, .. } => peer(".peer", who),
        }
    }
}

impl Before<'_> {
    fn check_disks(&self) -> Result<(), Wrong> {
        check(self.disks, ".do", "a fault of disks", "a plan with `disk`")
    }
}

fn written(action: &Action) -> &[Edit] {
    if let Action::Edit { edits, .. } = action { edits } else { &[] }
}

fn check_peer(peers: &BTreeSet<&str>, field: &'static str, name: &str) -> Result<(), Wrong> {
    let listed = || peers.iter().copied().collect::<Vec<_>>().join(", ");
    if peers.contains(name) {
        Ok(())
    } else {
        check(false, field, quoted(name), format!("one of {}", listed()))
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), Wrong> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
    if fits {
        Ok(())
    } else {
        check(false, field, quoted(name), format!("a name of 1 to {MAX_NAME_BYTES} bytes"))
    }
}

fn check_clock(field: &'static str, by_ms: i64) -> Result<(), Wrong> {
    check(
        by_ms.unsigned_abs() <= MAX_CLOCK_MS,
        field,
        by_ms,
        format!("at most {MAX_CLOCK_MS} either way"),
    )
}

/// Who lies has neither a clock nor a profile nor an engine of some version.
fn check_company(peer: &Peer) -> Result<(), Wrong> {
    let mut lies = peer.lies.clone();
    lies.sort_unstable();
    lies.dedup();
    let found = format!("{:?}", peer.lies);
    check(lies.len() == peer.lies.len(), ".lies", found, "each lie once")?;
    let version = peer.protocol.map_or_else(String::new, |version| version.to_string());
    let other = peer.protocol != Some(PROTOCOL_VERSION);
    check(other, ".protocol", version, "another version than this engine's, or none")?;
    let Peer { clock_offset_ms, clock_drift_ppm, legacy, late, protocol, broken, .. } = peer;
    let clock = (*clock_offset_ms, *clock_drift_ppm);
    let plain = (clock, *late, *protocol, *broken) == ((0, 0), false, None, None);
    let plain = plain && legacy.is_empty();
    check(!peer.is_hostile() || plain, ".lies", "lies and settings of an engine", "one of both")
}

fn check_range(field: &'static str, (least, most): (u64, u64)) -> Result<(), Wrong> {
    let expected = || format!("two times from 0 to {MAX_DELAY_MS}, the lesser first");
    check(least <= most && most <= MAX_DELAY_MS, field, format!("[{least}, {most}]"), expected())
}

fn check_network(network: &Network) -> Result<(), Wrong> {
    check_range(".network.delay_ms", network.delay_ms)?;
    check_rate(".network.loss", network.loss)?;
    check_rate(".network.duplication", network.duplication)?;
    check_rate(".network.corruption", network.corruption)?;
    check_rate(".network.truncation", network.truncation)?;
    check_rate(".network.unchecked", network.unchecked)
}

/// What a step says about a link, beside whose it is.
fn check_link(action: &Action) -> Result<(), Wrong> {
    match action {
        Action::Flap { period_ms, .. } => {
            let expected = || format!("a time from 1 to {MAX_DELAY_MS}");
            check((1..=MAX_DELAY_MS).contains(period_ms), ".period_ms", period_ms, expected())
        }
        Action::SlowLink { delay_ms, bytes_per_s, .. } => {
            let expected = || format!("a time of at most {MAX_DELAY_MS}");
            check(*delay_ms <= MAX_DELAY_MS, ".delay_ms", delay_ms, expected())?;
            check(*bytes_per_s != Some(0), ".bytes_per_s", 0, "at least one byte")?;
            let slow = *delay_ms > 0 || bytes_per_s.is_some();
            check(slow, ".delay_ms", delay_ms, "a delay, or `bytes_per_s`")
        }
        _ => Ok(()),
    }
}

fn check_rate(field: &'static str, rate: u16) -> Result<(), Wrong> {
    check(rate <= 1000, field, rate, "thousandths, at most 1000")
}

fn check_edit(edit: &Edit) -> Result<(), Wrong> {
    for name in edit.nodes() {
        check_name("", name)?;
    }
    let entry = edit.to_entry(0);
    let mut payload = Vec::new();
    if let Err(error) = entry.encode_payload(&mut payload) {
        return Err(("", error.to_string(), "what the engine can write down".to_owned()));
    }
    if let Edit::Unknown { kind, .. } = edit {
        let opaque = matches!(LogEntry::decode(*kind, &payload), LogEntry::Opaque { .. });
        check(opaque, ".kind", kind, "a kind that this version of the engine does not know")?;
    }
    Ok(())
}

/// Logs from before sync know no visits, assertions or moves, and name the edge that they remove.
fn check_legacy(edit: &Edit) -> Result<(), Wrong> {
    let legacy = match edit {
        Edit::AddNode { .. }
        | Edit::SetTitle { .. }
        | Edit::SetUrl { .. }
        | Edit::Pin { .. }
        | Edit::RemoveNode { .. }
        | Edit::AddEdge { .. }
        | Edit::Clear => true,
        Edit::RemoveEdge { kind, .. } => matches!(kind, Some(EdgeKind::Typed(_))),
        _ => false,
    };
    check(legacy, ".op", format!("{edit:?}"), "an operation of the legacy log")
}

fn fact_nodes(fact: &Fact) -> Vec<&str> {
    match fact {
        Fact::Node { node, .. } | Fact::TitleIsOneOf { node, .. } | Fact::NoNode { node } => {
            vec![node]
        }
        Fact::Edge { from, to, .. }
        | Fact::NoEdge { from, to }
        | Fact::VisualEdge { between: (from, to), .. } => vec![from, to],
        Fact::Conflicts { listed } => listed.iter().flat_map(listed_nodes).collect(),
        Fact::NodeCount { .. }
        | Fact::UnknownEntries { .. }
        | Fact::Incarnations { .. }
        | Fact::ForkReported { .. }
        | Fact::NoFork
        | Fact::LastSync { .. }
        | Fact::Counted { .. } => Vec::new(),
    }
}

fn listed_nodes(conflict: &Listed) -> Vec<&str> {
    match conflict {
        Listed::DeleteVsUpdate(node) | Listed::ConcurrentStructuralChange(node) => vec![node],
        Listed::ConcurrentEdgeTypes(from, to) => vec![from, to],
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}
