//! Failures of a sweep, grouped by what they look like.
//!
//! Of each kind the first failing seed is shown in full when it fails. At the end all kinds stand
//! side by side, each with the seed that failed soonest: its story is the shortest one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use graphshell_sim::capsule::Capsule;
use graphshell_sim::fingerprint::{Fingerprint, Ingredients};
use graphshell_sim::world::Failure;
use serde::{Deserialize, Serialize};

use super::args::Seed;
use super::file::FileError;
use super::judge::Judged;
use super::record::{block, lost_block};
use super::subject::{Subject, quoted};
use super::tally::add;
use super::text::{counted, hanging};
use super::write::write;

/// Most kinds that are told apart; what looks different in every seed must not fill the memory.
const MOST: usize = 200;

/// What fails of a seed that panics beside its run, or hangs.
pub(crate) const LOST: &str = "every seed comes to an end";

/// All failures that look alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kind {
    pub(crate) id: String,
    pub(crate) fingerprint: Fingerprint,
    /// How many seeds failed like this.
    pub(crate) seeds: u64,
    /// The first of them.
    pub(crate) first: Seed,
    /// The one that failed soonest in virtual time.
    pub(crate) soonest: Example,
    /// Kinds of faults that the plans of all of them have.
    pub(crate) common_faults: BTreeSet<String>,
}

/// One failing seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    pub(crate) seed: Seed,
    /// How long its run took, in virtual milliseconds.
    virtual_ms: u64,
    /// What a person is told of it.
    pub(crate) told: String,
    /// The command that tells its story.
    pub(crate) replay: String,
    /// The file that it is saved in; in a saved report it is named as seen from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) capsule: Option<String>,
    /// The page that explains it; named like that, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) explained: Option<String>,
    /// What the file holds, until it is written.
    #[serde(skip)]
    unsaved: Option<Box<Capsule>>,
}

impl Example {
    /// When its run ended; of those that end at once the least seed is the soonest, in whatever order they
    /// are looked at.
    fn ended(&self) -> (u64, Seed) {
        (self.virtual_ms, self.seed)
    }
}

/// The kinds of failure met so far, by their fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kinds {
    kinds: Vec<Kind>,
    /// Failing seeds of kinds beyond those.
    others: u64,
}

impl Kinds {
    /// Takes note of a failing seed; says whether its kind is new.
    pub(crate) fn add(&mut self, subject: &Subject, judged: &Judged, command: &str) -> bool {
        let Some(fingerprint) = judged.fingerprint() else { return false };
        let (seed, run) = (Seed(judged.run.seed), &judged.run);
        let plan = subject.plan();
        let faults = Ingredients::of(&plan).faults;
        self.count(fingerprint, faults, (run.virtual_ms, seed), || {
            let hash = run.trace_hash.clone();
            let failure = judged.failure().filter(|_| judged.divergence.is_none());
            let capsule = Capsule::new(plan, command.to_owned(), hash, failure);
            Example {
                seed,
                virtual_ms: run.virtual_ms,
                told: plain(&block(subject, judged, usize::MAX)),
                replay: subject.replay(),
                capsule: None,
                explained: None,
                unsaved: Some(Box::new(capsule)),
            }
        })
    }

    /// Takes note of a seed that came to no end; says whether its kind is new.
    pub(crate) fn lose(&mut self, subject: &Subject, seed: Seed, failure: &Failure) -> bool {
        let ended = (failure.virtual_ms, seed);
        self.count(Fingerprint::of(failure), BTreeSet::new(), ended, || Example {
            seed,
            virtual_ms: failure.virtual_ms,
            told: plain(&lost_block(subject, failure, usize::MAX)),
            replay: subject.replay(),
            capsule: None,
            explained: None,
            unsaved: None,
        })
    }

    /// Counts a seed; says whether its kind is new. `example` tells of it if it failed soonest.
    fn count(
        &mut self,
        fingerprint: Fingerprint,
        faults: BTreeSet<String>,
        ended: (u64, Seed),
        example: impl FnOnce() -> Example,
    ) -> bool {
        let is_full = self.kinds.len() == MOST;
        match self.kinds.iter_mut().find(|kind| kind.fingerprint == fingerprint) {
            Some(kind) => {
                kind.count(&faults, 1);
                if ended < kind.soonest.ended() {
                    kind.soonest = example();
                }
                false
            }
            None if is_full => {
                self.others += 1;
                false
            }
            None => {
                let (id, first, common_faults) = (fingerprint.id(), ended.1, faults);
                let soonest = example();
                self.kinds.push(Kind { id, fingerprint, seeds: 1, first, soonest, common_faults });
                true
            }
        }
    }

    /// Adds those of another part of the sweep.
    pub(crate) fn join(&mut self, other: Kinds) {
        add(&mut self.others, other.others);
        for kind in other.kinds {
            let is_full = self.kinds.len() == MOST;
            match self.kinds.iter_mut().find(|known| known.fingerprint == kind.fingerprint) {
                Some(known) => {
                    known.count(&kind.common_faults, kind.seeds);
                    known.first = known.first.min(kind.first);
                    if kind.soonest.ended() < known.soonest.ended() {
                        known.soonest = kind.soonest;
                    }
                }
                None if is_full => add(&mut self.others, kind.seeds),
                None => self.kinds.push(kind),
            }
        }
    }

    /// How many seeds failed.
    pub(crate) fn seeds(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.seeds).fold(self.others, u64::saturating_add)
    }

    /// Saves of each kind what is not saved yet, in `folder`; ends with the first that cannot be.
    pub(crate) fn save(&mut self, folder: &Path) -> Result<(), FileError> {
        for kind in &mut self.kinds {
            let example = &mut kind.soonest;
            let Some(capsule) = example.unsaved.take() else { continue };
            let path = folder.join(format!("{}-{}.json", kind.id, example.seed));
            write(&path, capsule.to_json())?;
            example.capsule = Some(path.to_string_lossy().into_owned());
        }
        Ok(())
    }

    /// Changes the paths of saved failures and of their explanations.
    pub(crate) fn map_paths(&mut self, map: impl Fn(&Path) -> PathBuf) {
        let examples = self.kinds.iter_mut().map(|kind| &mut kind.soonest);
        for path in examples.flat_map(|example| [&mut example.capsule, &mut example.explained]) {
            *path = path.take().map(|path| map(Path::new(&path)).to_string_lossy().into_owned());
        }
    }

    /// Puts the commonest first.
    pub(crate) fn sort(&mut self) {
        self.kinds.sort_by_key(|kind| (std::cmp::Reverse(kind.seeds), kind.first));
    }

    /// The kinds, in order.
    pub(crate) fn all(&self) -> &[Kind] {
        &self.kinds
    }

    /// Explains of each kind the seed that failed soonest, in a file of `folder` that is named like its
    /// capsule, until it is to `stop`. Returns what could not be written.
    pub(crate) fn explain(
        &mut self,
        folder: &Path,
        page: impl Fn(Seed) -> String,
        stop: impl Fn() -> bool,
    ) -> Vec<FileError> {
        let mut failed = Vec::new();
        let kinds = self.kinds.iter_mut().filter(|kind| !kind.is_lost());
        for Kind { id, soonest, .. } in kinds.take_while(|_| !stop()) {
            let path = folder.join(format!("{id}-{}.html", soonest.seed));
            match write(&path, page(soonest.seed)) {
                Ok(()) => soonest.explained = Some(path.to_string_lossy().into_owned()),
                Err(error) => failed.push(error),
            }
        }
        failed
    }

    /// All kinds with what is needed to go on, wrapped to `columns`; `None` if there are none.
    pub(crate) fn told(&self, columns: usize) -> Option<String> {
        if self.kinds.is_empty() {
            return None;
        }
        let mut text = format!("{} of failure", counted(self.kinds.len(), "kind"));
        for kind in &self.kinds {
            let mut how_many = format!("{}, first {}", counted(kind.seeds, "seed"), kind.first);
            if kind.seeds > 1 {
                how_many += &format!(", soonest {}", kind.soonest.seed);
            }
            let mut lines = vec![kind.fingerprint.to_string(), how_many];
            if kind.seeds > 2 && !kind.common_faults.is_empty() {
                let faults: Vec<&str> = kind.common_faults.iter().map(String::as_str).collect();
                lines.push(format!("faults in all of them: {}", faults.join(", ")));
            }
            text += "\n";
            text += &hanging(&format!("  {}  ", kind.id), &lines.join("\n"), columns);
            // Never wrapped, to be copied whole.
            text += &format!("\n            {}", kind.soonest.replay);
            if kind.is_lost() {
                continue;
            }
            text += &match &kind.soonest.explained {
                Some(page) => format!("\n            explained in {page}"),
                None => format!("\n            cargo sim explain {}", what(kind)),
            };
            text += &format!("\n            cargo sim shrink {}", what(kind));
        }
        if self.others > 0 {
            text += &format!("\n  and {} of other kinds", counted(self.others, "failing seed"));
        }
        Some(text + "\n")
    }
}

/// What to go on with: the capsule, or the seed with its flags.
fn what(kind: &Kind) -> String {
    let of_seed = || {
        let words = kind.soonest.replay.strip_prefix("cargo sim replay ");
        words.unwrap_or_default().trim_end_matches(" --verbose").to_owned()
    };
    kind.soonest.capsule.as_deref().map_or_else(of_seed, quoted)
}

/// Text without styles.
fn plain(styled: &str) -> String {
    console::strip_ansi_codes(styled).into_owned()
}

impl Kind {
    /// Whether its seeds come to no end, so that there is nothing to save, to explain or to shrink.
    fn is_lost(&self) -> bool {
        self.fingerprint.property() == LOST
    }

    fn count(&mut self, faults: &BTreeSet<String>, seeds: u64) {
        self.seeds = self.seeds.saturating_add(seeds);
        self.common_faults.retain(|fault| faults.contains(fault));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use graphshell_sim::world::{Options, Run, Verdict};

    use super::super::judge::{judge, tests::failed};
    use super::super::subject::Recipe;
    use super::*;

    /// A failure of this seed after so long, with this detail.
    pub(crate) fn failing(seed: u64, virtual_ms: u64, detail: &str) -> (Subject, Judged) {
        let run = |_: &Options| {
            let mut run = Run { seed, virtual_ms, ..failed() };
            if let Verdict::Failed(failure) = &mut run.verdict {
                failure.detail = detail.to_owned();
            }
            run
        };
        let judged = judge(run, false, &Options::default());
        (Subject::Seed { seed: Seed(seed), recipe: Recipe::default() }, judged)
    }

    pub(crate) fn kinds(failing_seeds: &[(u64, u64, &str)]) -> Kinds {
        let mut kinds = Kinds::default();
        for &(seed, virtual_ms, detail) in failing_seeds {
            let (subject, judged) = failing(seed, virtual_ms, detail);
            kinds.add(&subject, &judged, "cargo sim run");
        }
        kinds.sort();
        kinds
    }

    #[test]
    fn alike_failures_are_one_kind_that_names_its_soonest() {
        let kinds =
            kinds(&[(3, 90, "lacks 1"), (5, 40, "lacks 22"), (6, 50, "lacks 3"), (9, 9, "x")]);
        let [many, one] = kinds.all() else { panic!("{kinds:?}") };
        assert_eq!((many.seeds, many.first, many.soonest.seed), (3, Seed(3), Seed(5)));
        assert_eq!((one.seeds, one.first), (1, Seed(9)));
        let told = kinds.told(80).unwrap();
        assert!(told.starts_with("2 kinds of failure\n"), "{told}");
        assert!(told.contains("3 seeds, first 0x3, soonest 0x5\n"), "{told}");
        assert!(told.contains("\n            cargo sim replay 0x5 --verbose\n"), "{told}");
        assert!(told.contains("\n            cargo sim explain 0x5\n"), "{told}");
        assert!(told.contains("\n            cargo sim shrink 0x5\n"), "{told}");
        assert_eq!(Kinds::default().told(80), None);
    }

    #[test]
    fn parts_join_to_what_the_whole_would_be_in_any_order() {
        let all = [(3, 40, "lacks 1"), (5, 40, "lacks 2"), (6, 50, "lacks 3"), (9, 9, "x")];
        let whole = kinds(&all);
        for (one, other) in [(&all[..1], &all[1..]), (&all[1..], &all[..1])] {
            let mut joined = kinds(one);
            joined.join(kinds(other));
            joined.sort();
            assert_eq!(joined, whole);
        }
    }

    #[test]
    fn a_seed_that_comes_to_no_end_is_a_kind_of_which_nothing_is_run_again() {
        let mut kinds = Kinds::default();
        let failure = |secs: u64| Failure {
            property: LOST,
            peers: Vec::new(),
            operations: Vec::new(),
            virtual_ms: 0,
            detail: format!("given up after {secs} s"),
        };
        let subject = |seed| Subject::Seed { seed: Seed(seed), recipe: Recipe::default() };
        assert!(kinds.lose(&subject(7), Seed(7), &failure(600)));
        assert!(!kinds.lose(&subject(5), Seed(5), &failure(601)));
        let never = |_| panic!("it would hang again");
        assert!(kinds.explain(Path::new("nowhere"), never, || false).is_empty());
        kinds.save(Path::new("nowhere")).unwrap();
        let told = kinds.told(80).unwrap();
        assert!(told.contains("2 seeds, first 0x7, soonest 0x5\n"), "{told}");
        assert!(told.ends_with("cargo sim replay 0x5 --verbose\n"), "{told}");
    }

    #[test]
    fn a_saved_failure_is_shrunk_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut kinds = kinds(&[(5, 40, "lacks 22")]);
        kinds.save(folder.path()).unwrap();
        let capsule = kinds.all()[0].soonest.capsule.clone().unwrap();
        assert!(capsule.ends_with(&format!("{}-0x5.json", kinds.all()[0].id)));
        assert!(kinds.told(80).unwrap().contains(&format!("cargo sim shrink {capsule}")));
    }

    #[test]
    fn an_explanation_is_named_beside_the_capsule() {
        let folder = tempfile::tempdir().unwrap();
        let mut kinds = kinds(&[(5, 40, "lacks 22")]);
        let written = kinds.explain(folder.path(), |seed| seed.to_string(), || true);
        assert!(written.is_empty() && kinds.all()[0].soonest.explained.is_none(), "interrupted");
        assert!(kinds.explain(folder.path(), |seed| seed.to_string(), || false).is_empty());
        let page = kinds.all()[0].soonest.explained.clone().unwrap();
        assert_eq!(std::fs::read_to_string(&page).unwrap(), "0x5");
        let told = kinds.told(80).unwrap();
        assert!(told.contains(&format!("explained in {page}\n")) && !told.contains("sim explain"));
        kinds.map_paths(|_| "elsewhere".into());
        assert_eq!(kinds.all()[0].soonest.explained.as_deref(), Some("elsewhere"));
        let in_the_way = folder.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        assert_eq!(kinds.explain(&in_the_way, |_| String::new(), || false).len(), 1);
    }

    #[test]
    fn kinds_are_bounded() {
        let mut kinds = Kinds::default();
        for seed in 0..MOST as u64 + 5 {
            let word: String = seed.to_string().chars().map(|c| (c as u8 + 50) as char).collect();
            let (subject, judged) = failing(seed, 1, &word);
            kinds.add(&subject, &judged, "");
        }
        assert_eq!((kinds.all().len(), kinds.others), (MOST, 5));
    }
}
