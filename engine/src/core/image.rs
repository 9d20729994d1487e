//! The whole core as bytes, taken at rest: what a recording goes on from when its beginning was
//! dropped.
//!
//! A snapshot says what the log would give. This says in addition what only the running core knows:
//! how far the witness promised, which numbers were given, who was suspected. A core that is made of
//! an image does what the one that it was taken of would have done, output by output.

use std::collections::{BTreeMap, BTreeSet};

use super::offer::{Offer, Offers};
use super::open::{Replay, Seeds};
use super::{Core, Edits};
use crate::api::{Chore, Config};
use crate::author::AuthorIx;
use crate::codec::{DecodeError, Reader, put_varint};
use crate::hash::Hash;
use crate::id::{DeviceId, Incarnation, PeerId};
use crate::limits::{MAX_NAMES, MAX_SNAPSHOT_BYTES};
use crate::ports::StoreError;
use crate::record::Snapshot;

const IMAGE_VERSION: u8 = 2;
const CHORES: [Chore; 3] = [Chore::Compaction, Chore::Checkpoint, Chore::Serving];

impl Core {
    /// Whether nothing is under way: no round, call, load, promise or write, and nothing to be told.
    pub(crate) fn at_rest(&self) -> bool {
        let silent = self.outputs.is_empty()
            && self.rounds.is_empty()
            && self.asks.is_empty()
            && self.loads.is_empty()
            && self.open_answers.is_empty()
            && self.promising.is_none()
            && self.after_promise.is_empty()
            && self.joining.is_none();
        silent && !self.ended && self.is_still() && self.edits.all_settled()
    }

    /// The core as bytes. Only [at rest](Self::at_rest).
    pub(crate) fn image(&self) -> Vec<u8> {
        debug_assert!(self.at_rest(), "what is under way has no place in an image");
        // Exhaustive, so that nobody adds a field without deciding what becomes of it here.
        let Core {
            authors,
            edits,
            me,
            named_device,
            incarnation,
            named,
            introduced: _,
            looked,
            table_key,
            next_incarnation,
            promised,
            confirmed,
            suspected,
            held_back,
            next_call,
            next_ticket,
            snapshot_at,
            checkpoint_wanted,
            compaction,
            offers,
            hindrances,
            // Known to whoever reads the image.
            config: _,
            // In the snapshot, but for names under a former key, which decide nothing at rest.
            state: _,
            ledger: _,
            index: _,
            parked: _,
            pipeline: _,
            incarnations: _,
            names: _,
            consents: _,
            acknowledged: _,
            forks: _,
            root: _,
            // Diagnostics, which decide nothing.
            counters: _,
            // Empty at rest.
            promising: _,
            after_promise: _,
            healing: _,
            rounds: _,
            asks: _,
            loads: _,
            open_answers: _,
            saving: _,
            joining: _,
            ended: _,
            outputs: _,
        } = self;
        let mut out = vec![IMAGE_VERSION];
        table_key.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        out.extend_from_slice(&incarnation.0);
        out.extend_from_slice(&next_incarnation.0);
        out.extend_from_slice(&named_device.0);
        let flags = [*named, *held_back, *looked, *checkpoint_wanted, compaction.is_wanted()];
        out.extend(flags.map(u8::from));
        put_varint(&mut out, authors.len() as u64);
        for number in 0..authors.len() as u32 {
            out.extend_from_slice(authors.peer(AuthorIx(number)).0.as_bytes());
        }
        put_numbers(&mut out, std::slice::from_ref(me).iter());
        put_varint(&mut out, suspected.len() as u64);
        for (author, devices) in suspected {
            put_numbers(&mut out, std::slice::from_ref(author).iter());
            put_varint(&mut out, devices.len() as u64);
            devices.iter().for_each(|device| out.extend_from_slice(&device.0));
        }
        put_numbers(&mut out, edits.advanced().iter());
        let counters = [
            *promised,
            *confirmed,
            *next_call,
            *next_ticket,
            edits.last_receipt(),
            *snapshot_at,
            compaction.first,
            compaction.tried_at,
        ];
        counters.iter().for_each(|&counter| put_varint(&mut out, counter));
        offers.encode(&mut out);
        put_hindrances(&mut out, hindrances);
        let snapshot = self.snapshot();
        put_varint(&mut out, snapshot.position);
        out.extend_from_slice(&snapshot.bytes);
        out
    }

    /// The core of an image that was taken of a workspace opened with `config`.
    ///
    /// # Errors
    /// If the bytes are none that [`image`](Self::image) writes.
    pub(crate) fn from_image(config: Config, bytes: &[u8]) -> Result<Core, DecodeError> {
        let mut reader = Reader::new(bytes);
        let read = &mut reader;
        if read.u8("an image's version")? != IMAGE_VERSION {
            return Err(DecodeError { offset: 0, expected: "image version 2" });
        }
        let mut table = [0; 4];
        for word in &mut table {
            *word = u64::from_le_bytes(read.array("a key of 32 bytes")?);
        }
        let incarnation = Incarnation(read.array("an incarnation")?);
        let next = Incarnation(read.array("an incarnation")?);
        let named_device = DeviceId(read.array("a device id")?);
        let mut flags = [false; 5];
        for flag in &mut flags {
            *flag = read.bounded(1, "0 or 1")? == 1;
        }
        let seeds = Seeds { table, first: incarnation, next };
        let mut core = Replay::new(config, seeds, 0, Vec::new()).into_core();
        let count = read.bounded(MAX_NAMES, "a number of authors")?;
        for number in 0..count {
            let start = read.clone();
            let peer = PeerId(read.uuid("an author id")?);
            if core.ledger.intern(&mut core.authors, peer).index() != number {
                return Err(start.error("each author once"));
            }
        }
        let me = numbers(read, count)?;
        for _ in 0..read.bounded(count, "a number of authors")? {
            let author = numbers(read, count)?;
            let mut devices = BTreeSet::new();
            for _ in 0..read.bounded(read.remaining() / 32, "a number of devices")? {
                devices.insert(DeviceId(read.array("a device id")?));
            }
            core.suspected.extend(author.into_iter().map(|author| (author, devices.clone())));
        }
        let advanced = numbers(read, count)?;
        let mut counters = [0; 8];
        for counter in &mut counters {
            *counter = read.varint("a counter")?;
        }
        core.offers.restore(read)?;
        core.hindrances = hindrances(read)?;
        let position = read.varint("a position")?;
        let rest = read.offset();
        let snapshot = Snapshot { position, bytes: read.rest().to_vec(), ..Snapshot::default() };
        core.restore(&snapshot).map_err(|mut error| {
            error.offset += rest;
            error
        })?;
        let [me] = me[..] else { return Err(reader.error("one own author")) };
        let [promised, confirmed, next_call, next_ticket, receipt, snapshot_at, first, tried_at] =
            counters;
        core.me = me;
        (core.incarnation, core.named_device) = (incarnation, named_device);
        (core.promised, core.confirmed) = (promised, confirmed);
        (core.next_call, core.next_ticket) = (next_call, next_ticket);
        core.snapshot_at = snapshot_at;
        (core.compaction.first, core.compaction.tried_at) = (first, tried_at);
        let [named, held_back, looked, checkpoint_wanted, compaction_wanted] = flags;
        (core.named, core.held_back, core.looked) = (named, held_back, looked);
        // At rest no entry waits for the witness.
        core.introduced = named;
        core.checkpoint_wanted = checkpoint_wanted;
        if compaction_wanted {
            core.want_compaction();
        }
        let imported = core.edits.imported;
        core.edits = Edits::starting_at(receipt);
        core.edits.imported = imported;
        advanced.into_iter().for_each(|author| core.edits.advance(author));
        Ok(core)
    }
}

fn put_numbers<'a>(out: &mut Vec<u8>, authors: impl ExactSizeIterator<Item = &'a AuthorIx>) {
    put_varint(out, authors.len() as u64);
    authors.for_each(|author| put_varint(out, u64::from(author.0)));
}

fn numbers(read: &mut Reader<'_>, authors: usize) -> Result<Vec<AuthorIx>, DecodeError> {
    let count = read.bounded(authors, "a number of authors")?;
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let start = read.clone();
        let number = read.bounded(authors, "an author's number")?;
        if number == authors {
            return Err(start.error("an author's number"));
        }
        all.push(AuthorIx(number as u32));
    }
    Ok(all)
}

fn put_hindrances(out: &mut Vec<u8>, hindrances: &BTreeMap<Chore, StoreError>) {
    put_varint(out, hindrances.len() as u64);
    for (chore, error) in hindrances {
        let (code, why) = match error {
            StoreError::Refused(why) => (0, why),
            StoreError::Failed(why) => (1, why),
            StoreError::Damaged(why) => (2, why),
        };
        out.extend_from_slice(&[*chore as u8, code]);
        put_varint(out, why.len() as u64);
        out.extend_from_slice(why.as_bytes());
    }
}

fn hindrances(read: &mut Reader<'_>) -> Result<BTreeMap<Chore, StoreError>, DecodeError> {
    let mut all = BTreeMap::new();
    for _ in 0..read.bounded(CHORES.len(), "a number of chores")? {
        let chore = CHORES[read.bounded(CHORES.len() - 1, "a chore")?];
        let start = read.clone();
        let code = read.bounded(2, "an error: 0 to 2")?;
        let length = read.bounded(usize::MAX, "a text's length")?;
        let why = std::str::from_utf8(read.bytes(length, "a text of the given length")?);
        let why = why.map_err(|_| start.error("a text in UTF-8"))?.to_owned();
        let errors = [StoreError::Refused, StoreError::Failed, StoreError::Damaged];
        all.insert(chore, errors[code](why));
    }
    Ok(all)
}

impl Offers {
    fn encode(&self, out: &mut Vec<u8>) {
        let Some(offer) = &self.offer else { return out.push(0) };
        out.push(1);
        out.extend_from_slice(&offer.id.0);
        put_varint(out, offer.bytes.len() as u64);
        out.extend_from_slice(&offer.bytes);
        put_varint(out, offer.covers.len() as u64);
        offer.covers.iter().for_each(|&covered| put_varint(out, covered));
        put_varint(out, offer.kept_until);
    }

    fn restore(&mut self, read: &mut Reader<'_>) -> Result<(), DecodeError> {
        if read.bounded(1, "0 or 1")? == 0 {
            return Ok(());
        }
        let id = Hash(read.array("a snapshot's hash")?);
        let length = read.bounded(MAX_SNAPSHOT_BYTES, "a snapshot's length")?;
        let bytes = read.bytes(length, "a snapshot")?.to_vec();
        let mut covers = Vec::new();
        for _ in 0..read.bounded(MAX_NAMES, "a number of authors")? {
            covers.push(read.varint("a sequence")?);
        }
        let kept_until = read.varint("a position")?;
        self.offer = Some(Offer { id, bytes, covers, kept_until });
        Ok(())
    }
}
