//! From a seed to a plan: browsing sessions over a real web, syncs, and faults.
//!
//! The plan is a function of the seed and the shape alone. It hangs on no state of a run: the
//! generator guesses what peers know, and what turns out impossible is a no-op at run time.

mod company;
mod cuts;
mod devices;
mod dice;
mod disk;
mod faults;
mod links;
mod profile;
mod quarrel;
mod user;

use std::collections::BTreeMap;

use crate::plan::{Action, FaultKind, Peer, Plan, Step};
use cuts::Cuts;
use dice::Dice;
use disk::Disks;
use faults::Swarm;
use user::{Habits, User};

pub use profile::{Profile, ProfileError};

/// What a seed expands into, beside the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Peers, 1 to 1 000.
    pub peers: usize,
    /// Edits of all users together.
    pub edits: usize,
    /// Virtual milliseconds in which they and most faults happen.
    pub span_ms: u64,
    /// Which faults there may be.
    pub profile: Profile,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { peers: 5, edits: 300, span_ms: 10_000, profile: Profile::default() }
    }
}

/// Of how many edits one starts a quarrel.
const QUARREL_EVERY: usize = 30;
/// How many devices bring the same legacy profile: one profile on both is the case of interest.
const LEGACY_DEVICES: usize = 2;
/// Most edits in one step.
const MAX_BURST: usize = 200;

const NAMES: [&str; 12] =
    ["ada", "ben", "cleo", "dora", "emil", "finn", "gita", "hugo", "iris", "jon", "kira", "liam"];

/// The plan of this seed.
pub fn plan(seed: u64, shape: &Shape) -> Plan {
    let names: Vec<String> = (0..shape.peers.max(1))
        .map(|place| NAMES.get(place).map_or_else(|| format!("peer{place}"), |&name| name.into()))
        .collect();
    let mut dice = Dice::new(seed, "faults");
    let swarm = Swarm::roll(shape.profile, names.len(), &mut dice);
    let network = swarm.network(&mut dice);
    let append_ms = swarm.append_ms(&mut dice);
    let snapshot_every = if dice.chance(20) { 0 } else { dice.between(2, 25) };
    let clocks: Vec<(i64, i64)> = names
        .iter()
        .map(|_| (swarm.clock_offset_ms(&mut dice), swarm.clock_drift_ppm(&mut dice)))
        .collect();

    let cuts = Cuts::roll(Dice::new(seed, "cuts"), &names, shape.span_ms);

    let mut timeline = Timeline { names: names.clone(), ..Timeline::default() };
    timeline.silent.extend(cuts.late.map(|late| (late, 0, cuts.shared_ms)));
    swarm.strike_devices(shape, &mut Dice::new(seed, "devices"), &mut timeline);
    let mut dice = Dice::new(seed, "disks");
    let disks = Disks::roll(shape.profile.with_disks(), &mut dice);
    if let Some(disks) = &disks {
        disks.strike(shape, &mut dice, &mut timeline);
    }
    swarm.strike_links(shape, &mut Dice::new(seed, "links"), &mut timeline);
    let habits = Dice::new(seed, "users");
    let mut habits = Habits::new(habits, &names, swarm.clears, swarm.unknown_kinds);
    let profile = if swarm.legacy { habits.profile() } else { Vec::new() };
    let peers = names.iter().zip(clocks).enumerate().map(|(place, (name, clock))| {
        let legacy = if place < LEGACY_DEVICES { profile.clone() } else { Vec::new() };
        let (clock_offset_ms, clock_drift_ppm) = clock;
        Peer { clock_offset_ms, clock_drift_ppm, legacy, ..Peer::new(name) }
    });
    let mut peers: Vec<Peer> = peers.collect();
    timeline.live(seed, shape, &mut habits, swarm.legacy);
    if let Some(late) = cuts.late {
        peers[late].late = true;
    }
    timeline.steps.extend(cuts.steps);
    let company = Dice::new(seed, "company");
    let company = company::gather(company, shape, &mut peers, &mut timeline.steps);
    timeline.steps.sort_by_key(|step| step.at_ms);

    let circumstances: Vec<&str> = swarm.circumstances().chain(cuts.names).chain(company).collect();
    let mut plan = Plan {
        why: String::new(),
        seed,
        peers,
        network,
        append_ms,
        snapshot_every,
        disk: disks.as_ref().map(Disks::rates),
        compact_every: cuts.compact_every,
        steps: timeline.steps,
        heal: true,
        expect: Vec::new(),
    };
    let mut times: BTreeMap<FaultKind, usize> = BTreeMap::new();
    plan.faults().iter().for_each(|fault| *times.entry(fault.kind).or_default() += 1);
    let faults: Vec<String> =
        times.into_iter().map(|(kind, times)| told(kind, plan.rate(kind), times)).collect();
    plan.why = format!(
        "Seed {seed:#x}, profile {}: {} users browse; faults: {}; besides: {}.",
        shape.profile,
        names.len(),
        listed(&faults),
        listed(&circumstances)
    );
    plan
}

fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A kind of fault with its greatest rate, or with how often a plan has it.
fn told(kind: FaultKind, rate: Option<u16>, times: usize) -> String {
    let name = kind.name();
    match rate {
        Some(rate) => format!("{name} {rate} ‰"),
        None if times > 1 => format!("{times} × {name}"),
        None => name.to_owned(),
    }
}

/// What happens when, in no order yet.
#[derive(Default)]
struct Timeline {
    names: Vec<String>,
    steps: Vec<Step>,
    /// Peers that are certainly down, by place, and from when to when.
    away: Vec<(usize, u64, u64)>,
    /// Peers that perhaps neither send nor get anything, likewise.
    silent: Vec<(usize, u64, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Intent {
    Edit,
    Decide,
    Quarrel,
    Sync,
}

impl Timeline {
    fn put(&mut self, at_ms: u64, action: Action) {
        self.steps.push(Step { at_ms, action });
    }

    fn is_away(&self, who: usize, at_ms: u64) -> bool {
        is_during(&self.away, who, at_ms)
    }

    fn is_silent(&self, who: usize, at_ms: u64) -> bool {
        is_during(&self.silent, who, at_ms)
    }

    /// The peer dies at one of its next calls, or at once, and is started again.
    fn dies(&mut self, who: usize, action: Action, (at_ms, restart_ms): (u64, u64)) {
        if let Action::Crash { after_calls: 0, .. } | Action::PowerCut { after_calls: 0, .. } =
            action
        {
            self.away.push((who, at_ms, restart_ms));
        }
        self.silent.push((who, at_ms, restart_ms));
        self.put(at_ms, action);
        self.put(restart_ms, Action::Restart { peer: self.names[who].clone() });
    }

    /// The users' edits and decisions, and the rounds of sync.
    fn live(&mut self, seed: u64, shape: &Shape, habits: &mut Habits<'_>, legacy: bool) {
        let mut dice = Dice::new(seed, "times");
        let count = self.names.len();
        let span = shape.span_ms.max(1);
        let bursts = shape.edits.div_ceil(3);
        let mut intents: Vec<(u64, usize, Intent)> = Vec::new();
        for _ in 0..bursts {
            intents.push((dice.below(span), dice.index(count), Intent::Edit));
        }
        for _ in 0..bursts / 8 {
            intents.push((dice.below(span), dice.index(count), Intent::Decide));
        }
        for _ in 0..shape.edits / QUARREL_EVERY {
            intents.push((dice.below(span), dice.index(count), Intent::Quarrel));
        }
        for who in 0..count {
            let mut now = dice.between(50, 900);
            while count > 1 && now < span {
                intents.push((now, who, Intent::Sync));
                now += dice.between(300, 900);
            }
        }
        intents.retain(|&(at_ms, who, _)| !self.is_away(who, at_ms));
        intents.sort_unstable();

        let mut users = vec![User::default(); count];
        if legacy {
            users.iter_mut().take(LEGACY_DEVICES).for_each(|user| habits.brings_profile(user));
        }
        let mut edits_left = shape.edits;
        let mut bursts_left = intents.iter().filter(|intent| intent.2 == Intent::Edit).count();
        for (at_ms, who, intent) in intents {
            let peer = self.names[who].clone();
            match intent {
                Intent::Edit => {
                    let mean = edits_left.div_ceil(bursts_left);
                    bursts_left -= 1;
                    let want = match (edits_left, bursts_left) {
                        (0, _) => continue,
                        (all, 0) => all,
                        _ => dice.between(1, 2 * mean as u64 - 1) as usize,
                    };
                    let want = want.min(edits_left).min(MAX_BURST);
                    let mut edits = habits.burst(who, &mut users[who], want);
                    edits.truncate(want);
                    edits_left -= want;
                    self.put(at_ms, Action::Edit { peer, edits });
                }
                Intent::Decide => {
                    if let Some(decision) = habits.decision(who, &users[who]) {
                        self.put(at_ms, decision);
                    }
                }
                Intent::Quarrel if count > 1 => {
                    let other = (who + 1 + dice.index(count - 1)) % count;
                    let both = users.get_disjoint_mut([who, other]).expect("two peers");
                    let Some(quarrel) = habits.quarrel(both) else { continue };
                    let edits = quarrel.sides.each_ref().map(Vec::len).iter().sum::<usize>();
                    if edits > edits_left || self.is_away(other, at_ms) {
                        continue;
                    }
                    edits_left -= edits;
                    let names = [peer, self.names[other].clone()];
                    for (peer, edits) in names.clone().into_iter().zip(quarrel.sides) {
                        self.put(at_ms, Action::Edit { peer, edits });
                    }
                    let [peer, with] = names;
                    let met_ms = at_ms + dice.between(100, 1500);
                    self.put(met_ms, Action::Sync { peer: peer.clone(), with });
                    let Some((about, to, choice)) = quarrel.decision else { continue };
                    let decided_ms = met_ms + dice.between(100, 1000);
                    self.put(decided_ms, Action::Resolve { peer, about, to, choice });
                }
                Intent::Quarrel => {}
                Intent::Sync => {
                    let other = (who + 1 + dice.index(count - 1)) % count;
                    let both = users.get_disjoint_mut([who, other]);
                    let [one, two] = both.expect("a peer syncs with another one");
                    one.meets(two);
                    let with = self.names[other].clone();
                    self.put(at_ms, Action::Sync { peer, with });
                }
            }
        }
    }
}

fn is_during(times: &[(usize, u64, u64)], who: usize, at_ms: u64) -> bool {
    times.iter().any(|&(peer, from, until)| peer == who && (from..until).contains(&at_ms))
}
