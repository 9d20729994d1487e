//! One life of one peer: the engine, its network and its user as a single future.
//!
//! Nothing is spawned, since an executor may swallow the panic of a task. After every poll the
//! oracles see what a reader would see.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;

use graphshell_sync::ports::StoreError;
use graphshell_sync::{
    Config, Counters, Dot, Event, OpenError, Outcome, PeerId, Subscription, Workspace,
};

use super::hostile;
use super::lives;
use super::net::SimNetwork;
use super::ports::{SimClock, SimEntropy, SimPorts};
use super::shared::World;
use super::store::{SimStore, SimWitness};
use super::user;
use crate::oracle::{Finding, durability, forks};
use crate::plan::workspace_id;
use crate::trace::Mark;

/// Runs peer `me` until dropped, which is when its fuse blows at the latest.
pub(crate) async fn live(world: &Rc<World>, me: usize) {
    let peer = world.peer(me);
    if world.plan.peers[me].is_hostile() {
        return hostile::live(world, me).await;
    }
    match peer.boots.get() {
        1 => world.note(me, "starts", &[]),
        life => world.tell(me, format_args!("starts again (life {life})"), &[]),
    }
    world.mark(me, || Mark::Started);
    peer.unwitnessed.set(false);
    peer.store_failed.set(false);
    let ports = SimPorts {
        clock: SimClock::new(world.clone(), me),
        entropy: SimEntropy::new(world, me),
        store: SimStore::new(world.clone(), me),
        witness: SimWitness::new(world.clone(), me),
        network: SimNetwork::listen(world.clone(), me),
    };
    let config = Config {
        workspace: workspace_id(),
        device: peer.device,
        snapshot_every: world.plan.snapshot_every,
        compact_every: world.plan.compact_every,
    };
    let opening = async {
        match world.recorders.begin(me, peer.boots.get()) {
            Some(recorder) => Workspace::open_recorded(config, ports, &recorder).await,
            None => Workspace::open(config, ports).await,
        }
    };
    let opened = tokio::select! {
        biased;
        never = lives::dies_opening(world, me) => match never {},
        opened = opening => opened,
    };
    let (workspace, driver) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            gives_up(world, me, "the workspace does not open", &error);
            return pending().await;
        }
    };
    let name = workspace.peer_id();
    if peer.forgets.take() && world.author(name).is_some() {
        peer.forgot_as.borrow_mut().insert(name);
    }
    world.authors_as(me, name);
    let listed = workspace.forks();
    world.judge(forks::judge_listed(me, &peer.image.borrow().contents.forks, &listed));
    for (author, common) in listed {
        // The device may have died before its user saw the event.
        if peer.forks.borrow().get(&author).is_none_or(|&known| common < known) {
            reports_fork(world, me, Dot { peer: author, sequence: common }, "proven before");
        }
    }
    let opened = workspace.version_vector();
    world.judge(durability::judge_opened(me, &peer.image.borrow().contents.held, &opened));
    *peer.seen.borrow_mut() = opened;
    world.mark_view(me, || workspace.graph());
    // What a crash or an older disk lost may come back from others, or its names be given anew.
    let lost = |dot| peer.image.borrow().contents.held.get(dot).is_none();
    peer.authored.borrow_mut().retain(|&dot, _| !lost(dot));

    let mut counted = Counters::default();
    let events = workspace.subscribe();
    let mut revision = None;
    let mut parts = pin!(async {
        let fuse = &peer.fuse;
        tokio::select! {
            biased;
            ended = fuse.guard(driver.run()) => {
                match ended {
                    Ok(()) => stopped(world, me, "the driver ended".to_owned()),
                    Err(error) => gives_up(world, me, "the driver ended", &error),
                }
                pending().await
            }
            () = fuse.guard(listen(world, me, events)) => {
                stopped(world, me, "the events ended".to_owned());
            }
            () = fuse.guard(user::act(world, me, &workspace)) => {}
        }
    });
    poll_fn(|context| {
        let polled = parts.as_mut().poll(context);
        // What was sent at the last moment was sent under the name of that moment.
        world.authors_as(me, workspace.peer_id());
        world.judge_told(me);
        if !peer.fuse.blown() {
            let now = Some(workspace.revision());
            if std::mem::replace(&mut revision, now) != now {
                look(world, me, &workspace);
            }
            tally(world, &mut counted, workspace.counters());
            if peer.prompts.take() {
                world.prompts(&workspace.conflicts());
            }
        }
        polled
    })
    .await;
    pending().await
}

/// The engine cannot go on with its store.
fn gives_up(world: &World, me: usize, what: &str, error: &OpenError) {
    let Some(drive) = &world.peer(me).drive else {
        return stopped(world, me, format!("{what}: {error}"));
    };
    let damaged =
        !matches!(error, OpenError::Store(StoreError::Failed(_) | StoreError::Refused(_)));
    drive.does_not_open(world, me, damaged, &error.to_string());
}

fn stopped(world: &World, me: usize, detail: String) {
    world.judge(Err(Finding {
        property: "the engine runs until it is closed",
        peers: vec![me],
        operations: Vec::new(),
        detail,
    }));
}

/// Shows the oracles what a reader sees since something was applied.
fn look(world: &World, me: usize, workspace: &Workspace<SimPorts>) {
    let peer = world.peer(me);
    let now = workspace.version_vector();
    let mut seen = peer.seen.borrow_mut();
    if *seen != now {
        let ours = |author: PeerId| world.author(author) == Some(me);
        world.judge(peer.atomic.borrow().judge(me, ours, "the reader sees", (&seen, &now)));
        world.judge(durability::judge_shown(me, ours, &peer.image.borrow().contents.held, &now));
        *seen = now;
        drop(seen);
        world.mark_view(me, || workspace.graph());
    }
}

/// Adds what the engine counted since it was looked at last.
fn tally(world: &World, before: &mut Counters, now: Counters) {
    if *before == now {
        return;
    }
    for ((counter, now), (_, before)) in now.iter().zip(before.iter()) {
        if now > before {
            world.count_many(counter.name(), now - before);
        }
    }
    *before = now;
}

/// A user sees that the author of an entry has two histories after it.
fn reports_fork(world: &World, me: usize, after: Dot, sure: &str) {
    let name = world.name_of(after);
    world.tell(me, format_args!("reports a fork after {name}, {sure}"), &[]);
    world.count("forks reported");
    let lost = world
        .author(after.peer)
        .is_some_and(|who| world.peer(who).forgot_as.borrow().contains(&after.peer));
    let excused = lost || world.slander.borrow().excuses(after);
    world.judge(forks::judge_report(me, after, excused));
    let mut forks = world.peer(me).forks.borrow_mut();
    let least = forks.entry(after.peer).or_insert(after.sequence);
    *least = after.sequence.min(*least);
}

/// Writes the engine's events into the trace.
async fn listen(world: &World, me: usize, mut events: Subscription) {
    while let Some(event) = events.next().await {
        match event {
            Event::Changed(delta) => {
                let mut bytes = Vec::new();
                for node in &delta.nodes {
                    bytes.extend_from_slice(node.0.as_bytes());
                }
                for (from, to) in &delta.pairs {
                    bytes.extend_from_slice(from.0.as_bytes());
                    bytes.extend_from_slice(to.0.as_bytes());
                }
                for conflict in delta.opened.iter().chain(&delta.settled) {
                    bytes.extend_from_slice(conflict.0.as_bytes());
                }
                let (nodes, pairs) = (delta.nodes.len(), delta.pairs.len());
                let (opened, settled) = (delta.opened.len(), delta.settled.len());
                world.tell(
                    me,
                    format_args!(
                        "shows a change of {nodes} nodes and {pairs} pairs; {opened} conflicts \
                         open, {settled} settle"
                    ),
                    &bytes,
                );
                let peer = world.peer(me);
                let mut known = peer.settled.borrow_mut();
                let again = delta.opened.iter().filter(|&id| known.remove(id)).count();
                known.extend(&delta.settled);
                peer.prompts.set(peer.prompts.get() || nodes + pairs > 0);
                world.count_many("conflicts opened again", again as u64);
                world.count_many("conflicts opened", opened as u64);
                world.count_many("conflicts settled", settled as u64);
            }
            Event::Reset => {
                world.peer(me).prompts.set(true);
                world.note(me, "shows everything anew", &[]);
                world.count("resets");
            }
            Event::Settled { receipt, outcome } => {
                let fate = match outcome {
                    Outcome::Durable(_) => "is durable",
                    Outcome::Refused(_) => "is taken back",
                };
                let edit = world.edit_name(receipt);
                world.tell(me, format_args!("tells that {edit} {fate}"), &[]);
            }
            Event::Fork { author, common, proven } => {
                let sure = if proven { "proven" } else { "suspected" };
                reports_fork(world, me, Dot { peer: author, sequence: common }, sure);
            }
            Event::Rotated { old, new } => {
                world.learn_author(me, new);
                world.tell(
                    me,
                    format_args!("authors as {} from now on", world.readable(&new)),
                    &[],
                );
                world.count("incarnations begun anew");
                let peer = world.peer(me);
                let excused = peer.excused.get() || peer.was_set_back() || peer.unwitnessed.get();
                let excused = excused || world.slander.borrow().about(old);
                world.judge(forks::judge_rotation(me, excused));
            }
            Event::Lost { records } => {
                world.tell(me, format_args!("reports that {records} records are lost"), &[]);
                world.count("losses told");
                let lost = world.peer(me).untold.take();
                world.judge(durability::judge_loss(me, lost, records));
            }
            Event::SetAside(file) => {
                world.tell(me, format_args!("could not use {}: {}", file.name, file.why), &[]);
                world.count("files set aside");
            }
            Event::Hindered { chore, why } => {
                world.tell(me, format_args!("has to leave its {chore:?} undone: {why}"), &[]);
                world.count("chores left undone");
            }
            Event::Lagged(missed) => {
                let detail = format!("{missed} events are missed by who listens after every step");
                let property = "no event is missed";
                world.judge(Err(Finding { property, peers: vec![me], operations: vec![], detail }));
            }
        }
    }
}
