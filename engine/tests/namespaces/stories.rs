//! What the programs are put through.

use serde_json::Value;

use crate::lab::Lab;
use crate::support::{Device, eventually, many_bookmarks, wait};

/// A story by its name.
pub type Story = (&'static str, fn());

pub const ALL: &[Story] = &[
    ("lossy_and_slow_link_only_takes_longer", lossy_and_slow_link_only_takes_longer),
    (
        "transfer_that_was_parted_goes_on_where_it_was",
        transfer_that_was_parted_goes_on_where_it_was,
    ),
    ("host_that_moves_is_reached_again", host_that_moves_is_reached_again),
];

fn import(device: &Device, pages: usize) {
    let path = device.path("many.html");
    many_bookmarks(&path, pages);
    device.ok(&["import", path.to_str().expect("UTF-8")]);
}

fn pages(device: &Device) -> Value {
    device.json(&["status"])[0]["pages"].clone()
}

/// The counts of the round that a sync tells of.
fn round(items: &[Value]) -> (u64, u64) {
    let round = items.iter().find(|item| item["type"] == "round").expect("a round");
    (round["sent"].as_u64().expect("a number"), round["received"].as_u64().expect("a number"))
}

/// 50 ms each way, 5 % lost.
fn lossy_and_slow_link_only_takes_longer() {
    let mut lab = Lab::new();
    lab.make_bad(50, 5);
    let (ada, ben) = lab.devices();
    import(&ada, 2_000);
    ben.ok(&["add", "https://ben.example/"]);
    let watch = ben.watch();
    ada.ok(&["sync", "ben"]);
    assert_eq!(ada.export(), ben.export());
    assert!(lab.heal() > 0, "the link was bad");
    assert_eq!(watch.interrupt().code, 0);
}

fn transfer_that_was_parted_goes_on_where_it_was() {
    const PAGES: usize = 10_000;
    let mut lab = Lab::new();
    let (ada, ben) = lab.devices();
    import(&ada, PAGES);
    lab.make_narrow("2mbit");
    let watch = ada.watch();
    let fetching = ben.start(&["sync", "ada", "--json"]);
    fetching.wait_for("progress in the middle", |item| {
        item["type"] == "progress" && item["done"].as_u64() > Some(0)
    });
    lab.cut();
    let done = fetching.end();
    assert_ne!(done.code, 0, "it cannot have come to its end: {}", done.out);
    let kept = ben.json(&["status"])[0]["operations"].as_u64().expect("a number");
    let all = ada.json(&["status"])[0]["operations"].as_u64().expect("a number");
    assert!(0 < kept && kept < all, "{kept} of {all}");
    assert!(lab.heal() > 0, "the link was cut");
    eventually("the link is used again", || ben.run(&["sync", "ada"]).code == 0);
    assert_eq!(pages(&ben), PAGES);
    assert_eq!(ada.export(), ben.export());
    let (sent, received) = round(&ben.json(&["sync", "ada"]));
    assert_eq!((sent, received), (0, 0), "all had come");
    assert_eq!(watch.interrupt().code, 0);
}

fn host_that_moves_is_reached_again() {
    let lab = Lab::new();
    let (ada, ben) = lab.devices();
    let (at_ada, at_ben) = (ada.watch(), ben.watch());
    ada.ok(&["add", "https://before.example/"]);
    eventually("ben has the first page", || pages(&ben) == 1);
    lab.move_ada();
    wait(std::time::Duration::from_secs(1));
    ada.ok(&["add", "https://after.example/"]);
    eventually("ben has what ada added elsewhere", || pages(&ben) == 2);
    ben.ok(&["add", "https://answer.example/"]);
    eventually("ada has what ben added", || pages(&ada) == 3);
    assert_eq!(at_ada.interrupt().code, 0);
    assert_eq!(at_ben.interrupt().code, 0);
}
