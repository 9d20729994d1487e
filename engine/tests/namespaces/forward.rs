//! One half of a bad link: takes UDP datagrams of the host on its side, delays and drops them, and
//! hands them to the other half in another namespace, which sends them on with the addresses that
//! they came with.
//!
//! `forward LOCAL-SOCKET OTHER-SOCKET FACE…`: a face is an address of the hosts on the other side. The
//! halves talk over Unix sockets, which namespaces of the network do not part. On standard input come
//! lines `DELAY-MS LOSS-PERCENT`; a loss of 100 is a cut. Each is answered with how many were dropped
//! so far.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{UdpSocket, UnixDatagram};

use crate::lab::PORT;

/// Longest datagram of UDP.
const MOST: usize = 65_536;
/// Most datagrams on their way; a real link drops as well when its queue is full.
const QUEUE: usize = 4096;

struct Half {
    faces: Vec<(Ipv4Addr, UdpSocket)>,
    here: UnixDatagram,
    there: PathBuf,
    delay_ms: AtomicU64,
    loss_percent: AtomicU64,
    dropped: AtomicU64,
}

pub fn run(args: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let [local, there, faces @ ..] = args else { panic!("two sockets and faces") };
        let mut bound = Vec::new();
        for face in faces {
            let face: Ipv4Addr = face.parse().unwrap();
            bound.push((face, UdpSocket::bind((face, PORT)).await.unwrap()));
        }
        let here = UnixDatagram::bind(local).unwrap();
        let (delay_ms, loss_percent) = (AtomicU64::new(0), AtomicU64::new(0));
        let (there, dropped) = (there.into(), AtomicU64::new(0));
        let half = Half { faces: bound, here, there, delay_ms, loss_percent, dropped };
        println!("ready");
        tokio::join!(half.obey(), half.come_in(), half.go_out());
    });
}

impl Half {
    /// Takes orders until the test is gone.
    async fn obey(&self) {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let numbers: Vec<u64> =
                line.split(' ').map(|word| word.parse().expect("a number")).collect();
            self.delay_ms.store(numbers[0], Ordering::Relaxed);
            self.loss_percent.store(numbers[1], Ordering::Relaxed);
            println!("{}", self.dropped.load(Ordering::Relaxed));
        }
        std::process::exit(0);
    }

    /// From the host on this side to the other half.
    async fn come_in(&self) {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut on_their_way = FuturesOrdered::new();
        let mut buffers: Vec<Vec<u8>> = self.faces.iter().map(|_| vec![0; MOST]).collect();
        loop {
            let mut receiving: futures_util::stream::FuturesUnordered<_> = self
                .faces
                .iter()
                .zip(&mut buffers)
                .map(async |((face, socket), buffer)| {
                    let (length, from) = socket.recv_from(buffer).await.ok()?;
                    let SocketAddr::V4(from) = from else { return None };
                    let mut datagram = from.ip().octets().to_vec();
                    datagram.extend(face.octets());
                    datagram.extend_from_slice(&buffer[..length]);
                    Some(datagram)
                })
                .collect();
            tokio::select! {
                Some(datagram) = on_their_way.next(), if !on_their_way.is_empty() => {
                    let datagram: Vec<u8> = datagram;
                    // A full queue of the other half is a loss as well.
                    let _ = self.here.try_send_to(&datagram, &self.there);
                }
                Some(Some(datagram)) = receiving.next() => {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let lost = random % 100 < self.loss_percent.load(Ordering::Relaxed);
                    if lost {
                        self.dropped.fetch_add(1, Ordering::Relaxed);
                    } else if on_their_way.len() < QUEUE {
                        let delay = Duration::from_millis(self.delay_ms.load(Ordering::Relaxed));
                        on_their_way.push_back(async move {
                            tokio::time::sleep(delay).await;
                            datagram
                        });
                    }
                }
            }
        }
    }

    /// From the other half to the host on this side.
    async fn go_out(&self) {
        let mut buffer = vec![0; MOST];
        loop {
            let Ok(length) = self.here.recv(&mut buffer).await else { continue };
            let (addresses, datagram) = buffer[..length].split_at(8);
            let address = |at: usize| {
                let octets: [u8; 4] = addresses[at..at + 4].try_into().expect("four bytes");
                Ipv4Addr::from(octets)
            };
            let (from, to) = (address(0), address(4));
            let face = self.faces.iter().find(|(face, _)| *face == from);
            if let Some((_, socket)) = face {
                // Whoever is not there loses it.
                let _ = socket.send_to(datagram, (to, PORT)).await;
            }
        }
    }
}
