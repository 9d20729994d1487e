use super::super::kinds::tests::{failing, kinds};
use super::*;

/// A report of a shard in which the seeds from `first` on, two apart, fail after `ms` each.
pub(crate) fn report(first: u64, ms: &[u64]) -> Report {
    let seeds = Seeds { first: Seed(first), step: 2, count: ms.len() as u64 };
    let whole = Whole { first: Seed(0), seeds: None, shards: 2 };
    let mut tally = Tally::default();
    let mut bad = Vec::new();
    for (n, &ms) in ms.iter().enumerate() {
        let seed = seeds.nth(n as u64).0;
        tally.add(&failing(seed, ms, "lacks one").1);
        bad.push((seed, ms, "lacks one"));
    }
    let shard = 1 + first % 2;
    let report = Report::new(String::new(), whole, shard, vec![seeds]);
    Report { tally, failures: kinds(&bad), ..report }
}

fn merged(reports: &[Report]) -> Result<Report, String> {
    let named = reports.iter().enumerate().map(|(n, report)| (format!("{n}.json"), report.clone()));
    Report::merge(named.collect()).map_err(|error| error.to_string())
}

#[test]
fn shards_add_up() {
    let sum = merged(&[report(0, &[5, 6]), report(1, &[4, 7])]).unwrap();
    assert_eq!(sum.tally.runs(), 4);
    let [kind] = sum.failures.all() else { panic!("{sum:?}") };
    assert_eq!((kind.seeds, kind.first, kind.soonest.seed), (4, Seed(0), Seed(1)));
    assert_eq!(sum.exit(), Exit::PropertyFailed);
}

#[test]
fn absurd_counts_add_up_to_the_largest_number() {
    let mut odd = report(1, &[4]);
    let most = u64::MAX.to_string();
    let json = serde_json::to_string(&odd.tally).unwrap();
    let json = json.replace("\"messages\":1200", &format!("\"messages\":{most}"));
    odd.tally = serde_json::from_str(&json).unwrap();
    let sum = merged(&[report(0, &[5]), odd]).unwrap();
    assert!(serde_json::to_string(&sum.tally).unwrap().contains(&most));
}

#[test]
fn shards_that_are_there_twice_or_differ_are_refused() {
    let mut odd = report(4, &[1]);
    let said = merged(&[report(0, &[5, 6, 7]), odd.clone()]).unwrap_err();
    assert!(said.starts_with("1.json: found shard 1 of 2, which 0.json is too"), "{said}");
    let older = Report { engine: "0.0.1".into(), ..report(1, &[1]) };
    let said = merged(&[report(0, &[5]), older]).unwrap_err();
    assert!(
        said.contains("found engine \"0.0.1\"; expected \"0.1.0+")
            && said.ends_with(", as in 0.json"),
        "{said}"
    );
    odd.sweep.first = Seed(4);
    let said = merged(&[report(0, &[5]), odd]).unwrap_err();
    assert!(said.contains("found a sweep of seeds from 0x4 on in 2 shards; expected"), "{said}");
    let other = Report { flags: " --peers 9".into(), ..report(1, &[1]) };
    assert!(merged(&[report(0, &[5]), other]).unwrap_err().contains("found flags"));
}

#[test]
fn a_report_has_the_seeds_of_its_shards_each_once_however_many_it_claims() {
    let of = |first, step, count| Seeds { first: Seed(first), step, count };
    let said = |seeds: &[Seeds], asked| {
        let mut shard = Report { seeds: seeds.to_vec(), ..report(1, &[]) };
        shard.sweep.seeds = asked;
        shard.check_seeds("1.json").map_err(|error| error.to_string())
    };
    let many = 1_000_000_000_000_000_000;
    assert_eq!(said(&[of(1, 2, many), of(2 * many + 1, 2, many)], None), Ok(()));
    let again = said(&[of(2 * many - 1, 2, many), of(1, 2, many)], None).unwrap_err();
    assert!(
        again.ends_with("found seed 0x1bc16d674ec7ffff more than once; expected each once"),
        "{again}"
    );
    assert_eq!(said(&[of(1, 2, 5)], Some(10)), Ok(()));
    for (seeds, asked) in [
        (of(0, 2, 1), None),
        (of(1, 1, 3), None),
        (of(1, 0, 3), None),
        (of(1, 2, 0), None),
        (of(1, 2, u64::MAX), None),
        (of(1, 2, 6), Some(10)),
    ] {
        let refused = said(&[seeds], asked).unwrap_err();
        assert!(
            refused.contains("expected seeds of its shards, from 0x0 on at a distance of 2"),
            "{refused}"
        );
    }
}

#[test]
fn a_sum_that_lacks_a_shard_says_which() {
    let mut half = merged(&[report(1, &[5])]).unwrap();
    assert_eq!(
        half.shortcomings(false).pop().unwrap(),
        "too little was proved: shard 1 of 2 is missing"
    );
    half.sweep.shards = 1;
    half.shards = [1].into();
    half.sweep.seeds = Some(4);
    assert_eq!(half.missing().unwrap(), "only 1 of 4 seeds were run");
    (half.sweep.shards, half.shards) = (12, [2].into());
    let said = half.missing().unwrap();
    assert_eq!(said, "shards 1, 3, 4, 5, 6, 7, 8, 9, 3 more of 12 are missing");
    assert_eq!(report(1, &[5]).missing(), None, "a shard by itself is no sum");
    assert_eq!(merged(&[report(1, &[5]), report(0, &[5])]).unwrap().missing(), None);
}

#[test]
fn a_report_reads_what_it_writes_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Report::read(&path).unwrap_err().to_string()
    };
    let text = report(1, &[3]).to_json(folder.path());
    assert!(
        refused(&text.replace("\"report\": 3", "\"report\": 1")).contains("found report format 1")
    );
    assert!(refused(&text[..90]).contains("expected a report of format 3"));
    let far = text.replace("\"first\": \"0x1\"", "\"first\": \"0xffffffffffffffff\"");
    let far = far.replace("\"count\": 1", "\"count\": 2");
    assert!(refused(&far).contains("at a distance of 2 and below 2^64"), "{far}");
    for (from, to, said) in [
        ("\"failed\": 1", "\"failed\": 7", "found 7 runs; expected 1, as its seeds say"),
        ("\"others\": 0", "\"others\": 4", "found 5 failing seeds; expected 1, as its runs say"),
    ] {
        let odd = text.replace(from, to);
        assert!(odd != text && refused(&odd).ends_with(said), "{odd}");
    }
    std::fs::write(&path, &text).unwrap();
    assert_eq!(Report::read(&path).unwrap().to_json(folder.path()), text);
}

#[test]
fn a_report_finds_its_capsules_wherever_both_are_moved() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut shard = report(1, &[3]);
    shard.failures.save(&here.path().join("capsules")).unwrap();
    let saved = there.path().join("report.json");
    std::fs::write(&saved, shard.to_json(here.path())).unwrap();
    let read = Report::read(&saved).unwrap();
    let capsule = |report: &Report| report.failures.all()[0].soonest.capsule.clone().unwrap();
    let expected = capsule(&shard);
    let name = Path::new(&expected).file_name().unwrap();
    assert_eq!(Path::new(&capsule(&read)), there.path().join("capsules").join(name));
}
