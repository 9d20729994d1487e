//! Commands that need no other device, as text and as JSON.

use std::io::Read;
use std::process::Stdio;

use crate::support::Device;

#[test]
fn added_page_is_listed_shown_edited_and_removed() {
    let ada = Device::new("ada");
    let added = ada.ok(&["add", "https://www.rust-lang.org/", "--title", "Rust"]);
    assert!(added.starts_with("added ") && added.contains("Rust"), "{added}");
    let again = ada.ok(&["add", "https://www.rust-lang.org/"]);
    assert!(again.starts_with("unchanged"), "{again}");
    ada.ok(&["add", "https://doc.rust-lang.org/book/", "--title", "The Book", "--at", "-3,4.5"]);

    let listed = ada.ok(&["list"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("Rust") && listed.contains("https://doc.rust-lang.org/book/"));
    assert_eq!(ada.ok(&["list", "BOOK"]).lines().count(), 1);
    assert!(ada.ok(&["list", "nothing"]).contains("None of 2 pages"));

    let edited = ada.ok(&["edit", "the b", "--title", "Book", "--pin", "--at", "7,8"]);
    assert!(edited.starts_with("changed"), "{edited}");
    let shown = ada.ok(&["show", "Book"]);
    assert!(shown.contains("7,8, pinned"), "{shown}");
    ada.ok(&["edit", "book", "--unpin", "--url", "https://doc.rust-lang.org/stable/book/"]);
    assert!(ada.ok(&["show", "Book"]).contains("stable"));

    assert!(ada.ok(&["rm", "Book"]).starts_with("removed"));
    assert_eq!(ada.ok(&["list"]).lines().count(), 1);
}

#[test]
fn json_is_one_object_per_line_with_a_type() {
    let ada = Device::empty("ada");
    let created = ada.json(&["init", "--name", "ada", "--key", "file"]);
    assert_eq!(created[0]["type"], "created");
    assert_eq!(created[0]["key"], "file");
    let added = ada.json(&["add", "https://a.example/", "--title", "A"]);
    assert_eq!((&added[0]["type"], &added[0]["did"]), (&"page".into(), &"added".into()));
    let id = added[0]["id"].as_str().unwrap();
    ada.json(&["add", "https://b.example/"]);
    let visit = ada.json(&["visit", &id[..8], "https://b.example/", "--trigger", "typed"]);
    assert_eq!((&visit[0]["visits"], &visit[0]["last_trigger"]), (&1.into(), &"typed".into()));
    let link = ada.json(&["link", "A", "b.example"]);
    assert_eq!((&link[0]["type"], &link[0]["did"]), (&"link".into(), &"added".into()));
    assert_eq!(ada.json(&["link", "A", "b.example"])[0]["did"], "kept");
    let shown = ada.json(&["show", "A"]);
    assert_eq!(shown.len(), 2, "{shown:#?}");
    let listed = ada.json(&["list"]);
    assert_eq!(listed.last().unwrap()["pages"], 2);
    let status = &ada.json(&["status"])[0];
    assert_eq!((&status["pages"], &status["links"]), (&2.into(), &1.into()));
    assert_eq!(status["watching"], false);
    assert_eq!(ada.json(&["conflicts"])[0]["open"], 0);
    assert_eq!(ada.json(&["unlink", "A", "b.example"])[0]["did"], "removed");
    let failed = ada.run(&["show", "nobody", "--json"]);
    let error: serde_json::Value = serde_json::from_str(failed.err.trim()).unwrap();
    assert_eq!((&error["type"], &error["exit_code"]), (&"error".into(), &4.into()));
    assert_eq!(failed.code, 4);
}

#[test]
fn wrong_arguments_say_what_was_expected() {
    let ada = Device::new("ada");
    for (args, hint) in [
        (&["add"][..], "<URL>"),
        (&["add", "https://a.example/", "--at", "1"], "120,-40"),
        (&["add", "https://a.example/", "--at", "1,inf"], "120,-40"),
        (&["sync", "--relay", "nonsense"], "off"),
        (&["watch", "--listen", "nowhere"], "--listen"),
        (&["edit", "x", "--pin", "--unpin"], "--unpin"),
        (&["edit", "x"], "--title"),
        (&["nonsense"], "nonsense"),
        (&["add", "example.com"], "https://example.com"),
        (&["export", "--format", "pdf"], "json"),
        (&["init", "--name", "a\u{1b}[31m", "--profile", "elsewhere"], "--name"),
    ] {
        let error = ada.fails(2, args);
        assert!(error.contains(hint), "{args:?}: {error}");
    }
    assert!(ada.fails(4, &["forget", "nobody"]).contains("peers"));
    assert!(ada.fails(4, &["resolve", "abcd", "delete"]).contains("conflicts"));
    assert!(ada.fails(6, &["pair", "graphshellnonsense"]).contains("ticket"));
}

#[test]
fn ambiguous_name_lists_the_candidates() {
    let ada = Device::new("ada");
    ada.ok(&["add", "https://a.example/", "--title", "Rust one"]);
    ada.ok(&["add", "https://b.example/", "--title", "Rust two"]);
    let error = ada.fails(4, &["show", "rust"]);
    assert!(
        error.contains("https://a.example/") && error.contains("https://b.example/"),
        "{error}"
    );
}

#[test]
fn texts_cannot_steer_the_terminal() {
    let ada = Device::new("ada");
    ada.ok(&["add", "https://a.example/", "--title", "evil \u{1b}[2J\u{202e} \u{9b}31m title"]);
    for args in [&["list"][..], &["show", "evil"], &["export", "--format", "dot"], &["rm", "evil"]]
    {
        let text = ada.ok(args);
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(steers), "{args:?}: {text:?}");
    }
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let ada = Device::empty("ada");
    let help = ada.ok(&["--help"]);
    for part in ["init", "pair", "watch", "conflicts", "Examples:", "Exit codes:", "130"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    for verb in ["init", "pair", "add", "edit", "import", "sync", "watch", "resolve", "export"] {
        assert!(ada.ok(&[verb, "--help"]).contains("Example"), "{verb}");
    }
    assert!(ada.ok(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn man_pages_and_completions_are_written() {
    let ada = Device::empty("ada");
    let folder = ada.path("man");
    ada.ok(&["man", folder.to_str().unwrap()]);
    let page = std::fs::read_to_string(folder.join("graphshell-peer.1")).unwrap();
    assert!(page.contains(".TH graphshell-peer"), "{page}");
    assert!(folder.join("graphshell-peer-pair.1").exists());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(ada.ok(&["completions", shell]).contains("graphshell-peer"), "{shell}");
    }
}

#[test]
fn export_has_three_forms() {
    let ada = Device::new("ada");
    ada.ok(&["add", "https://a.example/?x=1&y=\"2\"", "--title", "<A & b>"]);
    ada.ok(&["add", "https://b.example/", "--title", "B"]);
    ada.ok(&["visit", "<A", "B"]);
    let graph: serde_json::Value = serde_json::from_str(&ada.export()).unwrap();
    assert_eq!(graph["nodes"].as_object().unwrap().len(), 2);
    let html = ada.ok(&["export", "--format", "html"]);
    assert!(html.contains("&lt;A &amp; b&gt;") && html.contains("y=&quot;2&quot;"), "{html}");
    let dot = ada.ok(&["export", "--format", "dot"]);
    assert!(dot.starts_with("digraph") && dot.contains("->"), "{dot}");
}

#[test]
fn closed_pipe_is_a_quiet_end() {
    let ada = Device::new("ada");
    for number in 0..3 {
        ada.ok(&["add", &format!("https://{number}.example/{}", "x".repeat(30_000))]);
    }
    let mut command = ada.command(&["export"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let ada = Device::new("ada");
    ada.ok(&["add", "https://a.example/"]);
    for args in [&["export"][..], &["list"], &["list", "--json"], &["completions", "bash"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = ada.command(args).stdout(full).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
        assert!(error.contains("cannot write to stdout"), "{args:?}: {error}");
    }
}

#[test]
fn no_color_and_pipes_get_plain_text() {
    let ada = Device::new("ada");
    let mut status = ada.command(&["status"]);
    let output = status.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "0").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}
