//! Audiences, held against the weeks after: did those picked do what they were picked for?

use rustc_hash::{FxHashMap, FxHashSet};

use super::measures::Clusters;
use super::{Beside, CustomerCase, CustomerReport};
use crate::audiences::{Audience, Picker};
use crate::customers::Buyer;
use crate::error::Result;
use crate::events::EventKind;
use crate::ids::ItemId;

/// Picks that are judged, at most.
const MOST_PICKS: usize = 1_000;
/// New items judged, at most, and how often each must have sold.
const NEW_ITEMS: usize = 50;
const LEAST_SOLD: u32 = 10;
/// Customers picked for each.
const PER_NEW_ITEM: usize = 100;
const DUE_DAYS: u32 = 7;
const INTEREST_DAYS: u32 = 14;

/// Whom, how sure, and whether they did.
type Picked = (usize, f64, bool);

fn bought_after(case: &CustomerCase<'_>, days: u32) -> FxHashSet<(usize, ItemId)> {
    let purchases = case.after(days).filter(|event| event.kind == EventKind::Purchase);
    purchases.filter_map(|event| Some((event.customer?.index(), event.item))).collect()
}

/// Whether the log tells what became of so many days after the cut.
fn is_told(case: &CustomerCase<'_>, days: u32) -> bool {
    let last_day = case.cut.plus_days(i64::from(days) - 1);
    case.whole.events.last().is_some_and(|event| event.at >= last_day)
}

fn buyers<'a>(case: &CustomerCase<'a>) -> impl Iterator<Item = (usize, &'a Buyer)> {
    let profiles = case.profiles.iter().enumerate();
    profiles.filter_map(|(customer, profile)| Some((customer, profile.buyer.as_ref()?)))
}

/// All that was picked, window after window.
#[derive(Debug, Default)]
pub(super) struct Picks {
    due: [Vec<Picked>; 3],
    due_asked: usize,
    /// Windows in which that was asked.
    due_windows: usize,
    interest: [Vec<Picked>; 2],
    interest_windows: usize,
    arrival: [Vec<Picked>; 2],
    new_items: usize,
}

fn picker<'a>(case: &CustomerCase<'a>, audience: &Audience) -> Result<Picker<'a>> {
    Picker::new(case.contents, &case.contents.shelf, case.clientele, audience)
}

impl Picks {
    pub(super) fn add(&mut self, case: &CustomerCase<'_>) {
        if is_told(case, DUE_DAYS) {
            self.due_windows += 1;
            self.reorder_due(case);
        }
        if is_told(case, INTEREST_DAYS) {
            self.interest_windows += 1;
            self.interest(case);
        }
        self.new_arrival(case);
    }

    /// Pairs of customer and item whose time has come, beside the pairs bought last, and most often.
    fn reorder_due(&mut self, case: &CustomerCase<'_>) {
        let audience = Audience::ReorderDue { within_days: DUE_DAYS };
        let Ok(picker) = picker(case, &audience) else { return };
        let came = bought_after(case, DUE_DAYS);
        let [mut ours, mut latest, mut often]: [Vec<Picked>; 3] = Default::default();
        for (customer, _) in buyers(case) {
            let history = &case.histories[customer];
            for due in picker.due_within(DUE_DAYS, history) {
                ours.push((customer, f64::from(due.chance), came.contains(&(customer, due.item))));
            }
            for bought in history.bought.iter().filter(|bought| bought.times > 0) {
                let did = came.contains(&(customer, bought.item));
                latest.push((customer, bought.last.0 as f64, did));
                often.push((customer, f64::from(bought.times), did));
            }
        }
        self.due_asked += ours.len();
        let most = MOST_PICKS.min(ours.len().div_ceil(4));
        for (sum, picks) in self.due.iter_mut().zip([ours, latest, often]) {
            sum.extend(best(picks, most));
        }
    }

    /// Customers with something in the cart, best first, beside all of them.
    fn interest(&mut self, case: &CustomerCase<'_>) {
        let audience = Audience::Interest { from_days: 3, to_days: 10 };
        let Ok(picker) = picker(case, &audience) else { return };
        let came = bought_after(case, INTEREST_DAYS);
        let mut all: Vec<Picked> = Vec::new();
        for (customer, profile) in case.profiles.iter().enumerate() {
            if let Some(pick) = picker.pick(profile, Some(&case.histories[customer])) {
                let did = pick.items.iter().any(|&item| came.contains(&(customer, item)));
                all.push((customer, pick.score, did));
            }
        }
        self.interest[0].extend(best(all.clone(), all.len().div_ceil(5)));
        self.interest[1].extend(all);
    }

    /// For items that nobody had bought: customers near them, beside buyers of their category.
    fn new_arrival(&mut self, case: &CustomerCase<'_>) {
        let sold_enough = |&(_, sold): &(ItemId, u32)| sold >= LEAST_SOLD;
        let fresh: Vec<ItemId> = case
            .new_items()
            .into_iter()
            .filter(sold_enough)
            .map(|(item, _)| item)
            .take(NEW_ITEMS)
            .collect();
        let came = bought_after(case, case.days);
        for &item in &fresh {
            let audience = Audience::NewArrival { items: vec![item] };
            let Ok(picker) = picker(case, &audience) else { return };
            let score = |customer: usize| {
                let profile = &case.profiles[customer];
                Some(picker.pick(profile, Some(&case.histories[customer]))?.score)
            };
            let in_category = category_counts(case, item);
            let count = |customer: usize| in_category.get(&customer).map(|&count| f64::from(count));
            let picked = |score: &dyn Fn(usize) -> Option<f64>| -> Vec<Picked> {
                let all = buyers(case).filter_map(|(customer, _)| {
                    Some((customer, score(customer)?, came.contains(&(customer, item))))
                });
                best(all.collect(), PER_NEW_ITEM)
            };
            self.arrival[0].extend(picked(&score));
            self.arrival[1].extend(picked(&count));
        }
        self.new_items += fresh.len();
    }

    pub(super) fn report(self, report: &mut CustomerReport) {
        let Self { due: [ours, latest, often], due_windows, interest_windows, .. } = self;
        if due_windows == 0 {
            report.left_out.push(format!("reorder-due: {DUE_DAYS} days must be held out"));
        } else if self.due_asked < 100 {
            report.left_out.push("reorder-due: hardly anything is bought again here".into());
        } else {
            let what = "reorder-due: bought within 7 days";
            let at = ours.len() / due_windows;
            for (rule, theirs) in
                [("what was bought last", &latest), ("what was bought most often", &often)]
            {
                report.figures.push(precision(what, rule, at, &ours, theirs));
            }
        }
        let [ours, theirs] = self.interest;
        if interest_windows == 0 {
            report.left_out.push(format!("interest: {INTEREST_DAYS} days must be held out"));
        } else if theirs.len() < 100 {
            let count = theirs.len();
            let left = "carts and wishes were left 3 to 10 days before";
            report.left_out.push(format!("interest: {count} {left}"));
        } else {
            let what = "interest: bought what was left in the cart within 14 days, best fifth";
            let rule = "all cart-abandoners";
            report.figures.push(precision(
                what,
                rule,
                ours.len() / interest_windows,
                &ours,
                &theirs,
            ));
        }
        let [ours, theirs] = self.arrival;
        match ours.len().checked_div(self.new_items) {
            None => {
                report.left_out.push("new-arrival: nothing new was sold often enough".into());
            }
            Some(0) => report.left_out.push(
                "new-arrival: nothing tells who may want what is new: does --catalog say what it is?".into(),
            ),
            Some(at) => {
                let what = format!("new-arrival: bought one of {} new items", self.new_items);
                report.figures.push(precision(&what, "buyers of the category", at, &ours, &theirs));
            }
        }
    }
}

/// By customer, how often they bought of the item's category; of what has none either, if it has none.
fn category_counts(case: &CustomerCase<'_>, item: ItemId) -> FxHashMap<usize, u32> {
    let category = |item: ItemId| case.contents.categories.of(item);
    let wanted = category(item);
    let mut counts = FxHashMap::default();
    for (customer, _) in buyers(case) {
        let bought = case.histories[customer].bought.iter();
        let within = bought.filter(|b| category(b.item) == wanted);
        let count: u32 = within.map(|bought| bought.times).sum();
        if count > 0 {
            counts.insert(customer, count);
        }
    }
    counts
}

/// The `most` with the highest scores; ties by customer.
fn best(mut picks: Vec<Picked>, most: usize) -> Vec<Picked> {
    picks.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    picks.truncate(most);
    picks
}

/// Shares of picks that came true, beside each other, where `at` were picked at a time; the interval is over
/// customers.
fn precision(what: &str, rule: &str, at: usize, ours: &[Picked], theirs: &[Picked]) -> Beside {
    let mut picks: Vec<(usize, bool, bool)> = Vec::new();
    picks.extend(ours.iter().map(|&(customer, _, did)| (customer, true, did)));
    picks.extend(theirs.iter().map(|&(customer, _, did)| (customer, false, did)));
    picks.sort_unstable();
    let share = |rows: &[usize], own: bool| {
        let (mut hits, mut all) = (0.0, 0.0);
        for &(_, _, did) in rows.iter().map(|&row| &picks[row]).filter(|pick| pick.1 == own) {
            hits += f64::from(u8::from(did));
            all += 1.0;
        }
        hits / f64::max(all, 1.0)
    };
    let clusters = Clusters::of(picks.iter().map(|pick| pick.0));
    let (low, high) = clusters.interval(|rows| share(rows, true) - share(rows, false));
    let all: Vec<usize> = (0..picks.len()).collect();
    Beside {
        what: what.into(),
        metric: format!("precision@{at}"),
        rule: rule.into(),
        cases: ours.len() as u64,
        ours: share(&all, true),
        theirs: share(&all, false),
        low,
        high,
        less_is_better: false,
    }
}
