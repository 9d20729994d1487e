//! What a store shows after it was opened is what it was given: every acknowledged write, of an
//! unacknowledged one all or nothing, and nothing else. So no name ever stands for two contents.
//!
//! A disk that did nothing wrong never makes a store say that something is lost or unusable. A
//! disk that lost acknowledged bytes makes it say so, if a part of the store that the disk kept
//! whole knows better.

use graphshell_sync::ports::Opened;
use graphshell_sync::{Record, Snapshot};

use super::Finding;
use crate::world::image::{Contents, Image};
use crate::world::store::What;

/// What one opened store shows.
pub(crate) struct Shows<'a> {
    peer: usize,
    opened: &'a Opened,
    records: Vec<Vec<u8>>,
}

impl<'a> Shows<'a> {
    /// `records` are all that it has.
    pub(crate) fn new(peer: usize, opened: &'a Opened, records: &[Record]) -> Self {
        Shows { peer, opened, records: records.iter().map(Record::encode).collect() }
    }

    /// Whether it shows exactly what the image holds, snapshots aside.
    pub(crate) fn is(&self, image: &Image) -> bool {
        (self.opened.first, self.opened.end) == (image.first, image.end())
            && self.opened.base == image.base
            && self.records.iter().map(Vec::as_slice).eq(image.records.iter().map(AsRef::as_ref))
    }

    /// After how many of these writes, without the one `missing`, the disk held what it shows, and
    /// what that was; the latest if there are several. `recoveries` are the bases that told what the log
    /// had lost, and what they told.
    pub(crate) fn once(
        &self,
        writes: &[What],
        missing: Option<usize>,
        recoveries: &[(Snapshot, Contents)],
    ) -> Option<(usize, Image)> {
        let mut image = Image::default();
        let mut found = self.is(&image).then(|| (0, image.clone()));
        for (nth, what) in writes.iter().enumerate().filter(|&(nth, _)| Some(nth) != missing) {
            image = what.after(&image).unwrap_or(image);
            let told = recoveries.iter().find(|(base, _)| image.base.as_ref() == Some(base));
            if let (What::Base(..), Some((_, contents))) = (what, told) {
                image.base_tells(contents);
            }
            if self.is(&image) {
                found = Some((nth + 1, image.clone()));
            }
        }
        found
    }

    /// How it differs from the image.
    pub(crate) fn differs(&self, image: &Image) -> Finding {
        let (first, end) = (image.first, image.end());
        let ours = image.records.iter().map(AsRef::as_ref);
        let same = self.records.iter().zip(ours).take_while(|(one, two)| one.as_slice() == *two);
        let same = same.count();
        let base = if self.opened.base == image.base { "the same base" } else { "another base" };
        self.finding(
            "a store shows what was acknowledged",
            format!(
                "records {first} to {end} were acknowledged, {} to {} are shown, the first {same} are \
                 as they were written, on {base}",
                self.opened.first, self.opened.end
            ),
        )
    }

    /// Judges what it says of its files, unless the disk did wrong.
    pub(crate) fn no_false_alarm(&self, excused: bool) -> Result<(), Finding> {
        if excused {
            return Ok(());
        }
        let what = if let Some(aside) = self.opened.set_aside.first() {
            format!("it put {} aside: {}", aside.name, aside.why)
        } else if self.says_loss() {
            let Opened { end, watermark, .. } = self.opened;
            format!("its log ends at {end} and it remembers {watermark} records")
        } else {
            return Ok(());
        };
        Err(self.finding("no false alarm", format!("the disk did nothing wrong, but {what}")))
    }

    /// Judges the snapshot that it found: the last one saved, or the one that was being saved.
    pub(crate) fn snapshot_is_one_of(
        &self,
        saved: Option<&Snapshot>,
        saving: Option<&Snapshot>,
        guilty: bool,
    ) -> Result<(), Finding> {
        match &self.opened.snapshot {
            Some(found) if !guilty && ![saved, saving].contains(&Some(found)) => {
                let detail = format!("it shows a snapshot at {} that is not", found.position);
                Err(self.finding("a store shows the snapshot saved last", detail))
            }
            _ => Ok(()),
        }
    }

    /// By how many records, as it says, the log reached farther once.
    pub(crate) fn lost(&self) -> u64 {
        self.opened.watermark.saturating_sub(self.opened.end)
    }

    /// Whether it says that the log reached farther once.
    pub(crate) fn says_loss(&self) -> bool {
        self.lost() > 0
    }

    /// Judges whether it says so, the database, which the disk kept, having been told that the log reached
    /// `acknowledged`.
    pub(crate) fn admits_loss(&self, acknowledged: u64) -> Result<(), Finding> {
        let end = self.opened.end;
        if acknowledged <= end || self.says_loss() || !self.opened.set_aside.is_empty() {
            return Ok(());
        }
        let detail = format!(
            "the log ends at {end}, the database was told of {acknowledged} records, and the store does not say that \
             any are missing"
        );
        Err(self.finding("no loss is silent", detail))
    }

    fn finding(&self, property: &'static str, detail: String) -> Finding {
        Finding { property, peers: vec![self.peer], operations: Vec::new(), detail }
    }
}
