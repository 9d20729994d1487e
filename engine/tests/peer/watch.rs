//! A running `watch`: commands through it, live push, and its end.

use crate::support::{Device, eventually, pair, two};

#[test]
fn commands_are_carried_out_by_the_running_watch() {
    let ada = Device::new("ada");
    let watch = ada.watch();
    ada.ok(&["add", "https://a.example/", "--title", "A"]);
    watch.event("changed");
    ada.ok(&["edit", "A", "--pin"]);
    assert!(ada.ok(&["list"]).contains("(pinned)"));
    assert_eq!(ada.json(&["status"])[0]["watching"], true);
    let long = "x".repeat(30_000);
    for number in 0..20 {
        ada.ok(&["add", &format!("https://{number}.example/{long}")]);
    }
    assert!(ada.export().len() > 20 * long.len(), "a document comes in many frames");
    ada.fails(4, &["show", "nobody"]);
    assert!(ada.fails(7, &["rotate"]).contains("watch"));
    for args in [&["sync", "--relay", "default"][..], &["pair", "--mdns"], &["watch", "--mdns"]] {
        assert!(ada.fails(7, args).contains("--relay"), "{args:?}");
    }
    let done = watch.interrupt();
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(!ada.profile().join("watch.sock").exists());
    assert_eq!(ada.json(&["status"])[0]["pages"], 21);
}

#[test]
fn second_watch_follows_the_first_and_ends_with_it() {
    let ada = Device::new("ada");
    let first = ada.watch();
    let second = ada.watch();
    ada.ok(&["add", "https://a.example/"]);
    first.event("changed");
    second.event("changed");
    assert_eq!(second.interrupt().code, 0);
    assert_eq!(first.interrupt().code, 0);
}

#[test]
fn edit_is_pushed_live_between_two_watches() {
    let (ada, ben) = two();
    let (at_ada, at_ben) = (ada.watch(), ben.watch());
    at_ada.event("connected");
    at_ben.event("connected");
    ada.ok(&["add", "https://a.example/", "--title", "A"]);
    at_ben.event("changed");
    ben.ok(&["edit", "A", "--title", "A by ben"]);
    eventually("ada has ben's title", || ada.ok(&["list"]).contains("A by ben"));
    assert_eq!(ada.export(), ben.export());
    assert_eq!(at_ada.interrupt().code, 0);
    at_ben.event("gone");
    assert_eq!(at_ben.interrupt().code, 0);
}

#[test]
fn device_is_taken_in_by_a_running_watch() {
    let (ada, ben) = (Device::new("ada"), Device::empty("ben"));
    ada.ok(&["add", "https://a.example/"]);
    let watch = ada.watch();
    pair(&ada, &ben);
    assert_eq!(ada.export(), ben.export());
    assert_eq!(watch.interrupt().code, 0);
}

#[test]
fn watch_takes_over_what_a_dead_one_left() {
    let ada = Device::new("ada");
    let watch = ada.watch();
    ada.ok(&["add", "https://a.example/"]);
    watch.signal("KILL");
    watch.end();
    assert!(ada.profile().join("watch.sock").exists());
    assert_eq!(ada.ok(&["list"]).lines().count(), 1);
    let again = ada.watch();
    ada.ok(&["add", "https://b.example/"]);
    again.signal("TERM");
    assert_eq!(again.end().code, 0);
}

#[cfg(unix)]
#[test]
fn nonsense_on_the_socket_does_no_harm() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let ada = Device::new("ada");
    let watch = ada.watch();
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(ada.profile().join("watch.sock")).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.take(4096).read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let frame = |text: &str| {
        let mut frame = (text.len() as u32).to_le_bytes().to_vec();
        frame.extend(text.as_bytes());
        frame
    };
    assert_eq!(say(&u32::MAX.to_le_bytes()), "");
    assert_eq!(say(b"\x10\0\0\0{"), "");
    assert_eq!(say(&frame("[]")), "");
    assert!(say(&frame(r#"{"version":2,"command":{}}"#)).contains("version 2"));
    assert!(say(&frame(r#"{"version":1,"command":{"nonsense":{}}}"#)).contains("nonsense"));
    ada.ok(&["add", "https://a.example/"]);
    assert_eq!(watch.interrupt().code, 0);
}
