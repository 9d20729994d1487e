//! What happens to a disk from outside: power that goes and comes back, bytes that rot.

use super::file::Cut;
use super::{Choice, FileId, Inner, SimDisk, Stop, Topic};

impl SimDisk {
    /// Whether the disk has power.
    pub(crate) fn is_on(&self) -> bool {
        self.lock().on
    }

    /// Lets so many more calls through; the power goes in the one after them.
    pub(crate) fn arm(&self, calls: u32) {
        self.lock().fuse = Some(calls);
    }

    /// No call has an effect until the disk is turned on again.
    pub(crate) fn turn_off(&self) {
        let mut disk = self.lock();
        (disk.on, disk.fuse) = (false, None);
    }

    /// Decides what is left after the disk stopped in this way. Nobody may have it open.
    pub(crate) fn settle(&self, stopped: Stop) {
        let mut disk = self.lock();
        (disk.on, disk.owner, disk.fuse) = (false, None, None);
        if stopped == Stop::PowerCut {
            disk.cut();
        }
    }

    /// Starts the disk again.
    pub(crate) fn turn_on(&self) {
        self.lock().on = true;
    }

    /// Lets the named file rot at a place that hangs on `nth`. False if nothing is there to rot.
    pub(crate) fn rot(&self, name: &str, nth: u64, whole_sector: bool) -> bool {
        let mut disk = self.lock();
        let choice = disk.choices.about(Topic::Rot, [disk.key, nth]);
        let Some(&id) = disk.image.names.get(name) else { return false };
        let rotten =
            disk.image.files.get_mut(&id).is_some_and(|file| file.rot(choice, whole_sector));
        if rotten {
            disk.count("rot", 1);
            disk.blame(id);
        }
        rotten
    }

    /// Rewrites a file behind everybody's back; the disk takes the blame.
    pub(crate) fn forge(
        &self,
        name: &str,
        nth: u64,
        forge: impl FnOnce(Choice, &[u8]) -> Option<Vec<u8>>,
    ) -> bool {
        let mut disk = self.lock();
        let choice = disk.choices.about(Topic::Rot, [disk.key, nth]);
        let Some(&id) = disk.image.names.get(name) else { return false };
        let Some(file) = disk.image.files.get_mut(&id) else { return false };
        let mut bytes = vec![0; file.filled() as usize];
        file.read(0, &mut bytes);
        let Some(forged) = forge(choice, &bytes) else { return false };
        file.set_length(forged.len() as u64);
        file.write(0, &forged);
        file.sync();
        disk.count("rot", 1);
        disk.blame(id);
        true
    }
}

impl Inner {
    /// The power went and is back.
    fn cut(&mut self) {
        self.cuts += 1;
        let (lost, torn) = (self.faults.lost, self.faults.torn);
        let mut files = std::mem::take(&mut self.image.files);
        for (id, file) in &mut files {
            let mut part = 0;
            let Cut { lost, torn, reordered, betrayed, forgotten } = file.cut(lost, torn, || {
                part += 1;
                self.choices.about(Topic::PowerCut, [self.key, self.cuts, id.0, part])
            });
            self.count("pages lost to a power cut", lost);
            self.count("pages torn", u64::from(torn));
            self.count("writes reordered", u64::from(reordered));
            self.count("pages lost to a sync that lied", betrayed);
            self.count("pages lost to a failed sync", forgotten);
            if betrayed + forgotten > 0 {
                self.blame(*id);
            }
        }
        self.image.files = files;
        // Names reach the platter in order, as file systems with a journal write them.
        let renames = std::mem::take(&mut self.renames);
        let choice = self.choices.about(Topic::PowerCut, [self.key, self.cuts, 0, 0]);
        let survive = choice.below(0, renames.len() as u64 + 1) as usize;
        self.count("names lost to a power cut", (renames.len() - survive) as u64);
        if let Some(names) = survive.checked_sub(1).map(|last| renames[last].clone()) {
            self.platter_names = names;
        }
        self.image.names = self.platter_names.clone();
        self.forget_nameless();
    }

    pub(super) fn forget_nameless(&mut self) {
        let named: Vec<FileId> = self.image.names.values().copied().collect();
        self.image.files.retain(|id, _| named.contains(id));
    }
}
