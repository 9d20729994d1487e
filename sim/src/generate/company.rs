//! In what company a seed's users are: somebody lies, somebody is not let in or not any more, somebody
//! speaks another version, and not everybody heals.
//!
//! The dice are their own, so that the rest of a seed is what it would be without.

use graphshell_sync::wire::PROTOCOL_VERSION;

use super::dice::Dice;
use super::{LEGACY_DEVICES, Shape};
use crate::plan::{Action, Broken, FaultKind, Lie, Peer, Step};

/// Honest peers that always stay whole: without two of them nothing would have to converge.
const WHOLE: usize = 2;
/// Of a hundred seeds, of any profile, how many have users who withdraw their consent.
const WITHDRAWALS: u64 = 12;

/// Makes peers what they are besides users; returns what is in, for the plan's reason.
pub(super) fn gather(
    mut dice: Dice,
    shape: &Shape,
    peers: &mut [Peer],
    steps: &mut Vec<Step>,
) -> Vec<&'static str> {
    let mut names = Vec::new();
    let span_ms = shape.span_ms;
    let odd = |kind| shape.profile.with_somebody(kind);
    // The first stay whole, the late one has enough to do.
    let free = |peer: &Peer| !peer.late && !peer.stranger && peer.protocol.is_none();
    let mut left: Vec<usize> =
        (LEGACY_DEVICES.max(WHOLE)..peers.len()).filter(|&place| free(&peers[place])).collect();
    let mut one = |dice: &mut Dice, percent: u64| {
        let is_in = dice.chance(percent) && !left.is_empty();
        is_in.then(|| left.remove(dice.index(left.len())))
    };
    if let Some(liar) = one(&mut dice, odd(FaultKind::Lies)) {
        let name = peers[liar].name.clone();
        // Its user's edits are another's then.
        for step in steps.iter_mut() {
            if let Action::Edit { peer, .. } = &mut step.action
                && *peer == name
            {
                peer.clone_from(&peers[0].name);
            }
        }
        peers[liar] = Peer { lies: lies(&mut dice), ..Peer::new(&name) };
        steps.retain(|step| {
            let attack = matches!(&step.action, Action::Sync { peer, .. } if *peer == name);
            attack || !concerns(&step.action, &name)
        });
    }
    if let Some(stranger) = one(&mut dice, odd(FaultKind::Stranger)) {
        peers[stranger].stranger = true;
    }
    if let Some(other) = one(&mut dice, odd(FaultKind::OtherVersion)) {
        let version = dice.pick(&[PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1, u8::MAX]);
        peers[other].protocol = Some(version);
        if let Some(second) = one(&mut dice, 40) {
            peers[second].protocol = Some(version);
        }
    }
    if peers.len() > WHOLE && dice.chance(WITHDRAWALS) {
        names.push("consents withdrawn");
        for _ in 0..dice.between(1, 3) {
            withdraw(&mut dice, peers, steps, span_ms);
        }
    }
    if dice.chance(shape.profile.with_broken()) {
        let mut any = false;
        while let Some(peer) = one(&mut dice, 60) {
            any = true;
            peers[peer].broken = Some(dice.pick(&[Broken::Down, Broken::CutOff]));
        }
        if any {
            names.push("peers that do not heal");
        }
    }
    names
}

/// Whether something happens to a peer that needs an engine or a device.
fn concerns(action: &Action, name: &str) -> bool {
    match action {
        Action::FillDisk { peer, .. }
        | Action::ClearDisk { peer }
        | Action::ClockJump { peer, .. } => peer == name,
        action => action.actor() == Some(name),
    }
}

/// Some lies: few, so that one does not drown the others, or all.
fn lies(dice: &mut Dice) -> Vec<Lie> {
    if dice.chance(15) {
        return Lie::ALL.to_vec();
    }
    let mut lies: Vec<Lie> = (0..dice.between(1, 4)).map(|_| dice.pick(&Lie::ALL)).collect();
    lies.sort_unstable();
    lies.dedup();
    lies
}

/// Somebody shares with somebody no more, or only so that it can read, and mostly again later.
fn withdraw(dice: &mut Dice, peers: &[Peer], steps: &mut Vec<Step>, span_ms: u64) {
    let one = dice.index(peers.len());
    let other = (one + 1 + dice.index(peers.len() - 1)) % peers.len();
    let honest = |place: usize| !peers[place].is_hostile() && !peers[place].late;
    if !honest(one) || !honest(other) {
        return;
    }
    let names = || (peers[one].name.clone(), peers[other].name.clone());
    let at_ms = dice.below(span_ms.max(1));
    let (peer, with) = names();
    let read_only = dice.chance(35);
    let action = match read_only {
        true => Action::Share { peer, with, read_only },
        false => Action::Withdraw { peer, with },
    };
    steps.push(Step { at_ms, action });
    if dice.chance(60) {
        // Answers are being prepared for the other one just then.
        let at_ms = at_ms.saturating_sub(dice.between(5, 100));
        let (with, peer) = names();
        steps.push(Step { at_ms, action: Action::Sync { peer, with } });
    }
    if dice.chance(30) {
        // Its user had just said otherwise, and that is hardly on the disk.
        let at_ms = at_ms.saturating_sub(dice.below(4));
        let (peer, with) = names();
        steps.push(Step { at_ms, action: Action::Share { peer, with, read_only: false } });
    }
    if dice.chance(70) {
        let at_ms = at_ms + dice.between(100, 3000);
        let (peer, with) = names();
        steps.push(Step { at_ms, action: Action::Share { peer, with, read_only: false } });
    }
}
