//! Runs a plan: the real engine on simulated devices, disks, clocks and links.
//!
//! Chaos (the plan's steps), then heal (everybody up, calm weather, rounds until nothing moves),
//! and only then judgement; properties that hold at any time are watched throughout.

mod agenda;
mod apart;
mod archive;
mod authoring;
mod backup;
pub(crate) mod bulletin;
mod choice;
mod company;
mod consent;
mod dialect;
mod director;
mod disk;
mod drive;
mod durable;
mod effects;
mod executor;
mod facts;
pub(crate) mod frame;
mod fuse;
mod heard;
mod host;
mod hostile;
pub(crate) mod image;
mod legacy;
mod link;
mod lives;
mod net;
mod notable;
pub(crate) mod panics;
mod ports;
mod post;
mod recorders;
mod round;
mod sealed;
mod shared;
pub(crate) mod store;
mod telling;
mod timeline;
mod told;
mod transplant;
mod user;
mod view;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use graphshell_sync::PeerId;

use crate::ledger::Ledger;
use crate::plan::{Action, Plan};
use crate::trace;
use director::Director;
pub use recorders::LifeRecording;
use shared::World;

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether the readable story is kept. Changes nothing else.
    pub keep_events: bool,
    /// Whether what an explanation draws is kept beside the story. Changes nothing else.
    pub keep_marks: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The plan's seed.
    pub seed: u64,
    /// Whether everything held.
    pub verdict: Verdict,
    /// A hash over every event, 64 hexadecimal digits: equal for equal plans, on any machine.
    pub trace_hash: String,
    /// How long the run took in virtual milliseconds, from the plan's start.
    pub virtual_ms: u64,
    /// Entries that users authored.
    pub operations: u64,
    /// Frames that arrived.
    pub messages: u64,
    /// How often what happened: faults with an effect, rare events.
    pub counts: BTreeMap<&'static str, u64>,
    /// What each fault of the plan did.
    pub ledger: Ledger,
    /// What happened, if it was to be kept.
    pub story: Vec<trace::Line>,
    /// What is drawn of it, if it was to be kept.
    pub marks: Vec<trace::Marked>,
    /// The names of the entries' authors.
    pub authors: BTreeMap<PeerId, String>,
}

/// Whether a run held.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Every property held.
    Held,
    /// One did not.
    Failed(Failure),
    /// The run proved nothing; says why.
    Invalid(String),
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub property: &'static str,
    /// The peers concerned, by name.
    pub peers: Vec<String>,
    /// The entries concerned, as `peer#sequence`.
    pub operations: Vec<String>,
    /// When it was seen, in virtual milliseconds from the plan's start.
    pub virtual_ms: u64,
    /// What was expected and what was found.
    pub detail: String,
}

/// Runs a plan. Never panics: a panic within the run is a failure of the property `no panic`.
pub fn run(plan: &Plan, options: &Options) -> Run {
    if let Err(flaw) = plan.validate() {
        return Run {
            seed: plan.seed,
            verdict: Verdict::Invalid(flaw.to_string()),
            trace_hash: trace::Trace::new(false, false).hash(),
            virtual_ms: 0,
            operations: 0,
            messages: 0,
            counts: BTreeMap::new(),
            ledger: Ledger::default(),
            story: Vec::new(),
            marks: Vec::new(),
            authors: BTreeMap::new(),
        };
    }
    watched(&Rc::new(World::new(plan, options)))
}

/// Runs a plan that [validates](Plan::validate) while every engine in it is recorded, each in at
/// most about `most` bytes. The run is the same as without.
pub fn record(plan: &Plan, options: &Options, most: usize) -> (Run, Vec<LifeRecording>) {
    let world = Rc::new(World::new(plan, options));
    world.recorders.record(most);
    let run = watched(&world);
    (run, world.recorders.finish(&world))
}

fn watched(world: &Rc<World>) -> Run {
    let played = panics::watch(|| play(world));
    played.unwrap_or_else(|panic| {
        let mut run = result(world);
        run.verdict = Verdict::Failed(Failure {
            property: "no panic",
            peers: Vec::new(),
            operations: Vec::new(),
            virtual_ms: run.virtual_ms,
            detail: panic,
        });
        run
    })
}

/// Runs the world on the only host of a simulation.
fn play(world: &Rc<World>) -> Run {
    let told = Rc::new(RefCell::new(None));
    let mut simulation = executor::simulation(world.plan.seed);
    let (world, tell) = (world.clone(), told.clone());
    simulation.client("world", async move {
        let mut peers: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
        for me in 0..world.peers.len() {
            peers.push(Box::pin(lives::live(&world, me)));
        }
        executor::run(&world, &mut peers, Director::new(world.clone()).play()).await;
        // Peers that are taken down after this add nothing to the trace.
        *tell.borrow_mut() = Some(result(&world));
        Ok(())
    });
    // Only a panic ends it otherwise, and whoever watches knows it already.
    let _ = simulation.run();
    told.take().expect("a run that ends has a result")
}

fn result(world: &World) -> Run {
    let ledger = world.take_ledger();
    let verdict = match world.take_failure() {
        Some(failure) => Verdict::Failed(failure),
        None => {
            vacuous(world).or_else(|| ledger.complaint()).map_or(Verdict::Held, Verdict::Invalid)
        }
    };
    world.announce(&match &verdict {
        Verdict::Held => "every property held".to_owned(),
        Verdict::Failed(failure) => format!("failed: {}", failure.property),
        Verdict::Invalid(reason) => format!("invalid: {reason}"),
    });
    let counts = world.counts();
    let count = |what| counts.get(what).copied().unwrap_or(0);
    let (trace_hash, story, marks) = world.finish_trace();
    Run {
        seed: world.plan.seed,
        verdict,
        trace_hash,
        virtual_ms: world.plan_ms(),
        operations: count("entries authored"),
        messages: count("frames arrived"),
        counts,
        ledger,
        story,
        marks,
        authors: world.author_names(),
    }
}

/// Why a run that held proved nothing.
fn vacuous(world: &World) -> Option<String> {
    let count = |what| world.counts().get(what).copied().unwrap_or(0);
    let steps = || world.plan.steps.iter().map(|step| &step.action);
    let edits = steps().any(|action| action.edits().is_some())
        || world.plan.peers.iter().any(|peer| !peer.legacy.is_empty());
    if edits && count("entries authored") == 0 {
        return Some("no operation was authored although the plan has edits".to_owned());
    }
    let core = world.core();
    let pair = |&me: &usize| core.iter().any(|&one| one != me && world.plan.are_company(one, me));
    let heals = world.plan.heal && core.iter().any(pair);
    let syncs = steps().any(|action| matches!(action, Action::Sync { .. })) || heals;
    if syncs && count("frames arrived") == 0 {
        return Some("no frame arrived although the plan syncs".to_owned());
    }
    if edits && heals && count("entries arrived") == 0 {
        return Some("no operation was exchanged although the plan heals".to_owned());
    }
    None
}

#[cfg(test)]
mod tests;
