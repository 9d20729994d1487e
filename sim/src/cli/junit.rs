//! A sweep as JUnit XML, one test case for the sweep and one for each kind of failure; and scenarios.
//!
//! A case per seed would be new names every night; a kind keeps its name from sweep to sweep, so a
//! CI server can tell how long a failure has been there.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::report::Report;
use super::scenario::Told;
use super::text::counted;

/// The report of a sweep as text; `why` says why it proved too little, if it did.
pub(crate) fn xml(report: &Report, why: &[String]) -> String {
    let mut sweep = TestCase::new("sweep", status(report, why));
    sweep.set_classname("graphshell-sim");
    sweep.set_time(Duration::try_from_secs_f64(report.seconds).unwrap_or_default());
    let mut suite = TestSuite::new(format!("cargo sim run{}", report.flags));
    suite.add_test_case(sweep);
    for kind in report.failures.all() {
        let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
        failed.set_type(kind.id.clone());
        failed.set_message(format!(
            "{}, first {}, soonest {}: {}",
            counted(kind.seeds, "seed"),
            kind.first,
            kind.soonest.seed,
            kind.soonest.replay
        ));
        let mut told = kind.soonest.told.clone();
        for (what, path) in
            [("capsule", &kind.soonest.capsule), ("explained", &kind.soonest.explained)]
        {
            told += &path.as_ref().map_or(String::new(), |path| format!("\n  {what:<10}  {path}"));
        }
        failed.set_description(told);
        let mut case = TestCase::new(kind.fingerprint.to_string(), failed);
        case.set_classname("graphshell-sim");
        suite.add_test_case(case);
    }
    text(suite)
}

/// Scenarios as text, a test case for each.
pub(crate) fn of_scenarios(scenarios: &[Told]) -> String {
    let mut suite = TestSuite::new("cargo sim scenario");
    for Told { title, took, wrong, .. } in scenarios {
        let mut case = TestCase::new(title.clone(), TestCaseStatus::success());
        if let Some((words, text)) = wrong {
            let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
            failed.set_message(words.clone()).set_description(text.clone());
            case.status = failed;
        }
        case.set_classname("graphshell-sim").set_time(*took);
        suite.add_test_case(case);
    }
    text(suite)
}

fn text(suite: TestSuite) -> String {
    let mut xml = quick_junit::Report::new("graphshell-sim");
    xml.add_test_suite(suite);
    xml.to_string().expect("XML is written to memory")
}

/// What came of the sweep, beside properties that failed.
fn status(report: &Report, why: &[String]) -> TestCaseStatus {
    let interrupted = report.interrupted.then(|| "the sweep was interrupted".to_owned());
    let wrong: Vec<String> = interrupted.into_iter().chain(why.iter().cloned()).collect();
    if wrong.is_empty() {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(wrong.join("\n"));
    status
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn a_kind_of_failure_is_a_test_case_with_its_replay_command() {
        let xml = xml(&report(0, &[5, 3]), &[]);
        assert!(xml.contains(r#" tests="2" skipped="0" failures="1" errors="0""#), "{xml}");
        assert!(xml.contains(r#"name="convergence (lacks one)""#), "{xml}");
        assert!(
            xml.contains("2 seeds, first 0x0, soonest 0x2: cargo sim replay 0x2 --verbose"),
            "{xml}"
        );
    }

    #[test]
    fn a_sweep_that_proved_nothing_is_an_error() {
        let empty = report(0, &[]);
        assert!(xml(&empty, &empty.shortcomings(false)).contains("nothing was proved"));
    }
}
