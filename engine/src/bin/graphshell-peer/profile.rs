//! The folder in which a device keeps all that it is.
//!
//! ```text
//! profile.json    what this file describes: workspace, names, addresses of peers. No pages
//! device.key      the device's Ed25519 key, unless it lies in the keyring
//! store.key       the key that seals the store, with `--key file`
//! store/          the graph, sealed
//! store.witness   how far own edits may have left; to be left out of backups
//! watch.sock      where a running `watch` takes commands
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use graphshell_sync::{DeviceId, PeerId, WorkspaceId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::args::{KeyPlace, RelayChoice};
use crate::failure::{Failure, Kind, Result};
use crate::files;

/// The version of `profile.json` that is written.
const VERSION: u64 = 1;
/// Longest `profile.json` that is read, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Most devices that a profile knows.
pub(crate) const MAX_PEERS: usize = 256;
/// Longest name of a device, in bytes.
const MAX_NAME: usize = graphshell_sync::limits::MAX_DEVICE_NAME_BYTES;

/// `profile.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    version: u64,
    /// The graph that is kept here.
    pub(crate) workspace: WorkspaceId,
    /// What others see this device as.
    pub(crate) name: String,
    /// Where the keys lie.
    pub(crate) key: KeyPlace,
    /// Tells the keys of several profiles in one keyring apart.
    pub(crate) slot: Uuid,
    /// How devices find each other.
    #[serde(default)]
    pub(crate) network: Network,
    /// The devices that this one was paired with.
    #[serde(default)]
    pub(crate) peers: BTreeMap<DeviceId, PeerEntry>,
    /// Which device an author of entries is, as far as that is known.
    #[serde(default)]
    pub(crate) authors: BTreeMap<PeerId, Author>,
    /// Devices that have not seen this one's new key.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) untold: BTreeSet<DeviceId>,
}

/// The network's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Network {
    /// The relay.
    pub(crate) relay: RelayChoice,
    /// Whether devices of the local network are looked for.
    pub(crate) mdns: bool,
    /// Where to listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,
    /// The port that was used last, so that peers find this device again without any help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
}

/// One paired device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerEntry {
    /// What it calls itself.
    pub(crate) name: String,
    /// Where it was reached last.
    #[serde(default)]
    pub(crate) direct: Vec<SocketAddr>,
    /// The relays at which it can be met.
    #[serde(default)]
    pub(crate) relays: Vec<iroh::RelayUrl>,
    /// When it was paired, in Unix milliseconds.
    pub(crate) paired_ms: u64,
    /// When the last round with it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) synced_ms: Option<u64>,
    /// The author of this device that it was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) knows: Option<PeerId>,
}

/// The device behind an author of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Author {
    /// The device.
    pub(crate) device: DeviceId,
    /// The bytes that prove it: 32 hexadecimal digits.
    pub(crate) incarnation: String,
    /// What it calls itself.
    pub(crate) name: String,
}

/// As much of the file as every version has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

/// An opened profile.
#[derive(Debug)]
pub(crate) struct Profile {
    folder: PathBuf,
    contents: Mutex<Contents>,
    /// Whether it began in a folder without keys and without a store.
    fresh: bool,
}

/// The folder that is meant, whether or not a profile is there.
pub(crate) fn locate(named: Option<PathBuf>) -> Result<PathBuf> {
    let folder = match named {
        Some(folder) => folder,
        None => directories::ProjectDirs::from("org", "graphshell", "graphshell-peer")
            .map(|dirs| dirs.data_dir().to_path_buf())
            .ok_or_else(|| {
                Failure::new(Kind::Profile, "this system names no folder for a program's data")
                    .next("name one with --profile DIR")
            })?,
    };
    std::path::absolute(&folder)
        .map_err(|error| Failure::new(Kind::Profile, format!("{}: {error}", folder.display())))
}

/// Whether a profile is there.
pub(crate) fn exists(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

const FILE: &str = "profile.json";
/// What else a new profile has.
const MADE: [&str; 4] = ["device.key", "store.key", "store", "store.witness"];

impl Contents {
    /// A new profile's.
    pub(crate) fn new(workspace: WorkspaceId, name: String, key: KeyPlace, slot: Uuid) -> Self {
        Contents {
            version: VERSION,
            workspace,
            name,
            key,
            slot,
            network: Network::default(),
            peers: BTreeMap::new(),
            authors: BTreeMap::new(),
            untold: BTreeSet::new(),
        }
    }
}

impl Profile {
    /// Makes a profile where there is none.
    pub(crate) fn create(folder: &Path, contents: Contents) -> Result<Self> {
        if exists(folder) {
            return Err(Failure::new(
                Kind::Profile,
                format!("{} is a profile already", folder.display()),
            )
            .next("`graphshell-peer status` shows it; --profile DIR names another folder"));
        }
        files::make_private_folder(folder)?;
        let fresh = !MADE.iter().any(|name| folder.join(name).exists());
        let profile = Profile { folder: folder.to_owned(), contents: Mutex::new(contents), fresh };
        profile.write(&profile.lock())?;
        Ok(profile)
    }

    /// Opens the profile in `folder`. A file of a later version is refused, and stays as it is.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let contents = Mutex::new(load(folder)?);
        Ok(Profile { folder: folder.to_owned(), contents, fresh: false })
    }

    /// Reads again what is written.
    pub(crate) fn reload(&self) -> Result<()> {
        *self.lock() = load(&self.folder)?;
        Ok(())
    }

    /// Takes back what [`create`](Self::create) and opening the store did, when what had to follow
    /// failed. Keys and a store that were there before stay.
    pub(crate) fn discard(&self) {
        let _ = std::fs::remove_file(self.folder.join(FILE));
        if !self.fresh {
            return;
        }
        for path in MADE.map(|name| self.folder.join(name)) {
            let _ = match path.is_dir() {
                true => std::fs::remove_dir_all(path),
                false => std::fs::remove_file(path),
            };
        }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of the profile.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A copy of what is written.
    pub(crate) fn read(&self) -> Contents {
        self.lock().clone()
    }

    /// Changes what is written, if `change` changes anything. To be called only by whoever holds the
    /// store, so that there is one writer.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> Result<T> {
        let mut contents = self.lock();
        let mut changed = contents.clone();
        let result = change(&mut changed);
        if changed != *contents {
            self.write(&changed)?;
            *contents = changed;
        }
        Ok(result)
    }

    /// What the device is called here; the beginning of its key if it has no name.
    pub(crate) fn name_of(&self, device: DeviceId) -> String {
        let contents = self.lock();
        let name = contents.peers.get(&device).map(|peer| peer.name.clone());
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| short(&device.to_string()))
    }

    fn write(&self, contents: &Contents) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(contents).expect("names and numbers are JSON");
        text.push(b'\n');
        files::replace(&self.folder.join(FILE), &text)
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no code that holds this lock panics")
    }
}

/// What is written in `folder`. A file of a later version is refused, and stays as it is.
fn load(folder: &Path) -> Result<Contents> {
    let path = folder.join(FILE);
    let shown = path.display();
    let Some(bytes) = files::read(&path, MAX_BYTES)? else {
        return Err(Failure::new(
            Kind::Profile,
            format!("there is no profile in {}", folder.display()),
        )
        .next(
            "`graphshell-peer init` begins one, `graphshell-peer pair TICKET` joins another \
             device; --profile DIR names another folder",
        ));
    };
    let damaged = |error: serde_json::Error| {
        Failure::new(Kind::Profile, format!("{shown} is no profile: {error}")).next(
            "put back a copy of this file if you have one; the graph itself lies in store/ and \
             is not touched",
        )
    };
    let AnyVersion { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version != VERSION {
        return Err(Failure::new(
            Kind::Profile,
            format!("{shown} has version {version}, this program reads version {VERSION}"),
        )
        .next("use the version of graphshell-peer that wrote it; nothing was changed"));
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}

/// As much of an id as people are shown.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

/// A name as it is kept: one line without edges, not too long.
pub(crate) fn tidy_name(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let mut name = words.join(" ");
    while name.len() > MAX_NAME {
        name.pop();
    }
    name.trim_end().to_owned()
}

/// The computer's name, as far as a file tells it.
pub(crate) fn computer_name() -> String {
    let read = |path| std::fs::read_to_string(path).ok();
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"));
    let name = tidy_name(&name.unwrap_or_default());
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let mut contents = Contents::new(
            WorkspaceId(Uuid::from_u128(7)),
            "laptop".to_owned(),
            KeyPlace::File,
            Uuid::from_u128(9),
        );
        let peer = PeerEntry {
            name: "phone".to_owned(),
            direct: vec!["[::1]:7".parse().unwrap()],
            ..PeerEntry::default()
        };
        contents.peers.insert(DeviceId([3; 32]), peer);
        contents
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("deep").join("profile");
        let profile = Profile::create(&folder, contents()).unwrap();
        profile.change(|contents| contents.network.port = Some(4711)).unwrap();
        assert_eq!(Profile::open(&folder).unwrap().read(), profile.read());
        let again = Profile::create(&folder, contents()).unwrap_err();
        assert_eq!(again.kind, Kind::Profile);
        assert_eq!(profile.name_of(DeviceId([3; 32])), "phone");
        assert_eq!(profile.name_of(DeviceId([0xab; 32])), "abababab");
    }

    #[test]
    fn later_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let later = r#"{"version": 2, "something": "new"}"#;
        std::fs::write(&path, later).unwrap();
        let refused = Profile::open(folder.path()).unwrap_err();
        assert_eq!(refused.kind, Kind::Profile);
        assert!(refused.what.contains("version 2"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), later);
    }

    #[test]
    fn nonsense_is_named_and_does_not_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let good = serde_json::to_string(&contents()).unwrap();
        for end in 0..good.len() {
            std::fs::write(&path, &good[..end]).unwrap();
            let refused = Profile::open(folder.path()).unwrap_err();
            assert!(refused.what.contains(FILE), "{refused}");
        }
        std::fs::write(&path, good.replace("\"off\"", "\"nonsense\"")).unwrap();
        assert!(Profile::open(folder.path()).is_err());
    }

    #[test]
    fn names_are_one_line_and_bounded() {
        assert_eq!(tidy_name("  my\n old\tphone "), "my old phone");
        assert_eq!(tidy_name(&"x".repeat(500)).len(), MAX_NAME);
    }
}
