//! The best of what many threads offer, in any order and with the same end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::ItemId;
use crate::lists::Lists;

/// Score and item in one number: the higher is the better, and among equal scores the smaller id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

impl Place {
    /// `score` must be above 0: then its bits are in its order.
    #[inline]
    pub(super) fn new(score: f32, item: ItemId) -> Self {
        Self(u64::from(score.to_bits()) << 32 | u64::from(!(item.index() as u32)))
    }

    pub(super) fn score(self) -> f32 {
        f32::from_bits((self.0 >> 32) as u32)
    }

    pub(super) fn item(self) -> ItemId {
        ItemId::new(!(self.0 as u32) as usize)
    }
}

/// An item with its place, and what else is to be known of it.
pub(super) type Entry<P> = (Place, P);

/// The best of what one thread offers.
pub(super) struct Shortlist<P> {
    kept: Vec<Entry<P>>,
    /// What is not above it has no chance.
    floor: Place,
}

impl<P: Copy> Shortlist<P> {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new(), floor: Place(0) }
    }

    /// Forgets everything but its memory.
    pub(super) fn begin(&mut self) {
        self.kept.clear();
        self.floor = Place(0);
    }

    /// False if at least as many better ones are known as will be kept.
    #[inline]
    pub(super) fn wants(&self, place: Place) -> bool {
        place > self.floor
    }

    /// Takes what is wanted, and cuts back to the `most` best now and then.
    #[inline]
    pub(super) fn offer(&mut self, place: Place, more: P, most: usize) {
        if self.wants(place) {
            self.kept.push((place, more));
            if self.kept.len() >= most + (most / 4).max(4) {
                self.cut(most);
            }
        }
    }

    fn cut(&mut self, most: usize) {
        if self.kept.len() > most {
            self.kept.select_nth_unstable_by(most.saturating_sub(1), |a, b| b.0.cmp(&a.0));
            self.floor = if most == 0 { Place(u64::MAX) } else { self.kept[most - 1].0 };
            self.kept.truncate(most);
        }
    }
}

/// A shortlist for each rank, open to all threads.
///
/// What is among the best of all that is offered is so in whatever order it comes.
pub(super) struct Shortlists<P> {
    most: usize,
    floors: Vec<AtomicU64>,
    lists: Vec<Mutex<Shortlist<P>>>,
}

impl<P: Copy> Shortlists<P> {
    pub(super) fn new(ranks: usize, most: usize) -> Self {
        Self {
            most,
            floors: (0..ranks).map(|_| AtomicU64::new(0)).collect(),
            lists: (0..ranks).map(|_| Mutex::new(Shortlist::new())).collect(),
        }
    }

    /// A quick look, without waiting; true may be wrong, false is not.
    #[inline]
    pub(super) fn may_want(&self, rank: usize, place: Place) -> bool {
        place.0 > self.floors[rank].load(Ordering::Relaxed)
    }

    /// Offers one to the list of a rank.
    pub(super) fn offer(&self, rank: usize, place: Place, more: P) {
        let mut list = self.lists[rank].lock().expect("no task panics");
        list.offer(place, more, self.most);
        self.floors[rank].store(list.floor.0, Ordering::Relaxed);
    }

    /// Offers all that is on another list, which is cut for it.
    pub(super) fn offer_all(&self, rank: usize, others: &mut Shortlist<P>) {
        others.cut(self.most);
        let mut list = self.lists[rank].lock().expect("no task panics");
        if list.kept.is_empty() {
            list.kept = others.kept.clone();
            list.floor = others.floor;
        } else {
            others.kept.iter().for_each(|&(place, more)| list.offer(place, more, self.most));
        }
        self.floors[rank].store(list.floor.0, Ordering::Relaxed);
    }

    /// The lists in the order of the items whose ranks are `places`, the best of each first, each as
    /// `finish` leaves it.
    pub(super) fn into_lists<T, Row: IntoIterator<Item = T>>(
        self,
        places: &[u32],
        finish: impl Fn(Vec<Entry<P>>) -> Row,
    ) -> Lists<T> {
        let Self { most, lists: mut kept, .. } = self;
        let mut entries = 0;
        for list in &mut kept {
            let list = list.get_mut().expect("no task panics");
            list.cut(most);
            entries += list.kept.len();
        }
        let mut lists = Lists::with_capacity(places.len(), entries);
        for &rank in places {
            let list = kept[rank as usize].get_mut().expect("no task panics");
            let mut best = std::mem::take(&mut list.kept);
            best.sort_unstable_by_key(|&(place, _)| std::cmp::Reverse(place));
            lists.push(finish(best));
        }
        lists
    }
}
