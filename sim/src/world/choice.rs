//! Choices that the plan leaves open, each derived from what it is about.
//!
//! There is no stream of random numbers: the fate of a frame is a hash of (seed, link, number on
//! that link), so a step that is taken out of a plan does not reshuffle the rest.

/// What a choice is about; keeps choices about the same subject apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topic {
    /// What becomes of a frame: link, number.
    Frame = 1,
    /// How long an append takes and what a crash does to it: peer, number.
    Append = 2,
    /// The same for the memory outside the store.
    Promise = 3,
    /// What the entropy port gives: peer, boot.
    Entropy = 4,
    /// With whom a peer syncs in a round after the heal: peer, round.
    Partner = 5,
    /// When a peer is looked at in the middle of the run.
    Glance = 6,
    /// How much a pull may get at once: asking and asked peer, number of the call.
    Budget = 7,
    /// What goes wrong in a disk call: peer, number, part of the call.
    Disk = 8,
    /// What a power cut leaves: peer, number of the cut, number of the page.
    PowerCut = 9,
    /// Where bytes rot: peer, step.
    Rot = 10,
    /// What the store's own randomness is: peer, boot.
    Sealing = 11,
    /// Whose disk is copied and tampered with at the end.
    Transplant = 12,
    /// Whether a frame is damaged on its way: link, number.
    Damage = 13,
    /// Which bits of it flip: link, number.
    Flip = 14,
    /// Which lie a hostile peer tells: liar, victim, number.
    Lie = 20,
}

/// All choices of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices {
    seed: u64,
}

impl Choices {
    pub(crate) fn new(seed: u64) -> Self {
        Choices { seed }
    }

    /// The choice about `subject`.
    pub(crate) fn about<const N: usize>(self, topic: Topic, subject: [u64; N]) -> Choice {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&(topic as u64).to_le_bytes());
        for part in subject {
            hasher.update(&part.to_le_bytes());
        }
        Choice(*hasher.finalize().as_bytes())
    }
}

/// A number for a peer's name; choices about peers depend on it and not on their order.
pub(crate) fn key(name: &str) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(word)
}

/// Random bits, of which each question takes its own quarter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice([u8; 32]);

impl Choice {
    /// All of its bits.
    pub(crate) fn bytes(self) -> [u8; 32] {
        self.0
    }

    fn word(self, question: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.0[question * 8..][..8]);
        u64::from_le_bytes(word)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub(crate) fn below(self, question: usize, end: u64) -> u64 {
        ((u128::from(self.word(question)) * u128::from(end)) >> 64) as u64
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn within(self, question: usize, (least, most): (u64, u64)) -> u64 {
        least + self.below(question, most.saturating_sub(least).saturating_add(1))
    }

    /// True in so many of a thousand cases.
    pub(crate) fn chance(self, question: usize, per_mille: u16) -> bool {
        self.below(question, 1000) < u64::from(per_mille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choice_depends_on_seed_topic_and_subject_alone() {
        let choice = |seed, topic, subject: [u64; 2]| Choices::new(seed).about(topic, subject).0;
        let base = choice(1, Topic::Frame, [2, 3]);
        assert_eq!(base, choice(1, Topic::Frame, [2, 3]));
        assert_ne!(base, choice(2, Topic::Frame, [2, 3]));
        assert_ne!(base, choice(1, Topic::Append, [2, 3]));
        assert_ne!(base, choice(1, Topic::Frame, [3, 2]));
    }

    #[test]
    fn chance_meets_its_rate_and_ranges_hold() {
        let choices = Choices::new(7);
        let hits = (0..10_000).filter(|&n| choices.about(Topic::Frame, [n]).chance(0, 200)).count();
        assert!((1800..2200).contains(&hits), "{hits} of 10000 at 200 per mille");
        for n in 0..1000 {
            let choice = choices.about(Topic::Append, [n]);
            assert!((3..=5).contains(&choice.within(1, (3, 5))));
            assert!(!choice.chance(2, 0) && choice.chance(3, 1000));
        }
        assert_eq!(choices.about(Topic::Append, [0]).within(0, (9, 9)), 9);
    }
}
