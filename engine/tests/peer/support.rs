//! Devices of a test, and programs that run for them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up; generous, since machines are loaded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A device: a profile in a folder of its own.
pub(crate) struct Device {
    folder: TempDir,
    pub(crate) name: String,
    /// The words of a command that starts the program somewhere else; none: it is started here.
    through: Vec<String>,
}

/// How a program ended.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Device {
    /// A device without a profile.
    pub(crate) fn empty(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("peer").tempdir().unwrap();
        Device { folder, name: name.to_owned(), through: Vec::new() }
    }

    /// The same, its programs started by another command.
    #[allow(dead_code, reason = "other programs of tests use it")]
    pub(crate) fn through(mut self, command: &[&str]) -> Self {
        self.through = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// A device with a graph of its own.
    pub(crate) fn new(name: &str) -> Self {
        let device = Device::empty(name);
        device.ok(&["init", "--name", name, "--key", "file"]);
        device
    }

    pub(crate) fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_graphshell-peer").to_owned();
        let mut words = self.through.iter().chain([&program]);
        let mut command = Command::new(words.next().expect("there is at least the program"));
        command.args(words);
        command.arg("--profile").arg(self.profile()).args(args).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        done(self.command(args).output().unwrap())
    }

    /// What a command that must succeed writes.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{} {args:?}\n{}{}", self.name, done.out, done.err);
        assert!(!done.err.contains("panicked"), "{}", done.err);
        done.out
    }

    /// The same as objects.
    pub(crate) fn json(&self, args: &[&str]) -> Vec<Value> {
        let mut args = args.to_vec();
        args.push("--json");
        let text = self.ok(&args);
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The failure of a command that must fail with this code.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, code, "{args:?}\n{}{}", done.out, done.err);
        assert!(!done.err.contains("panicked"), "{}", done.err);
        done.err
    }

    pub(crate) fn export(&self) -> String {
        self.ok(&["export"])
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(command.spawn().unwrap())
    }

    /// A running `watch` that has begun.
    pub(crate) fn watch(&self) -> Running {
        let watch = self.start(&["watch", "--json"]);
        watch.event("watching");
        watch
    }
}

fn done(output: Output) -> Done {
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A program that runs; it is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    let read = move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().spawn(read).unwrap();
    receiver
}

impl Running {
    fn new(mut child: Child) -> Self {
        let stdin = child.stdin.take();
        let lines_out = lines(child.stdout.take().unwrap());
        let errors = lines(child.stderr.take().unwrap());
        Running { child, stdin, lines: lines_out, errors }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next object that `fits`; those before it are passed over.
    pub(crate) fn wait_for(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let value: Value = serde_json::from_str(&line).expect(&line);
                    if fits(&value) {
                        return value;
                    }
                    seen.push(line);
                }
                Err(why) => {
                    let errors: Vec<String> = self.errors.try_iter().collect();
                    let late = matches!(why, RecvTimeoutError::Timeout);
                    panic!("no {what} (late: {late}) after {seen:#?}\n{errors:#?}");
                }
            }
        }
    }

    /// The next item of this type.
    pub(crate) fn item(&self, kind: &str) -> Value {
        self.wait_for(kind, |value| value["type"] == kind)
    }

    /// The next event of this kind.
    pub(crate) fn event(&self, kind: &str) -> Value {
        self.wait_for(kind, |value| value["event"]["kind"] == kind)["event"].clone()
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn interrupt(self) -> Done {
        self.signal("INT");
        self.end()
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Done {
        drop(self.stdin.take());
        let out: Vec<String> = until_end(&self.lines);
        let err: Vec<String> = until_end(&self.errors);
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Done { code, out: out.join("\n"), err: err.join("\n") }
    }
}

fn until_end(lines: &Receiver<String>) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => all.push(line),
            Err(RecvTimeoutError::Disconnected) => return all,
            Err(RecvTimeoutError::Timeout) => panic!("the program does not end: {all:#?}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pairs two devices; the second joins, and gets a profile if it has none.
pub(crate) fn pair(inviter: &Device, joiner: &Device) {
    pair_with(inviter, joiner, &[]);
}

/// The same with arguments for the inviter.
pub(crate) fn pair_with(inviter: &Device, joiner: &Device, args: &[&str]) {
    let mut inviting = vec!["pair", "--yes", "--json"];
    inviting.extend(args);
    let inviting = inviter.start(&inviting);
    let ticket = inviting.item("ticket")["ticket"].as_str().unwrap().to_owned();
    let joined = joiner.run(&["pair", &ticket, "--yes", "--name", &joiner.name, "--key", "file"]);
    assert_eq!(joined.code, 0, "{}{}", joined.out, joined.err);
    inviting.item("paired");
    let done = inviting.end();
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
}

/// Two devices that share a graph.
pub(crate) fn two() -> (Device, Device) {
    let (ada, ben) = (Device::new("ada"), Device::empty("ben"));
    pair(&ada, &ben);
    (ada, ben)
}

/// Writes a bookmarks file with so many pages.
pub(crate) fn many_bookmarks(path: &Path, count: usize) {
    let mut text = String::from("<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>\n");
    for number in 0..count {
        text.push_str(&format!(
            "<DT><A HREF=\"https://pages.example/{number}\">Page number {number}</A>\n"
        ));
    }
    text.push_str("</DL><p>\n");
    std::fs::write(path, text).unwrap();
}

/// Looks until it is so.
pub(crate) fn eventually(what: &str, so: impl Fn() -> bool) {
    let pause = Duration::from_millis(100);
    let mut waited = Duration::ZERO;
    while !so() {
        assert!(waited < PATIENCE, "it never came to this: {what}");
        wait(pause);
        waited += pause;
    }
}

#[expect(clippy::disallowed_methods, reason = "other programs need real time")]
pub(crate) fn wait(time: Duration) {
    std::thread::sleep(time);
}
