//! Two hosts, and between them a link whose two halves stand in namespaces of their own:
//!
//! ```text
//! ada 10.77.0.1 (or .3) ──veth── half with the address of ben ··· half with those of ada ──veth── ben 10.77.0.2
//! ```
//!
//! To each host the half on its side is the other host.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::support::Device;

/// The port of every program and every half.
pub const PORT: u16 = 7001;
/// Ada's address.
pub const ADA: &str = "10.77.0.1";
/// Ada's address after it changed.
pub const ADA_LATER: &str = "10.77.0.3";
/// Ben's address.
pub const BEN: &str = "10.77.0.2";

const PREFIX: &str = "graphshell-";

/// Whether namespaces can be made here; if not, why.
pub fn allowed() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("network namespaces are a matter of Linux".to_owned());
    }
    sweep();
    let probe = format!("{PREFIX}{}-probe", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &probe]).output();
    let made = made.map_err(|error| format!("`ip` of iproute2 cannot be run: {error}"))?;
    if !made.status.success() {
        let why = String::from_utf8_lossy(&made.stderr);
        return Err(format!("`ip netns add` is not allowed (root is needed): {}", why.trim()));
    }
    let linked = Command::new("ip")
        .args(["-n", &probe, "link", "add", "left", "type", "veth", "peer", "name", "right"])
        .output();
    ip(&["netns", "del", &probe]);
    match linked {
        Ok(linked) if linked.status.success() => Ok(()),
        Ok(linked) => Err(format!(
            "the kernel makes no veth: {}",
            String::from_utf8_lossy(&linked.stderr).trim()
        )),
        Err(error) => Err(format!("`ip` of iproute2 cannot be run: {error}")),
    }
}

/// Removes namespaces of tests that were killed.
fn sweep() {
    let Ok(listed) = Command::new("ip").args(["netns", "list"]).output() else { return };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for name in listed.lines().filter_map(|line| line.split(' ').next()) {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let lives = |process: &str| std::path::Path::new("/proc").join(process).exists();
        if process.is_some_and(|process| !lives(process)) {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(args: &[&str]) {
    let done = Command::new("ip").args(args).output().expect("`ip` could be run before");
    assert!(done.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// One half of the link.
struct Half {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Half {
    fn start(namespace: &str, sockets: [&str; 2], faces: &[&str]) -> Self {
        let own = std::env::current_exe().expect("this test is a file");
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", namespace])
            .arg(own)
            .arg("forward")
            .args(sockets)
            .args(faces);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this test can be run again");
        let orders = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut half = Half { child, orders, answers };
        assert_eq!(half.answer(), "ready");
        half
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a half of the link answers");
        line.trim().to_owned()
    }

    /// Returns how many datagrams were dropped so far.
    fn order(&mut self, delay_ms: u64, loss_percent: u64) -> u64 {
        writeln!(self.orders, "{delay_ms} {loss_percent}").expect("a half of the link obeys");
        self.answer().parse().expect("a half of the link answers with a number")
    }
}

/// The two hosts and their link; all of it is removed when this is dropped.
pub struct Lab {
    names: [String; 4],
    halves: Vec<Half>,
    folder: TempDir,
}

impl Lab {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("link").tempdir().expect("a folder");
        let process = std::process::id();
        let names = ["ada", "left", "right", "ben"].map(|name| format!("{PREFIX}{process}-{name}"));
        let mut lab = Lab { names, halves: Vec::new(), folder };
        lab.names.iter().for_each(|name| ip(&["netns", "add", name]));
        let [ada, left, right, ben] = lab.names.each_ref().map(String::as_str);
        for (host, half) in [(ada, left), (ben, right)] {
            ip(&[
                "-n", host, "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns",
                half,
            ]);
        }
        let addresses: [(&str, &[&str]); 4] =
            [(ada, &[ADA]), (left, &[BEN]), (right, &[ADA, ADA_LATER]), (ben, &[BEN])];
        for (name, all) in addresses {
            all.iter()
                .for_each(|at| ip(&["-n", name, "addr", "add", &format!("{at}/24"), "dev", "up0"]));
            ip(&["-n", name, "link", "set", "lo", "up"]);
            ip(&["-n", name, "link", "set", "up0", "up"]);
        }
        let socket = |name: &str| lab.folder.path().join(name).to_str().expect("UTF-8").to_owned();
        let (at_left, at_right) = (socket("left"), socket("right"));
        let halves = vec![
            Half::start(left, [&at_left, &at_right], &[BEN]),
            Half::start(right, [&at_right, &at_left], &[ADA, ADA_LATER]),
        ];
        lab.halves = halves;
        lab
    }

    fn device(&self, name: &str, namespace: &str) -> Device {
        Device::empty(name).through(&["ip", "netns", "exec", namespace])
    }

    /// Two devices, one on each host, that share a graph.
    pub fn devices(&self) -> (Device, Device) {
        let ada = self.device("ada", &self.names[0]);
        let ben = self.device("ben", &self.names[3]);
        let listen = format!("0.0.0.0:{PORT}");
        ada.ok(&["init", "--name", "ada", "--key", "file", "--listen", &listen]);
        let inviting = ada.start(&["pair", "--yes", "--json"]);
        let ticket = inviting.item("ticket")["ticket"].as_str().expect("a text").to_owned();
        ben.ok(&["pair", &ticket, "--yes", "--name", "ben", "--key", "file", "--listen", &listen]);
        inviting.item("paired");
        let done = inviting.end();
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
        (ada, ben)
    }

    /// Delays every datagram, in each direction, and drops some; returns how many were dropped before.
    pub fn make_bad(&mut self, delay_ms: u64, loss_percent: u64) -> u64 {
        self.halves.iter_mut().map(|half| half.order(delay_ms, loss_percent)).sum()
    }

    pub fn cut(&mut self) {
        self.make_bad(0, 100);
    }

    /// Lets all pass again; returns how many datagrams were dropped before.
    pub fn heal(&mut self) -> u64 {
        self.make_bad(0, 0)
    }

    /// Bounds what the hosts can send, so that a transfer takes its time.
    pub fn make_narrow(&self, rate: &str) {
        for (host, name) in [(0, "ada"), (3, "ben")] {
            let narrow = ["qdisc", "add", "dev", "up0", "root", "tbf", "rate", rate];
            let queue = ["burst", "32kbit", "latency", "200ms"];
            let mut command = Command::new("tc");
            let done = command.arg("-n").arg(&self.names[host]).args(narrow).args(queue).output();
            let done = done.expect("`tc` comes with `ip`");
            assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }

    /// Gives Ada's host another address, as if it went to another network.
    pub fn move_ada(&self) {
        ip(&["-n", &self.names[0], "addr", "add", &format!("{ADA_LATER}/24"), "dev", "up0"]);
        ip(&["-n", &self.names[0], "addr", "del", &format!("{ADA}/24"), "dev", "up0"]);
        // The second address of a net falls with the first one, unless the kernel promotes it.
        let again =
            ["-n", &self.names[0], "addr", "replace", &format!("{ADA_LATER}/24"), "dev", "up0"];
        ip(&again);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for half in &mut self.halves {
            let _ = half.child.kill();
            let _ = half.child.wait();
        }
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
        }
    }
}
