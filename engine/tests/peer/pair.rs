//! Taking a device in, changing what it may do, and forgetting it.

use std::process::Stdio;

use graphshell_sync::backend::iroh::EndpointOptions;
use graphshell_sync::pairing;

use crate::support::{Device, pair, pair_with, two};

#[test]
fn paired_devices_have_the_same_graph() {
    let ada = Device::new("ada");
    ada.ok(&["add", "https://a.example/", "--title", "A"]);
    let ben = Device::empty("ben");
    pair(&ada, &ben);
    assert_eq!(ben.export(), ada.export());
    assert_eq!(ben.json(&["peers"])[0]["name"], "ada");
    assert_eq!(ada.json(&["peers"])[0]["name"], "ben");
}

#[test]
fn both_people_are_shown_the_same_digits_and_may_answer_with_them() {
    let (ada, ben) = (Device::new("ada"), Device::empty("ben"));
    let mut inviting = ada.start(&["pair", "--json"]);
    let ticket = inviting.item("ticket")["ticket"].as_str().unwrap().to_owned();
    let mut joining = ben.start(&["pair", &ticket, "--json", "--name", "ben", "--key", "file"]);
    let at_ada = inviting.item("fingerprint");
    let at_ben = joining.item("fingerprint");
    assert_eq!(at_ada["digits"], at_ben["digits"]);
    assert_eq!((&at_ada["name"], &at_ben["name"]), (&"ben".into(), &"ada".into()));
    inviting.say(at_ben["digits"].as_str().unwrap());
    joining.say("yes");
    assert_eq!((joining.end().code, inviting.end().code), (0, 0));
}

#[test]
fn who_does_not_confirm_shares_nothing() {
    let (ada, ben) = (Device::new("ada"), Device::empty("ben"));
    for (at_ada, at_ben) in [("no", "yes"), ("yes", "0000 0000 0000")] {
        let mut inviting = ada.start(&["pair", "--json"]);
        let ticket = inviting.item("ticket")["ticket"].as_str().unwrap().to_owned();
        let mut joining = ben.start(&["pair", &ticket, "--json", "--key", "file"]);
        inviting.item("fingerprint");
        joining.item("fingerprint");
        inviting.say(at_ada);
        joining.say(at_ben);
        assert_eq!((inviting.end().code, joining.end().code), (6, 6));
        let left = std::fs::read_dir(ben.profile()).unwrap().count();
        assert_eq!(left, 0, "a profile that was made to join is not kept");
    }
    let cleo = Device::new("cleo");
    pair(&cleo, &ben);
    assert_eq!(ada.json(&["status"])[0]["peers"].as_array().unwrap().len(), 0);
}

#[test]
fn ticket_is_good_once() {
    let (ada, ben, cleo) = (Device::new("ada"), Device::empty("ben"), Device::empty("cleo"));
    let watch = ada.watch();
    let inviting = ada.start(&["pair", "--yes", "--json"]);
    let ticket = inviting.item("ticket")["ticket"].as_str().unwrap().to_owned();
    ben.ok(&["pair", &ticket, "--yes", "--key", "file"]);
    assert_eq!(inviting.end().code, 0);
    let error = cleo.fails(6, &["pair", &ticket, "--yes", "--key", "file"]);
    assert!(error.contains("ticket") || error.contains("invitation"), "{error}");
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn ticket_of_another_workspace_is_a_clear_error() {
    let (ada, ben) = (Device::new("ada"), Device::new("ben"));
    let inviting = ada.start(&["pair", "--yes", "--json"]);
    let ticket = inviting.item("ticket")["ticket"].as_str().unwrap().to_owned();
    let error = ben.fails(3, &["pair", &ticket, "--yes"]);
    assert!(error.contains("workspace") && error.contains("--profile"), "{error}");
    assert_eq!(inviting.interrupt().code, 130);
}

#[test]
fn forgotten_device_gets_nothing() {
    let (ada, ben) = two();
    ada.ok(&["forget", "ben"]);
    ada.ok(&["add", "https://secret.example/"]);
    let watch = ada.watch();
    let error = ben.fails(5, &["sync"]);
    assert!(!error.contains("panicked"), "{error}");
    ben.ok(&["add", "https://unwanted.example/"]);
    ben.fails(5, &["sync", "ada"]);
    assert!(!ben.export().contains("secret"));
    assert!(!ada.export().contains("unwanted"));
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn stopped_device_gets_nothing_until_it_is_shared_with_again() {
    let (ada, ben) = two();
    ada.ok(&["share", "ben", "--stop"]);
    ada.ok(&["add", "https://a.example/"]);
    let watch = ada.watch();
    ben.fails(5, &["sync"]);
    assert!(!ben.export().contains("a.example"));
    ada.ok(&["share", "ben"]);
    ben.ok(&["sync"]);
    assert_eq!(ben.export(), ada.export());
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn rotated_key_is_taken_over_by_the_others() {
    let (ada, ben) = two();
    let rotated = ada.json(&["rotate"]).remove(0);
    assert_ne!(rotated["old"], rotated["new"]);
    ada.ok(&["add", "https://after.example/"]);
    let watch = ben.watch();
    ada.ok(&["sync"]);
    assert_eq!(ben.export(), ada.export());
    let peer = ben.json(&["peers"]).remove(0);
    assert_eq!((&peer["device"], &peer["name"]), (&rotated["new"], &"ada".into()));
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn key_can_be_changed_any_number_of_times_once_all_have_seen_it() {
    let (ada, ben) = two();
    for _ in 0..6 {
        ada.ok(&["rotate"]);
        let watch = ben.watch();
        ada.ok(&["sync"]);
        assert_eq!(watch.interrupt().code, 0);
    }
    for _ in 0..4 {
        ada.ok(&["rotate"]);
    }
    assert!(ada.fails(1, &["rotate"]).contains("ben"));
    ada.ok(&["forget", "ben"]);
    ada.ok(&["rotate"]);
}

#[test]
fn stopped_device_is_not_shown_a_new_key() {
    let (ada, ben) = two();
    ada.ok(&["rotate"]);
    ada.ok(&["share", "ben", "--stop"]);
    let before = ben.json(&["peers"]).remove(0)["device"].clone();
    let watch = ben.watch();
    ada.fails(5, &["sync", "ben"]);
    assert_eq!(ben.json(&["peers"]).remove(0)["device"], before);
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn stranger_without_the_ticket_cannot_end_a_pairing() {
    let (ada, ben) = (Device::new("ada"), Device::empty("ben"));
    let mut inviting = ada.start(&["pair", "--json"]);
    let ticket = inviting.item("ticket")["ticket"].as_str().unwrap().to_owned();
    let parsed: pairing::Ticket = ticket.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let knock = || {
        let knock = async {
            let options = EndpointOptions::new(iroh::SecretKey::from_bytes(&[9; 32]));
            let endpoint = options.bind().await.unwrap();
            let address = parsed.address();
            let connection = endpoint.connect(address, pairing::ALPN).await.unwrap();
            connection.close(pairing::CloseCode::Declined.code().into(), b"no");
            endpoint.close().await;
        };
        runtime.block_on(knock);
    };
    knock();
    inviting.item("note");
    let mut joining = ben.start(&["pair", &ticket, "--json", "--name", "ben", "--key", "file"]);
    inviting.item("fingerprint");
    joining.item("fingerprint");
    (0..40).for_each(|_| knock());
    inviting.say("yes");
    joining.say("yes");
    assert_eq!((joining.end().code, inviting.end().code), (0, 0));
}

#[test]
fn settings_given_to_pair_are_remembered() {
    let ada = Device::empty("ada");
    ada.ok(&["init", "--key", "file", "--relay", "http://127.0.0.1:1"]);
    let inviting = ada.start(&["pair", "--json", "--relay", "off"]);
    inviting.item("ticket");
    assert_eq!(inviting.interrupt().code, 130);
    assert_eq!(ada.json(&["status"])[0]["relay"], "off");
}

#[test]
fn ticket_for_people_is_text_without_a_picture_where_nobody_looks() {
    let ada = Device::new("ada");
    let mut child = ada.command(&["pair"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("Ctrl-C") {
        assert!(std::io::BufRead::read_line(&mut out, &mut text).unwrap() > 0, "{text}");
    }
    assert!(text.contains("graphshell-peer pair graphshell") && !text.contains('█'), "{text}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn read_only_device_sees_everything_and_changes_nothing() {
    let (ada, ben) = (Device::new("ada"), Device::empty("ben"));
    pair_with(&ada, &ben, &["--read-only"]);
    assert_eq!(ada.json(&["peers"])[0]["access"], "read_only");
    let watch = ada.watch();
    ada.ok(&["add", "https://a.example/"]);
    ben.ok(&["sync"]);
    assert!(ben.export().contains("a.example"));
    ben.ok(&["add", "https://b.example/"]);
    let _ = ben.run(&["sync"]);
    assert!(!ada.export().contains("b.example"));
    ada.ok(&["share", "ben"]);
    ben.ok(&["sync"]);
    assert_eq!(ada.export(), ben.export());
    assert_eq!(watch.interrupt().code, 0);
}
