//! Rounds between programs.

use crate::support::{Device, pair, two};

#[test]
fn edits_on_both_sides_meet() {
    let (ada, ben) = two();
    ada.ok(&["add", "https://a.example/", "--title", "A"]);
    ben.ok(&["add", "https://b.example/", "--title", "B"]);
    let watch = ben.watch();
    let items = ada.json(&["sync", "ben"]);
    let round = items.iter().find(|item| item["type"] == "round").unwrap();
    assert_eq!((&round["sent"], &round["received"]), (&2.into(), &2.into()), "{items:#?}");
    assert_eq!(ada.export(), ben.export());
    assert!(ada.ok(&["sync"]).contains("nothing new"));
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn device_that_does_not_run_is_named_with_what_to_do() {
    let (ada, _ben) = two();
    let done = ada.run(&["sync"]);
    assert_eq!(done.code, 5, "{}{}", done.out, done.err);
    assert!(done.out.contains("ben") && done.out.contains("graphshell-peer watch"), "{}", done.out);
    assert!(ada.fails(5, &["sync", "ben"]).contains("cannot be reached"));
}

#[test]
fn device_without_peers_is_told_how_to_get_some() {
    let ada = Device::new("ada");
    assert!(ada.ok(&["sync"]).contains("graphshell-peer pair"));
}

#[test]
fn ten_devices_in_a_ring_come_to_the_same_graph() {
    const DEVICES: usize = 10;
    let first = Device::new("peer0");
    let mut ring = vec![first];
    for number in 1..DEVICES {
        let next = Device::empty(&format!("peer{number}"));
        pair(&ring[number - 1], &next);
        ring.push(next);
    }
    pair(&ring[DEVICES - 1], &ring[0]);
    let watches: Vec<_> = ring.iter().map(Device::watch).collect();
    for (number, device) in ring.iter().enumerate() {
        device.ok(&["add", &format!("https://{number}.example/")]);
    }
    crate::support::eventually("all ten have all pages", || {
        ring.iter().all(|device| device.json(&["status"])[0]["pages"] == DEVICES)
    });
    let exports: Vec<String> = ring.iter().map(Device::export).collect();
    assert!(exports.windows(2).all(|pair| pair[0] == pair[1]));
    for watch in watches {
        assert_eq!(watch.interrupt().code, 0);
    }
}
