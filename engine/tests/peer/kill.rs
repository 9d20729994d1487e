//! Programs that are killed.

use crate::support::{many_bookmarks, two};

/// As many as take longer than it takes to kill a program.
const PAGES: usize = 40_000;

#[test]
fn transfer_that_was_killed_goes_on_and_nothing_is_lost() {
    let (ada, ben) = two();
    let path = ada.path("many.html");
    many_bookmarks(&path, PAGES);
    ada.ok(&["import", path.to_str().unwrap()]);
    let operations = ada.json(&["status"])[0]["operations"].as_u64().unwrap();
    assert!(operations >= 2 * PAGES as u64, "{operations}");

    // First the one that fetches is killed, then the one that gives.
    let watch = ada.watch();
    let fetching = ben.start(&["sync", "--json"]);
    fetching.wait_for("progress in the middle", |item| {
        item["type"] == "progress" && item["done"].as_u64() > Some(0)
    });
    fetching.signal("KILL");
    fetching.end();
    let kept = ben.json(&["status"])[0]["operations"].as_u64().unwrap();
    assert!(kept < operations, "it was killed in the middle: {kept} of {operations}");

    watch.signal("KILL");
    watch.end();
    let watch = ada.watch();
    ben.ok(&["sync"]);
    assert_eq!(ben.export(), ada.export());
    assert_eq!(ben.json(&["status"])[0]["pages"], PAGES);
    assert_eq!(watch.interrupt().code, 0);
}
