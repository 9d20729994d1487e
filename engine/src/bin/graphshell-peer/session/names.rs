//! Who is behind an author: devices that know each other tell what they know.
//!
//! An author's id is a hash of its device's key and a random incarnation, so whoever is told both can see
//! that they belong together. The names that come with it are hearsay, and only shown.

use std::time::Duration;

use graphshell_sync::ports::Witness;
use graphshell_sync::store::disk::DeviceWitness;
use graphshell_sync::{DeviceId, Incarnation, PeerId};
use iroh::endpoint::Connection;
use iroh::protocol::{AcceptError, ProtocolHandler};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::Session;
use super::host::Book;
use crate::command::Share;
use crate::profile::{Author, Contents, tidy_name};

/// The protocol's name.
pub(super) const ALPN: &[u8] = b"/graphshell-peer/names/1";
/// Most authors that are told and kept; a workspace has no more.
const MAX_AUTHORS: usize = graphshell_sync::limits::MAX_AUTHORS;
/// Longest answer, in bytes.
const MAX_BYTES: usize = 512 * 1024;
/// How long an exchange may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// One author.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    device: DeviceId,
    /// 32 hexadecimal digits.
    incarnation: String,
    name: String,
}

/// Answers devices that the graph is shared with.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) book: Book,
    pub(super) device: DeviceId,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl ProtocolHandler for Names {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        let device = DeviceId(*connection.remote_id().as_bytes());
        if self.book.access(device) == Share::Stopped {
            connection.close(2u32.into(), b"the workspace is not shared with you");
            return Ok(());
        }
        let answer = async {
            let (mut to, mut from) = connection.accept_bi().await?;
            let told = from.read_to_end(MAX_BYTES).await.unwrap_or_default();
            self.book.learn(&told);
            if to.write_all(&self.book.tells(self.device).await).await.is_ok()
                && to.finish().is_ok()
            {
                connection.closed().await;
            }
            Ok::<_, AcceptError>(())
        };
        timeout(DEADLINE, answer).await.unwrap_or(Ok(()))
    }
}

/// What this device tells: itself, and whom it knows.
fn rows(contents: &Contents, me: DeviceId) -> Vec<Row> {
    let mut rows: Vec<Row> = contents
        .authors
        .values()
        .map(|author| Row {
            device: author.device,
            incarnation: author.incarnation.clone(),
            name: match contents.peers.get(&author.device) {
                _ if author.device == me => contents.name.clone(),
                Some(peer) => peer.name.clone(),
                None => author.name.clone(),
            },
        })
        .collect();
    rows.truncate(MAX_AUTHORS);
    rows
}

impl Session {
    /// Exchanges authors with a device, if it may know one that nobody knows here, or does not know this
    /// device's. Nothing depends on it.
    pub(super) async fn learn_names(&self, device: DeviceId) {
        let book = self.book();
        book.note_own_author(self.device).await;
        let mut contents = self.profile.read();
        let me = Some(self.workspace.peer_id()).filter(|me| contents.authors.contains_key(me));
        let Some(backend) = self.workspace.network().backend() else { return };
        let Some(peer) = contents.peers.remove(&device) else { return };
        let Some(address) = crate::network::address(device, &peer) else { return };
        if book.strangers().is_empty() && peer.knows == me {
            return;
        }
        let exchange = async {
            let connection = backend.endpoint().connect(address, ALPN).await.ok()?;
            let (mut to, mut from) = connection.open_bi().await.ok()?;
            to.write_all(&book.tells(self.device).await).await.ok()?;
            to.finish().ok()?;
            let told = from.read_to_end(MAX_BYTES).await.ok()?;
            connection.close(0u32.into(), b"");
            Some(told)
        };
        let Ok(Some(told)) = timeout(DEADLINE, exchange).await else { return };
        book.learn(&told);
        let _ = self.profile.change(|contents| {
            if let Some(peer) = contents.peers.get_mut(&device) {
                peer.knows = me;
            }
        });
    }
}

impl Book {
    /// Authors of whom it is not known which device they are.
    fn strangers(&self) -> Vec<PeerId> {
        let known = self.profile.read().authors;
        let vector = self.workspace.version_vector();
        vector.iter().map(|(peer, _)| peer).filter(|peer| !known.contains_key(peer)).collect()
    }

    /// What this device says.
    async fn tells(&self, device: DeviceId) -> Vec<u8> {
        self.note_own_author(device).await;
        serde_json::to_vec(&rows(&self.profile.read(), device)).unwrap_or_default()
    }

    /// Writes down what another device said of authors that are in the graph and not known.
    fn learn(&self, told: &[u8]) {
        let Ok(rows) = serde_json::from_slice::<Vec<Row>>(told) else { return };
        let strangers = self.strangers();
        let learned: Vec<(PeerId, Author)> = rows
            .into_iter()
            .take(MAX_AUTHORS)
            .filter_map(checked)
            .filter(|(author, _)| strangers.contains(author))
            .collect();
        let _ = self.profile.change(|contents| contents.authors.extend(learned));
    }
}

impl Book {
    /// Writes down who authors here, once that has left this device; before, nobody can ask.
    pub(super) async fn note_own_author(&self, device: DeviceId) {
        let author = self.workspace.peer_id();
        if self.profile.read().authors.contains_key(&author) {
            return;
        }
        let Ok(witness) = DeviceWitness::beside(&self.profile.file("store")) else { return };
        let Ok(Some(promise)) = witness.read().await else { return };
        if PeerId::derive(device, promise.incarnation) != author {
            return;
        }
        let incarnation = data_encoding::HEXLOWER.encode(&promise.incarnation.0);
        let _ = self.profile.change(|contents| {
            let name = contents.name.clone();
            contents.authors.insert(author, Author { device, incarnation, name });
        });
    }
}

/// The author that a row proves.
fn checked(row: Row) -> Option<(PeerId, Author)> {
    let bytes = data_encoding::HEXLOWER.decode(row.incarnation.as_bytes()).ok()?;
    let incarnation = Incarnation(bytes.try_into().ok()?);
    let name = tidy_name(&row.name);
    let author = Author { device: row.device, incarnation: row.incarnation, name };
    Some((PeerId::derive(row.device, incarnation), author))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_proves_its_author_and_no_other() {
        let row = |incarnation: &str| Row {
            device: DeviceId([7; 32]),
            incarnation: incarnation.to_owned(),
            name: "  my\tphone ".to_owned(),
        };
        let (author, kept) = checked(row(&"0f".repeat(16))).unwrap();
        assert_eq!(author, PeerId::derive(DeviceId([7; 32]), Incarnation([0x0f; 16])));
        assert_eq!(kept.name, "my phone");
        for nonsense in ["", "0f", &"0g".repeat(16), &"0f".repeat(17)] {
            assert!(checked(row(nonsense)).is_none(), "{nonsense}");
        }
    }
}
