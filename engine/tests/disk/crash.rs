//! Programs that are killed in the middle of a write, as by `kill -9`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::script;

const KILLS: u64 = 50;
/// Most writes of one child.
const WRITES: u64 = 40;
/// Where the child works, and how many writes were done before it.
const FOLDER: &str = "GRAPHSHELL_TEST_FOLDER";
const DONE: &str = "GRAPHSHELL_TEST_DONE";

#[test]
#[ignore = "run by the test below, as a program of its own"]
fn child() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("its folder"));
    let done = std::env::var_os(DONE).expect("a number").into_string().expect("digits");
    let done: u64 = done.parse().expect("a number");
    let expected = script::expected(done + WRITES);
    let store = script::store(&folder);
    script::read(&store).expect("the store opens");
    for n in done..done + WRITES {
        script::write(&store, n, &expected[n as usize]).expect("it is written");
        // Past the test harness, which would keep it.
        let mut out = std::io::stdout().lock();
        writeln!(out, "done {}", n + 1).and_then(|()| out.flush()).expect("somebody listens");
    }
}

fn start(folder: &Path, done: u64) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(DONE, done.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs again")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the child lives in real time")]
fn killed_program_leaves_all_that_was_done_and_whole_writes() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let expected = script::expected(KILLS * WRITES);
    let (mut done, mut unfinished_found) = (0, 0);
    for round in 0..KILLS {
        let mut child = start(&folder, done);
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut last = |until: u64| {
            let lines = lines.by_ref().map(|line| line.expect("text"));
            let mut done = lines.filter_map(|line| line.strip_prefix("done ")?.parse::<u64>().ok());
            done.find(|&n| n >= until)
        };
        // Some are killed before they have done anything, perhaps while the store is being made.
        let mut said = done;
        if round % 5 != 0 {
            said = last(done + round % 4 + 1).expect("the child works until it is killed");
        }
        std::thread::sleep(Duration::from_micros(round * 791 % 5_000));
        child.kill().expect("it is killed");
        while let Some(n) = last(0) {
            said = n;
        }
        child.wait().expect("it ends");
        let (found, watermark) = script::read(&script::store(&folder)).expect("the store opens");
        done = match () {
            () if found == expected[said as usize] => said,
            () if found == expected[said as usize + 1] => said + 1,
            () => panic!("after kill {round}: neither what was done, {said} writes, nor one more"),
        };
        unfinished_found += done - said;
        assert_eq!(watermark, found.end());
    }
    // Not a claim; it says what the kills hit.
    println!(
        "{KILLS} kills, {done} writes, of which {unfinished_found} were done and not yet said"
    );
}
