//! A disagreement, from the command line.

use crate::support::{Device, pair, two};

#[test]
fn delete_against_edit_is_seen_and_settled_the_same_on_both_devices() {
    let (ada, ben) = two();
    ada.ok(&["add", "https://a.example/", "--title", "A"]);
    let watch = ben.watch();
    ada.ok(&["sync"]);
    assert_eq!(watch.interrupt().code, 0);
    ada.ok(&["rm", "A"]);
    ben.ok(&["edit", "A", "--title", "A by ben"]);
    let watch = ben.watch();
    ada.ok(&["sync"]);
    let opened = watch.event("conflict_opened");
    assert_eq!(opened["label"], "A by ben");

    let at_ada = ada.ok(&["conflicts"]);
    assert!(at_ada.contains("You deleted it"), "{at_ada}");
    assert!(at_ada.contains("ben gave it the title \"A by ben\""), "{at_ada}");
    let at_ben = ben.ok(&["conflicts"]);
    assert!(at_ben.contains("ada deleted it"), "{at_ben}");
    let id = ada.json(&["conflicts"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(ben.json(&["conflicts"])[0]["id"], id.as_str());
    for wrong in ["both", "restore=9", "restore=x", "nonsense"] {
        assert!(ada.fails(2, &["resolve", &id[..8], wrong]).contains("next:"), "{wrong}");
    }

    ada.ok(&["resolve", &id[..8], "restore=1"]);
    ada.ok(&["sync"]);
    watch.event("conflict_settled");
    for device in [&ada, &ben] {
        assert!(device.ok(&["conflicts"]).contains("No disagreements"));
        assert!(device.ok(&["list"]).contains("A by ben"));
    }
    assert_eq!(ada.export(), ben.export());
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn device_that_calls_itself_you_is_told_apart() {
    let (ada, ben) = (Device::new("ada"), Device::empty("You"));
    ada.ok(&["add", "https://a.example/", "--title", "A"]);
    pair(&ada, &ben);
    ada.ok(&["rm", "A"]);
    ben.ok(&["edit", "A", "--title", "B"]);
    let watch = ben.watch();
    ada.ok(&["sync"]);
    assert_eq!(watch.interrupt().code, 0);
    let at_ada = ada.ok(&["conflicts"]);
    assert!(at_ada.contains("You deleted it"), "{at_ada}");
    assert!(at_ada.contains("You (") && !at_ada.contains("You gave"), "{at_ada}");
}

#[test]
fn disagreement_about_many_changes_fits_through_a_watch() {
    let (ada, ben) = (Device::new("ada"), Device::empty("ben"));
    ada.ok(&["add", "https://a.example/", "--title", "A"]);
    ada.ok(&["add", "https://b.example/", "--title", "B"]);
    pair(&ada, &ben);
    ada.ok(&["rm", "A"]);
    let watch = ben.watch();
    for _ in 0..103 {
        ben.ok(&["visit", "A", "B"]);
    }
    ada.ok(&["sync"]);
    let listed = ben.ok(&["conflicts"]);
    assert!(listed.contains("and 3 more changes"), "{listed}");
    assert_eq!(watch.interrupt().code, 0);
}
