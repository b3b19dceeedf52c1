//! Candidates, as the sources propose them: what each source says of each, and the strongest evidence.

use super::blend::{SOURCES, Source, Weights};
use super::evidence::Evidence;
use super::gate::Gate;
use super::line::{Line, is_far};
use super::ranking::Scored;
use super::sieve::{Condition, Sieves};
use super::terms::{Dropped, Ledger};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::lists::RankedRow;
use crate::rules::onward::{Onward, OnwardOptions, OnwardScratch, Seen};

/// Of the lists of many items, what counts for less than this share of what counts for most is not read: it hardly ever
/// decides anything, and is most of what there is …
const AUDIBLE: f32 = 0.1;
/// … but in a cart, where what completes it is often what many of its items speak for, none of them loudly.
const AUDIBLE_OF_CART: f32 = 0.03;

/// One item that was proposed, or kept out: as much as fits into one line of the cache, since a question
/// about many items touches thousands of these over and over. What is seldom asked for stands in [`Aside`].
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Slot {
    /// What each source says, unweighted.
    says: [f32; SOURCES],
    strongest: Strongest,
}

impl Slot {
    /// As new.
    const FREE: Self = Self { says: [0.0; SOURCES], strongest: Strongest(0) };

    #[inline]
    fn add(&mut self, source: Source, says: f32, weight: f32, origin: u32) {
        self.says[source as usize] += says;
        self.strongest = self.strongest.max(Strongest::new(weight * says, origin));
    }
}

/// The largest single contribution to a candidate, above the number of what made it, counted down: so that
/// the larger of two numbers is the larger contribution, and of two alike the earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Strongest(u64);

impl Strongest {
    #[inline]
    fn new(contribution: f32, origin: u32) -> Self {
        // Numbers that are not negative are in the order of their bits.
        Self(u64::from(contribution.max(0.0).to_bits()) << 32 | u64::from(!origin))
    }

    /// The number of what made the contribution, if that says anything.
    fn origin(self) -> Option<usize> {
        (self.0 >> 32 > 0).then_some(!(self.0 as u32) as usize)
    }
}

/// What else is known of an item in a slot.
#[derive(Clone, Copy, Debug, Default)]
struct Aside {
    dropped: Option<Dropped>,
    marked: bool,
}

/// What contributions are made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// The source's list for this item: the evidence is what stands there of the candidate.
    List(Source, ItemId),
    /// All that there is to say.
    Told(Evidence),
}

/// Memory that one thread reuses for all its answers: which slot an item has, and the slots in use.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Per item, its slot + 1, or 0.
    places: Vec<u32>,
    /// Those in use come first; the others are as new.
    slots: Vec<Slot>,
    /// Whose they are.
    items: Vec<ItemId>,
    asides: Vec<Aside>,
    /// How many are in use.
    used: usize,
    origins: Vec<Origin>,
    /// New arrivals that are close to a seed: how much, and to which.
    arrivals: Vec<Arrival>,
    /// For finding visits like the visitor's.
    onward: OnwardScratch,
    pub(super) sieves: Sieves,
}

/// A new arrival that is close to something that stands for what is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) item: ItemId,
    /// Cosine × weight of the seed.
    pub(super) says: f32,
    pub(super) like: ItemId,
    pub(super) cosine: f32,
}

/// The candidates of one answer.
pub(super) struct Pool<'a> {
    pub(super) contents: &'a Contents,
    pub(super) gate: Gate<'a>,
    pub(super) ledger: Ledger,
    line: Line<'a>,
    /// So many of the line were looked at, be they candidates now or not.
    walked: usize,
    weights: [f32; SOURCES],
    /// So many entries of each row are read: its best come first.
    pub(super) depth: usize,
    /// What counts for less than this share of what counts for most isn't read.
    audible: f32,
    /// Whether that is so beside what the same source says, whatever its weight.
    apart: bool,
    /// What each source says most loudly, as far as it was looked ahead.
    loudest: [f32; SOURCES],
    /// The most that any of that counts for.
    most: f32,
    /// Whether something was said too quietly.
    missed: bool,
    scratch: &'a mut Scratch,
}

impl Scratch {
    /// Slots for `more` items, and one that may be written to in vain.
    fn make_room(&mut self, more: usize) {
        let needed = self.used + more + 1;
        if self.slots.len() < needed {
            self.slots.resize(2 * needed, Slot::FREE);
            self.items.resize(2 * needed, ItemId::FIRST);
            self.asides.resize(2 * needed, Aside::default());
        }
    }

    /// The item's slot, made now if it has none.
    fn place(&mut self, item: ItemId) -> usize {
        self.make_room(1);
        let place = taken(&mut self.places, &mut self.used, item);
        self.items[place] = item;
        place
    }

    /// Forgets all candidates.
    fn clear(&mut self) {
        let Self { places, slots, items, asides, used, origins, arrivals, .. } = self;
        items[..*used].iter().for_each(|item| places[item.index()] = 0);
        slots[..*used].fill(Slot::FREE);
        asides[..*used].fill(Aside::default());
        *used = 0;
        origins.clear();
        arrivals.clear();
    }

    fn used(&self) -> impl Iterator<Item = (&Slot, &Aside)> {
        self.slots[..self.used].iter().zip(&self.asides)
    }
}

/// The item's slot, or if it has none, the next. Without a branch: which it is can't be foreseen, and a wrong
/// guess costs more than all the rest.
#[inline(always)]
fn taken(places: &mut [u32], used: &mut usize, item: ItemId) -> usize {
    let known = &mut places[item.index()];
    let is_new = *known == 0;
    let place = if is_new { *used as u32 + 1 } else { *known };
    *known = place;
    *used += usize::from(is_new);
    place as usize - 1
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        if is_far(self.walked, self.gate.shelf) {
            self.gate.must_hold.iter().for_each(|held| self.scratch.sieves.want_passing(held));
        }
        self.scratch.clear();
    }
}

impl<'a> Pool<'a> {
    pub(super) fn new(
        contents: &'a Contents,
        gate: Gate<'a>,
        weights: &Weights,
        scratch: &'a mut Scratch,
    ) -> Self {
        scratch.places.resize(gate.shelf.len(), 0);
        let line = Line::of(&gate.must_hold, &mut scratch.sieves, contents, gate.shelf);
        Self {
            contents,
            gate,
            ledger: Ledger::default(),
            line,
            walked: 0,
            weights: weights.by_source(),
            depth: usize::MAX,
            audible: AUDIBLE,
            apart: false,
            loudest: [0.0; SOURCES],
            most: 0.0,
            missed: false,
            scratch,
        }
    }

    /// Forgets all candidates, so that they are gathered anew, with what is said quietly. False, and nothing else, if
    /// nothing was missed.
    pub(super) fn listen_closely(&mut self) -> bool {
        let missed = std::mem::take(&mut self.missed);
        if missed {
            self.scratch.clear();
            self.ledger = Ledger::default();
            (self.walked, self.audible) = (0, 0.0);
        }
        missed
    }

    /// Hears of each source what is loud for it, however little that counts beside others.
    pub(super) fn listen_to_each(&mut self) {
        self.apart = true;
    }

    /// Hears what is said as quietly as a cart says it.
    pub(super) fn listen_to_cart(&mut self) {
        self.audible = self.audible.min(AUDIBLE_OF_CART);
    }

    /// Whether the source is listened to at all.
    pub(super) fn listens_to(&self, source: Source) -> bool {
        self.weights[source as usize] > 0.0
    }

    /// Keeps the item out of the answer.
    pub(super) fn block(&mut self, item: ItemId, why: Dropped) {
        let place = self.scratch.place(item);
        self.scratch.asides[place].dropped.get_or_insert(why);
    }

    /// Whether the item was kept out of the answer.
    pub(super) fn is_blocked(&self, item: ItemId) -> bool {
        self.known(item).is_some_and(|place| self.scratch.asides[place].dropped.is_some())
    }

    /// Whether the item is a candidate, or was kept out.
    pub(super) fn is_known(&self, item: ItemId) -> bool {
        self.known(item).is_some()
    }

    /// Whether the item may be answered at all, and was not kept out.
    pub(super) fn may_answer(&mut self, item: ItemId) -> bool {
        !self.is_blocked(item) && self.gate.drops(&mut self.scratch.sieves, item).is_none()
    }

    /// Whether an item that is no candidate yet may become one; the ledger hears if not.
    pub(super) fn passes_gate(&mut self, item: ItemId) -> bool {
        let why = self.gate.drops(&mut self.scratch.sieves, item);
        why.inspect(|why| self.ledger.drop(*why)).is_none()
    }

    /// The same, but one that may not is kept out for good, so that the ledger hears of it once.
    pub(super) fn may_enter(&mut self, item: ItemId) -> bool {
        let why = self.gate.drops(&mut self.scratch.sieves, item);
        why.inspect(|why| self.block(item, *why)).is_none()
    }

    /// The next that may fill the answer up: what sells best first, then what never sold, new arrivals last.
    pub(super) fn next_in_line(&mut self) -> Option<ItemId> {
        let item = self.line.at(self.walked, self.contents, self.gate.shelf)?;
        self.walked += 1;
        Some(item)
    }

    /// Tells the ledger of all that never stood in line, once the line is at its end.
    pub(super) fn end_of_line(&mut self) {
        if matches!(self.line, Line::All) {
            return;
        }
        let (contents, shelf) = (self.contents, self.gate.shelf);
        let standing = (0..).map_while(|place| self.line.at(place, contents, shelf));
        let known = standing.filter(|item| self.is_known(*item)).count();
        let told = self.line.len(shelf) + self.scratch.used - known;
        self.ledger.drop_many(Dropped::Filtered, shelf.len() - told);
    }

    /// What passes the condition, in the order of the line; or more than that, where that isn't known.
    pub(super) fn line_for(&mut self, condition: &Condition) -> Line<'a> {
        let must_hold = std::slice::from_ref(condition);
        Line::of(must_hold, &mut self.scratch.sieves, self.contents, self.gate.shelf)
    }

    /// Remembers of a condition that filling up took so many steps because of it.
    pub(super) fn took(&mut self, steps: usize, condition: &Condition) {
        if is_far(steps, self.gate.shelf) {
            self.scratch.sieves.want_passing(condition);
        }
    }

    /// Whether a condition holds for the item.
    pub(super) fn holds(&mut self, condition: &Condition, item: ItemId) -> bool {
        self.scratch.sieves.holds(condition, self.gate.shelf, item)
    }

    /// Notes which new arrivals are close to a seed.
    pub(super) fn add_arrivals(&mut self, like: ItemId, weight: f32) {
        let trained = self.contents.arrivals.row(like.index()).iter();
        let since = self.gate.shelf.arrivals_close_to(like).iter().copied();
        let arrival = |(item, cosine)| Arrival { item, says: weight * cosine, like, cosine };
        self.scratch.arrivals.extend(trained.chain(since).map(arrival));
    }

    /// The new arrivals that were noted, each once, the closest first.
    pub(super) fn arrivals(&mut self) -> Vec<Arrival> {
        let mut arrivals = std::mem::take(&mut self.scratch.arrivals);
        arrivals.sort_unstable_by(|a, b| a.item.cmp(&b.item).then(b.says.total_cmp(&a.says)));
        arrivals.dedup_by_key(|arrival| arrival.item);
        arrivals.retain(|arrival| self.may_answer(arrival.item));
        arrivals.sort_unstable_by(|a, b| b.says.total_cmp(&a.says).then(a.item.cmp(&b.item)));
        arrivals
    }

    /// Makes all of a row candidates, of which no source has said anything yet.
    pub(super) fn admit(&mut self, row: RankedRow<'_>) {
        row.iter().for_each(|(item, _)| _ = self.scratch.place(item));
    }

    /// Marks those of the items that are candidates, so that [`Pool::is_marked`] answers at once.
    pub(super) fn mark(&mut self, items: impl Iterator<Item = ItemId>) {
        for item in items {
            if let Some(place) = self.known(item) {
                self.scratch.asides[place].marked = true;
            }
        }
    }

    /// Whether the item is a candidate that was marked.
    pub(super) fn is_marked(&self, item: ItemId) -> bool {
        self.known(item).is_some_and(|place| self.scratch.asides[place].marked)
    }

    /// Adds to what the source says of the item; the largest contribution is remembered as the evidence.
    pub(super) fn add(&mut self, source: Source, item: ItemId, says: f32, evidence: Evidence) {
        self.add_each(source, Origin::Told(evidence), std::iter::once((item, says)));
    }

    /// The same for a row of a list, its loudest first: as many of its entries as are read, times a weight.
    #[inline]
    pub(super) fn add_row(
        &mut self,
        source: Source,
        origin: Origin,
        row: RankedRow<'_>,
        weight: f32,
    ) {
        let heard = self.heard(source, row, weight).iter();
        self.add_each(source, origin, heard.map(|(item, says)| (item, weight * says)));
    }

    /// The same for some items, each with what the source says of it.
    #[inline]
    pub(super) fn add_each(
        &mut self,
        source: Source,
        origin: Origin,
        items: impl ExactSizeIterator<Item = (ItemId, f32)>,
    ) {
        let origin = self.origin(origin);
        let counts = self.weights[source as usize];
        self.scratch.make_room(items.len());
        let Scratch { places, slots, items: owners, used, .. } = &mut *self.scratch;
        let (places, slots, owners) = (&mut places[..], &mut slots[..], &mut owners[..]);
        let mut count = *used;
        for (item, says) in items {
            let place = taken(places, &mut count, item);
            owners[place] = item;
            slots[place].add(source, says, counts, origin);
        }
        *used = count;
    }

    /// Fetches what will be read of a row, and hears how loud its first entry is. Of several rows, all are looked
    /// ahead at before any is read.
    pub(super) fn look_ahead(&mut self, source: Source, row: RankedRow<'_>, weight: f32) {
        let says = weight * row.best();
        let loudest = &mut self.loudest[source as usize];
        *loudest = loudest.max(says);
        self.most = self.most.max(self.weights[source as usize] * says);
        let least = self.least(source);
        let is_heard = |says: &f32| weight * std::hint::black_box(*says) >= least;
        row.first(self.depth).cache_lines().take_while(is_heard).for_each(drop);
    }

    /// The entries of a row that are read.
    #[inline]
    fn heard<'r>(&mut self, source: Source, row: RankedRow<'r>, weight: f32) -> RankedRow<'r> {
        let within = row.first(self.depth);
        let heard = within.at_least(self.least(source) / weight);
        self.missed |= heard.len() < within.len();
        heard
    }

    /// What the source must say at least to be heard.
    fn least(&self, source: Source) -> f32 {
        let source = source as usize;
        let loudest = match self.apart {
            true => self.loudest[source],
            false => self.most / self.weights[source],
        };
        self.audible * loudest
    }

    /// The number of what contributions are made of.
    fn origin(&mut self, origin: Origin) -> u32 {
        self.scratch.origins.push(origin);
        self.scratch.origins.len() as u32 - 1 // at most one for each row of some lists
    }

    /// Adds what visits like this one went on to; `clicks` are the visitor's, latest first, with repeats.
    pub(super) fn add_onward(&mut self, clicks: &[ItemId]) {
        let Some(&after) = clicks.first() else { return };
        let Contents { visits, next, freshness, .. } = self.contents;
        let onward = Onward { visits, followers: next.ranked(), trend: freshness };
        let mut scratch = std::mem::take(&mut self.scratch.onward);
        let options = OnwardOptions { returns: self.contents.returns, ..Default::default() };
        onward.score(clicks, &options, &mut scratch, |click| {
            let evidence = match click.seen {
                Seen::Never => Evidence::Onward { after, sessions: click.sessions },
                Seen::Last | Seen::JustBefore | Seen::Earlier => Evidence::ThisVisit,
            };
            self.add(Source::Onward, click.item, click.score, evidence);
        });
        self.scratch.onward = scratch;
    }

    /// Adds what is popular in the shop, to candidates and as new ones, enough for `limit`.
    pub(super) fn add_popular(&mut self, limit: usize) {
        let fallback = !self
            .scratch
            .used()
            .any(|(slot, aside)| aside.dropped.is_none() && slot.strongest.origin().is_some());
        self.add_popular_as(limit, fallback);
    }

    /// The same, said to stand in or not.
    pub(super) fn add_popular_as(&mut self, limit: usize, fallback: bool) {
        let contents = self.contents;
        let trends = &contents.trends;
        let top = trends.ranking.first().map_or(0.0, |item| trends.share[item.index()]);
        // Never 0: what fills up the answer still has an order.
        let popularity = |item: ItemId| {
            let share = trends.share.get(item.index()).copied().unwrap_or(0.0);
            (share / top.max(f32::MIN_POSITIVE)).max(1e-9)
        };
        let origin = self.origin(Origin::Told(Evidence::Popular { fallback }));
        let weight = self.weights[Source::Popular as usize];
        let Scratch { slots, items, used, .. } = &mut *self.scratch;
        for (slot, item) in slots[..*used].iter_mut().zip(items) {
            slot.add(Source::Popular, popularity(*item), weight, origin);
        }
        let mut wanted = limit;
        while wanted > 0 {
            let next = self.line.at(self.walked, contents, self.gate.shelf);
            let Some(item) = next.filter(|item| contents.is_ranked(*item)) else { break };
            self.walked += 1;
            if self.known(item).is_some() {
                continue;
            }
            if self.passes_gate(item) {
                let place = self.scratch.place(item);
                self.scratch.slots[place].add(Source::Popular, popularity(item), weight, origin);
                wanted -= 1;
            }
        }
    }

    /// Whether the item is looked at in the same visits as a seed.
    pub(super) fn is_viewed_with(&self, item: ItemId) -> bool {
        let says = self.says(item);
        self.contents.has_visits()
            && (says[Source::Viewed as usize] > 0.0 || says[Source::Next as usize] > 0.0)
    }

    /// All candidates that may be answered, with what each source says of them; the others go into the
    /// ledger.
    pub(super) fn for_each(&mut self, mut visit: impl FnMut(ItemId, &[f32; SOURCES])) {
        let Scratch { slots, items, asides, used, sieves, .. } = &mut *self.scratch;
        for ((slot, item), aside) in slots[..*used].iter().zip(items).zip(asides) {
            match aside.dropped.or_else(|| self.gate.drops(sieves, *item)) {
                Some(why) => self.ledger.drop(why),
                None => visit(*item, &slot.says),
            }
        }
    }

    /// All candidates with a score above 0, in no order.
    pub(super) fn scored(&mut self, weights: &Weights) -> Vec<Scored> {
        let by_source = weights.by_source();
        let standing = self.contents.standing(weights.powers());
        let mut scored = Vec::with_capacity(self.scratch.used);
        self.for_each(|item, says| {
            let score = Weights::sum(&by_source, says) * standing.of(item);
            if score > 0.0 {
                scored.push((item, score));
            }
        });
        scored
    }

    /// What each source says of the item.
    pub(super) fn says(&self, item: ItemId) -> &[f32; SOURCES] {
        self.known(item).map_or(&[0.0; SOURCES], |place| &self.scratch.slots[place].says)
    }

    /// The strongest evidence for a candidate.
    pub(super) fn evidence(&self, item: ItemId) -> Evidence {
        let strongest = self.known(item).map(|place| self.scratch.slots[place].strongest);
        match strongest.and_then(Strongest::origin).map(|origin| self.scratch.origins[origin]) {
            Some(Origin::List(source, with)) => {
                Evidence::in_list(self.contents, source, with, item)
            }
            Some(Origin::Told(evidence)) => evidence,
            None => Evidence::Popular { fallback: true },
        }
    }

    /// The item's slot, if it has one.
    fn known(&self, item: ItemId) -> Option<usize> {
        self.scratch.places[item.index()].checked_sub(1).map(|place| place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_fills_one_line_of_the_cache() {
        assert_eq!(size_of::<Slot>(), 64);
    }

    #[test]
    fn the_largest_contribution_is_the_strongest_and_of_two_alike_the_earlier() {
        let strongest = |contributions: &[f32]| {
            let numbered = contributions.iter().zip(0..);
            numbered.map(|(&c, origin)| Strongest::new(c, origin)).max().and_then(Strongest::origin)
        };
        assert_eq!(strongest(&[0.1, 3e-9, 2.5, 2.5, 0.7]), Some(2));
        assert_eq!(strongest(&[-4.0, 1e-30, f32::NAN]), Some(1));
        assert_eq!(strongest(&[0.0, -1.0, f32::NAN]), None, "these say nothing");
    }
}
