//! Commands for the `watch` that holds the profile, over a Unix socket in it.
//!
//! A frame is its length (4 bytes, little endian) and JSON. The asking side sends one [`Request`] and
//! then, if asked, [`Answer`](crate::command::Answer)s; the other side sends [`Reply`]s. Whoever goes away
//! ends the command. Both sides belong to one user: the folder and the socket are open to nobody else.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::command::Command;
use crate::failure::{Failure, Kind, Result};
use crate::item::Item;

#[cfg(unix)]
pub(crate) use unix::{Listener, carry_out, connect};

/// The version of this exchange.
const VERSION: u32 = 1;
/// Longest frame, in bytes.
const MAX_FRAME: usize = 1024 * 1024;

/// What the asking side wants.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    version: u32,
    /// Read only once the version is known to be the same.
    command: serde_json::Value,
}

/// What the other side says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Item(Box<Item>),
    Done,
    Failed(Failure),
}

async fn send<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    let text = serde_json::to_vec(value)?;
    if text.len() > MAX_FRAME {
        return Err(io::Error::other(format!("a frame of {} bytes is too long", text.len())));
    }
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend(text);
    stream.write_all(&frame).await
}

/// The next frame; `None` if the other side is done.
async fn receive<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a frame of {length} bytes is too long")));
    }
    // Grows with what comes, not with what is claimed.
    let mut text = Vec::new();
    stream.take(length as u64).read_to_end(&mut text).await?;
    if text.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&text)?))
}

fn other_version(version: u32) -> Failure {
    Failure::new(
        Kind::InUse,
        format!("the running watch and this program differ: version {version} against {VERSION}"),
    )
    .next("end the watch and begin it with the same program")
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;
    use tokio::time::timeout;

    use super::*;
    use crate::command::Answer;
    use crate::profile::Profile;
    use crate::session::{Dialog, Session};

    const SOCKET: &str = "watch.sock";
    /// Most commands that are carried out at once.
    const MAX_CLIENTS: usize = 16;
    /// How long whoever connects may take to say what it wants.
    const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
    /// Items that run ahead of their reader.
    const ITEMS_AHEAD: usize = 64;

    /// The running watch, if there is one.
    pub(crate) async fn connect(profile: &Profile) -> Option<UnixStream> {
        // What a dead one left refuses.
        UnixStream::connect(profile.file(SOCKET)).await.ok()
    }

    /// Has a command carried out by the watch at the other end.
    pub(crate) async fn carry_out(
        stream: UnixStream,
        command: &Command,
        out: &Dialog,
    ) -> Result<()> {
        let gone = |why: &dyn std::fmt::Display| {
            Failure::failed(format!("the running watch is gone: {why}"))
                .next("see whether it ended, then try again")
        };
        let (mut from, mut to) = stream.into_split();
        let command = serde_json::to_value(command).map_err(|error| gone(&error))?;
        send(&mut to, &Request { version: VERSION, command }).await.map_err(|e| gone(&e))?;
        // A person may think for long, and the watch may end the command meanwhile.
        let (asked, mut questions) = mpsc::channel(1);
        let answer = async {
            while questions.recv().await.is_some() {
                let answer = out.answer().await;
                send(&mut to, &answer).await.map_err(|error| gone(&error))?;
            }
            Ok(())
        };
        let listen = async {
            loop {
                match receive::<Reply>(&mut from).await.map_err(|error| gone(&error))? {
                    Some(Reply::Item(item)) => {
                        let asks = matches!(*item, Item::Fingerprint { .. });
                        out.tell(*item).await?;
                        if asks {
                            let _ = asked.send(()).await;
                        }
                    }
                    Some(Reply::Done) => return Ok(()),
                    Some(Reply::Failed(failure)) => return Err(failure),
                    None => return Err(gone(&"it said nothing more")),
                }
            }
        };
        tokio::select! {
            result = listen => result,
            Err(failure) = answer => Err(failure),
        }
    }

    /// The socket of a watch; its file is removed when it is dropped.
    pub(crate) struct Listener {
        listener: UnixListener,
        path: PathBuf,
        owner: u32,
    }

    impl Listener {
        /// Binds the socket. Only whoever holds the store may do this, so what is there is dead.
        pub(crate) fn bind(profile: &Profile) -> Result<Self> {
            let path = profile.file(SOCKET);
            let failed = |error: io::Error| {
                Failure::failed(format!(
                    "cannot listen for commands at {}: {error}",
                    path.display()
                ))
                .next("a socket's path may have about 100 bytes: move the profile to a shorter one")
            };
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
            let listener = UnixListener::bind(&path).map_err(failed)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
            let owner = fs::metadata(&path).map_err(failed)?.uid();
            Ok(Listener { listener, path, owner })
        }

        /// Carries out commands until dropped.
        pub(crate) async fn serve(&self, session: &Arc<Session>) {
            let mut clients = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = self.listener.accept() => {
                        let Ok((stream, _)) = accepted else {
                            // Out of file descriptors, say.
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            continue;
                        };
                        let ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner);
                        if ours && clients.len() < MAX_CLIENTS {
                            let session = Arc::clone(session);
                            clients.spawn(async move { serve(stream, &session).await });
                        }
                    }
                    Some(_) = clients.join_next() => {}
                }
            }
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.path);
        }
    }

    async fn serve(stream: UnixStream, session: &Session) {
        let (mut from, mut to) = stream.into_split();
        let request = timeout(REQUEST_DEADLINE, receive::<Request>(&mut from)).await;
        let Ok(Ok(Some(Request { version, command }))) = request else { return };
        let command = match serde_json::from_value::<Command>(command) {
            _ if version != VERSION => Err(other_version(version)),
            Err(error) => Err(Failure::new(Kind::Usage, format!("no command: {error}"))),
            Ok(command) => Ok(command),
        };
        let command = match command {
            Ok(command) => command,
            Err(failure) => {
                let _ = send(&mut to, &Reply::Failed(failure)).await;
                return;
            }
        };
        let (items, mut told) = mpsc::channel(ITEMS_AHEAD);
        let (answers, answered) = mpsc::channel(1);
        let work = async {
            let dialog = Dialog::new(items, answered);
            Ok(session.carry_out(command, &dialog).await)
        };
        let pass_on = async {
            while let Some(item) = told.recv().await {
                send(&mut to, &Reply::Item(Box::new(item))).await.map_err(|error| {
                    Failure::failed(format!("the watch cannot pass on its output: {error}"))
                })?;
            }
            Ok(())
        };
        let listen = async {
            // Ends when the asking side goes away.
            while let Ok(Some(answer)) = receive::<Answer>(&mut from).await {
                let _ = answers.send(answer).await;
            }
        };
        let result = tokio::select! {
            both = async { tokio::try_join!(work, pass_on) } => both.and_then(|(result, ())| result),
            () = listen => return,
        };
        let last = match result {
            Ok(()) => Reply::Done,
            Err(failure) => Reply::Failed(failure),
        };
        let _ = send(&mut to, &last).await;
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn frames_are_bounded_and_whole() {
            let (mut a, mut b) = tokio::io::duplex(4 * MAX_FRAME);
            send(&mut a, &Answer::Confirm).await.unwrap();
            assert_eq!(receive::<Answer>(&mut b).await.unwrap(), Some(Answer::Confirm));
            assert!(send(&mut a, &"x".repeat(MAX_FRAME)).await.is_err());
            a.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
            assert!(receive::<Answer>(&mut b).await.is_err());
            let (mut a, mut b) = tokio::io::duplex(64);
            a.write_all(&[9, 0, 0, 0, b'{']).await.unwrap();
            drop(a);
            assert!(receive::<Answer>(&mut b).await.is_err());
            assert!(receive::<Answer>(&mut b).await.unwrap().is_none());
        }
    }
}
