//! What an unfinished step foretells, learnt from what customers did next.

use rayon::prelude::*;

use crate::events::{Event, EventKind, EventLog};
use crate::time::DAY_MS;

/// What a step that was left unfinished foretells, where a purchase foretells 1, from 0.01 to 3; and what earlier
/// purchases say beside later ones.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Interests {
    /// A look.
    pub view: f32,
    /// Put in the cart.
    pub cart: f32,
    /// Put on a wish list.
    pub favorite: f32,
    /// What a purchase says of what else is liked beside one in the next order; above 0, at most 1.
    pub earlier: f32,
}

impl Default for Interests {
    /// What a shop starts from that has shown nothing yet.
    fn default() -> Self {
        Self { view: 0.2, cart: 1.0, favorite: 0.7, earlier: 1.0 }
    }
}

impl Interests {
    /// Of one kind. Where what was begun is asked for, what is bought or sent back foretells nothing.
    pub fn of(&self, kind: EventKind) -> f32 {
        match kind {
            EventKind::View => self.view,
            EventKind::Cart => self.cart,
            EventKind::Favorite => self.favorite,
            EventKind::Purchase | EventKind::Return => 0.0,
        }
    }
}

/// How often each kind of step was followed by a purchase: what [`Interests`] are learnt from.
///
/// Time is cut into stretches of four weeks (a quarter of the log, if that is less) back from its last
/// event. What a customer did with an item in one stretch is one case, of the kind of the strongest step
/// after the latest purchase, or of that purchase; it came true if the customer bought the item in the
/// stretch that follows. A log without times has no cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foretold {
    view: Tally,
    cart: Tally,
    favorite: Tally,
    purchase: Tally,
}

/// Cases, and those that came true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    cases: u64,
    bought: u64,
}

/// Stretches are at most so long.
const LONGEST_DAYS: i64 = 28;
/// A log has at least so many stretches.
const LEAST_STRETCHES: i64 = 4;
/// What was assumed counts as much as this many cases that came true.
const ASSUMED: f64 = 20.0;
/// Beyond these a figure says more of the log than of its customers.
const RANGE: (f64, f64) = (0.01, 3.0);

impl Foretold {
    /// Counts what the log tells.
    pub fn count(log: &EventLog) -> Self {
        let is_look = |event: &Event| {
            let is_bought = matches!(event.kind, EventKind::Purchase | EventKind::Return);
            event.customer.is_some() && !is_bought
        };
        let Some(stretch_ms) = stretch_ms(log).filter(|_| log.events.iter().any(is_look)) else {
            return Self::default();
        };
        let end = log.events[log.events.len() - 1].at;
        let of = |place: u32| &log.events[place as usize];
        let kind = |&place: &u32| of(place).kind;
        let stretch = |place: u32| (end.0 - of(place).at.0) / stretch_ms; // 0 is the last
        let of_customer = |places: &[u32]| {
            let mut foretold = Self::default();
            let known = places.iter().copied().filter(|place| kind(place) != EventKind::Return);
            let mut steps: Vec<u32> = known.collect();
            steps.sort_by_key(|&place| of(place).item); // stable: the oldest first
            for pair in steps.chunk_by(|&a, &b| of(a).item == of(b).item) {
                let mut stretches = pair.chunk_by(|&a, &b| stretch(a) == stretch(b)).peekable();
                while let Some(steps) = stretches.next() {
                    let nth = stretch(steps[0]);
                    let next = stretches.peek().filter(|next| stretch(next[0]) + 1 == nth);
                    let mut next_kinds = next.into_iter().flat_map(|next| next.iter()).map(kind);
                    if nth > 0 {
                        let bought = next_kinds.any(|kind| kind == EventKind::Purchase);
                        foretold.add(standing(steps.iter().map(kind)), bought);
                    }
                }
            }
            foretold
        };
        let by_customer = log.by_customer();
        let customers = (0..by_customer.len()).into_par_iter();
        let each = customers.map(|customer| of_customer(by_customer.row(customer)));
        each.reduce(Self::default, Self::and)
    }

    /// The cases of both.
    fn and(self, other: Self) -> Self {
        Self {
            view: self.view.and(other.view),
            cart: self.cart.and(other.cart),
            favorite: self.favorite.and(other.favorite),
            purchase: self.purchase.and(other.purchase),
        }
    }

    fn add(&mut self, kind: EventKind, bought: bool) {
        let tally = match kind {
            EventKind::View => &mut self.view,
            EventKind::Cart => &mut self.cart,
            EventKind::Favorite => &mut self.favorite,
            EventKind::Purchase | EventKind::Return => &mut self.purchase,
        };
        tally.cases += 1;
        tally.bought += u64::from(bought);
    }

    /// What each kind foretells beside a purchase: `assumed`, as far as the log says little.
    pub fn interests(&self, assumed: Interests) -> Interests {
        let beside = |tally: Tally, assumed: f32| tally.beside(self.purchase, assumed);
        Interests {
            view: beside(self.view, assumed.view),
            cart: beside(self.cart, assumed.cart),
            favorite: beside(self.favorite, assumed.favorite),
            earlier: assumed.earlier,
        }
    }
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self { cases: self.cases + other.cases, bought: self.bought + other.bought }
    }

    /// The share that came true, with half a case more on either side: never 0.
    fn share(self) -> f64 {
        (self.bought as f64 + 0.5) / (self.cases as f64 + 1.0)
    }

    /// a^(1−w) · r^w with a assumed, r this share ÷ that of purchases, and w = n ÷ (n + 20), where n is
    /// how many cases of the rarer of the two would come true if both foretold the same.
    fn beside(self, purchase: Self, assumed: f32) -> f32 {
        let all = (self.cases + purchase.cases).max(1) as f64;
        let alike = (self.bought + purchase.bought) as f64 / all;
        let evidence = self.cases.min(purchase.cases) as f64 * alike;
        let trust = evidence / (evidence + ASSUMED);
        let ratio = self.share() / purchase.share();
        let learnt = f64::from(assumed).powf(1.0 - trust) * ratio.powf(trust);
        // Where nothing was learnt, what was assumed stays to the last bit.
        if trust > 0.0 { learnt.clamp(RANGE.0, RANGE.1) as f32 } else { assumed }
    }
}

/// Where steps have led to: the strongest after the latest purchase, or that purchase.
fn standing(steps: impl Iterator<Item = EventKind>) -> EventKind {
    let then = |so_far: EventKind, next: EventKind| match (so_far, next) {
        (_, EventKind::Purchase) | (EventKind::Purchase, _) => next,
        _ => so_far.max(next),
    };
    steps.reduce(then).expect("a stretch has steps")
}

/// `None` if the log has no time, or too little of it.
fn stretch_ms(log: &EventLog) -> Option<i64> {
    let (first, last) = (log.events.first()?, log.events.last()?);
    let longest = LONGEST_DAYS * DAY_MS;
    let ms = ((last.at.0 - first.at.0) / LEAST_STRETCHES).min(longest);
    (log.timed && ms > 0).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Interner;
    use crate::time::Timestamp;

    /// Per kind an item with which everybody does that in the last stretch but one; so many percent of
    /// them buy it in the last.
    fn planted(kinds: &[(EventKind, u32)], people: u32) -> EventLog {
        let (mut items, mut customers) = (Interner::new(), Interner::new());
        let mut events = Vec::new();
        for (number, &(kind, percent)) in kinds.iter().enumerate() {
            let item = items.intern(&number.to_string());
            for nth in 0..people {
                let customer = Some(customers.intern(&nth.to_string()));
                let (group, quantity, unit_price) = (None, 1.0, 1.0);
                let at = Timestamp(3 * STRETCH_MS + i64::from(nth % 3));
                let step = Event {
                    at,
                    customer,
                    item,
                    group,
                    quantity,
                    unit_price,
                    kind,
                    discount_percent: 0,
                };
                events.push(step);
                if nth * percent % 100 + percent >= 100 {
                    let at = Timestamp(at.0 + STRETCH_MS);
                    events.push(Event { at, kind: EventKind::Purchase, ..step });
                }
            }
        }
        // Of nobody: the log spans four stretches.
        events.push(Event { at: Timestamp(0), customer: None, ..events[0] });
        events.push(Event { at: Timestamp(4 * STRETCH_MS + 3), customer: None, ..events[0] });
        events.sort_by_key(|event| event.at);
        let (events, items, customers) = (events.into(), items.into(), customers.into());
        EventLog { events, items, customers, timed: true, ..EventLog::default() }
    }

    const STRETCH_MS: i64 = LONGEST_DAYS * DAY_MS;

    const KINDS: [(EventKind, u32); 4] = [
        (EventKind::View, 5),
        (EventKind::Cart, 40),
        (EventKind::Favorite, 10),
        (EventKind::Purchase, 20),
    ];

    #[test]
    fn what_each_kind_foretells_is_found_as_it_was_planted() {
        let foretold = Foretold::count(&planted(&KINDS, 10_000));
        let learnt = foretold.interests(Interests::default());
        for (learnt, planted) in [(learnt.view, 0.25), (learnt.cart, 2.0), (learnt.favorite, 0.5)] {
            assert!((learnt / planted - 1.0f32).abs() < 0.1, "{learnt} instead of {planted}");
        }
    }

    #[test]
    fn little_is_learnt_from_few_cases_and_nothing_from_none() {
        let assumed = Interests::default();
        let cart = |customers| Foretold::count(&planted(&KINDS, customers)).interests(assumed).cart;
        let (few, more, many) = (cart(20), cart(200), cart(2_000));
        assert!(1.0 < few && few < more && more < many && many < 2.0, "{few} {more} {many}");
        assert!(few < 1.3, "{few}");
        let only_looks = planted(&[(EventKind::View, 0)], 500);
        assert_eq!(Foretold::count(&only_looks).interests(assumed), assumed);
        let only_bought = planted(&[(EventKind::Purchase, 20)], 500);
        assert_eq!(Foretold::count(&only_bought), Foretold::default());
        let untimed = EventLog { timed: false, ..planted(&KINDS, 500) };
        assert_eq!(Foretold::count(&untimed), Foretold::default());
    }

    #[test]
    fn a_kind_that_foretells_nothing_sinks_far_below_what_was_assumed() {
        let log = planted(&[(EventKind::Cart, 0), (EventKind::Purchase, 20)], 5_000);
        let learnt = Foretold::count(&log).interests(Interests::default());
        assert!((0.01..0.05).contains(&learnt.cart), "{learnt:?}");
        assert_eq!(learnt.favorite, Interests::default().favorite);
    }

    #[test]
    fn a_purchase_ends_what_came_before_it_and_the_strongest_step_since_stands() {
        use EventKind::{Cart, Favorite, Purchase, View};
        let cases: [(&[EventKind], EventKind); 4] = [
            (&[View, Cart, View], Cart),
            (&[Favorite, Purchase, View], View),
            (&[Cart, Purchase], Purchase),
            (&[View, Favorite, Cart], Favorite),
        ];
        for (steps, expected) in cases {
            assert_eq!(standing(steps.iter().copied()), expected, "{steps:?}");
        }
    }
}
