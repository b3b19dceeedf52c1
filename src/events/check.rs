//! What a log must not hold: each check gives the rows it sets aside their cause.

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use rustc_hash::{FxHashMap, FxHashSet};

use super::bursts::bursts;
use super::keys::Keys;
use super::machines::machines;
use super::moments::{check_clocks, now};
use super::returns::take_back;
use super::row::Row;
use super::titles::TitlePlace;
use super::{Account, Cause, EventKind, ReadOptions};
use crate::Result;
use crate::ids::{GroupId, Interner, ItemId};

/// Lines of more units than this, each worth less than [`FRACTION`], are weights and volumes, not units.
const MANY_UNITS: f32 = 100.0;
/// In the shop's currency.
const FRACTION: f32 = 0.01;

/// Duplicates are said from so many on …
const LEAST_SAID: u64 = 20;
/// … and this share of all rows.
const SAID: f64 = 0.005;

/// The rows that stand all checks, sorted by time; the others are told to `account`. The rows of a file
/// come in one piece, up to its place in `ends`. Nothing that was sent back is taken yet: see [`take_back`].
pub(super) fn checked(
    mut rows: Vec<Row>,
    ends: &[usize],
    keys: &mut Keys,
    timed: bool,
    options: &ReadOptions,
    account: &mut Account,
    notes: &mut Vec<String>,
) -> Result<Vec<Row>> {
    let period = options.period()?;
    if timed {
        outside(&mut rows, &period);
    } else if options.before.is_some() || options.after.is_some() {
        notes.push("before and after have no effect: the events have no timestamp column".into());
    }
    if !options.match_case {
        join_spellings(&mut rows, keys, notes);
    }
    undone(&mut rows);
    not_products(&mut rows, keys, &options.non_products);
    mark_returns(&mut rows, &keys.groups, notes);
    odd_quantities(&mut rows, options.max_quantity as f32);
    let mut start = 0;
    for &end in ends {
        unpriced(&mut rows[start..end]);
        start = end;
    }
    settle(&mut rows, account);
    sort(&mut rows);
    if timed {
        check_clocks(&mut rows, now(), notes);
    }
    let looks_apart = timed && !share_moments(&rows);
    duplicates(&mut rows, |row| match is_look(row) {
        true => looks_apart,
        false => !options.keep_repeats && (timed || keys.is_order(row.group)),
    });
    settle(&mut rows, account);
    say_duplicates(account, notes);
    if !options.keep_programs {
        machines(&mut rows, notes);
        if timed {
            bursts(&mut rows, notes);
        }
        settle(&mut rows, account);
    }
    Ok(rows)
}

/// Takes back what was sent back, and sets aside what is left of nothing.
pub(super) fn take_returned(rows: &mut Vec<Row>, account: &mut Account) {
    for (place, cause) in take_back(rows) {
        rows[place].fate = Some(cause);
    }
    settle(rows, account);
}

/// In order of time; file order within a moment. It is places that are sorted, an eighth of the rows' memory: to
/// sort the rows themselves takes as much again.
fn sort(rows: &mut [Row]) {
    if rows.is_sorted_by_key(|row| row.at) {
        return; // as most logs are
    }
    let count = u32::try_from(rows.len()).expect("fewer than 2^32 rows");
    let mut order: Vec<u32> = (0..count).collect();
    order.par_sort_unstable_by_key(|&place| (rows[place as usize].at, place));
    for start in 0..rows.len() {
        // Along the cycle of those that take each other's places.
        let mut to = start;
        while order[to] as usize != to {
            let from = std::mem::replace(&mut order[to], to as u32) as usize;
            if from == start {
                break;
            }
            rows.swap(to, from);
            to = from;
        }
    }
}

/// Takes out the rows that have a fate, and counts them.
fn settle(rows: &mut Vec<Row>, account: &mut Account) {
    rows.retain(|row| {
        if let Some(cause) = row.fate {
            account.set_aside(cause, 1);
        }
        row.is_live()
    });
}

fn set_aside(rows: &mut [Row], cause: Cause, is_so: impl Fn(&Row) -> bool + Sync) {
    rows.par_iter_mut()
        .filter(|row| row.is_live() && is_so(row))
        .for_each(|row| row.fate = Some(cause));
}

/// What was bought and is undone in a later delivery is undone in the earlier one.
fn undone(rows: &mut [Row]) {
    let line = |row: &Row| Some((row.group?, row.item));
    let is_undone = |row: &&Row| row.fate == Some(Cause::Undone);
    let undone: FxHashSet<_> = rows.iter().filter(is_undone).filter_map(line).collect();
    if !undone.is_empty() {
        set_aside(rows, Cause::Undone, |row| {
            row.kind == EventKind::Purchase && line(row).is_some_and(|line| undone.contains(&line))
        });
    }
}

fn outside(rows: &mut [Row], period: &std::ops::Range<crate::time::Timestamp>) {
    set_aside(rows, Cause::OutsideLimits, |row| !period.contains(&row.at));
}

/// Keys that differ only by case become the most frequent of them; ties go to the upper-case one, then
/// to the smaller text.
fn join_spellings(rows: &mut [Row], keys: &mut Keys, notes: &mut Vec<String>) {
    let Keys { items, titles, .. } = keys;
    let mut spellings: FxHashMap<String, Vec<ItemId>> = FxHashMap::default();
    for index in 0..items.len() {
        let item = ItemId::new(index);
        let key = items.key(item);
        if key.chars().any(char::is_alphabetic) {
            spellings.entry(key.to_lowercase()).or_default().push(item);
        }
    }
    spellings.retain(|_, alike| alike.len() > 1);
    if spellings.is_empty() {
        return;
    }
    let mut counts = vec![0_u64; items.len()];
    rows.iter().filter(|row| row.is_live()).for_each(|row| counts[row.item.index()] += 1);
    let mut joined: FxHashMap<ItemId, (ItemId, Vec<TitlePlace>)> = FxHashMap::default();
    for alike in spellings.into_values() {
        let rank = |item: &ItemId| {
            let key = items.key(*item);
            (std::cmp::Reverse(counts[item.index()]), key.chars().any(char::is_lowercase), key)
        };
        if let Some(best) = alike.iter().copied().min_by_key(rank) {
            let others = alike.into_iter().filter(|&other| other != best);
            joined.extend(others.map(|other| (other, (best, titles.join(other, best)))));
        }
    }
    for row in rows.iter_mut() {
        if let Some((best, places)) = joined.get(&row.item) {
            row.item = *best;
            row.title = row.title.and_then(|place| places[usize::from(place.get()) - 1]);
        }
    }
    notes.push(format!(
        "{} item keys differ from another only by case, and were joined with it",
        joined.len()
    ));
}

fn not_products(rows: &mut [Row], keys: &Keys, patterns: &[String]) {
    let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_uppercase()).collect();
    let listed = |text: &str| {
        let text = text.to_uppercase();
        patterns.iter().any(|pattern| matches_pattern(pattern, &text))
    };
    let titles = keys.titles.most_frequent(rows, keys.items.len());
    let named = keys.items.keys().zip(titles);
    let bookkeeping: Vec<bool> =
        named.map(|(key, title)| listed(key) || title.is_some_and(&listed)).collect();
    set_aside(rows, Cause::NotAProduct, |row| bookkeeping[row.item.index()]);
}

/// A `*` at either end of the pattern stands for anything.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (open_start, pattern) = match pattern.strip_prefix('*') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let (open_end, middle) = match pattern.strip_suffix('*') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    match (open_start, open_end) {
        (false, false) => text == middle,
        (true, false) => text.ends_with(middle),
        (false, true) => text.starts_with(middle),
        (true, true) => text.contains(middle),
    }
}

/// Negative purchases, and those of orders that the shop marks as cancelled, are returns of as many.
fn mark_returns(rows: &mut [Row], groups: &Interner<GroupId>, notes: &mut Vec<String>) {
    let cancelled = cancelled(groups);
    let mut by_order = 0_u64;
    for row in rows.iter_mut().filter(|row| row.is_live()) {
        let is_cancelled =
            row.group.is_some_and(|group| cancelled.get(group.index()) == Some(&true));
        if row.kind == EventKind::Purchase && (is_cancelled || row.quantity < 0.0) {
            row.kind = EventKind::Return;
            by_order += u64::from(is_cancelled);
        }
        if row.kind == EventKind::Return {
            row.quantity = row.quantity.abs();
            row.unit_price = row.unit_price.told().map(f32::abs).into();
        }
    }
    if by_order > 0 {
        notes.push(format!(
            "{by_order} lines are of cancelled orders (C and a number): they count as returns"
        ));
    }
}

/// Orders called `C` and digits, where nine in ten of the others are plain digits; by [`GroupId`].
fn cancelled(groups: &Interner<GroupId>) -> Vec<bool> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_marked =
        |key: &str| key.strip_prefix("oC").or(key.strip_prefix("oc")).is_some_and(digits);
    let marked: Vec<bool> = groups.keys().map(is_marked).collect();
    let others = || groups.keys().filter(|key| key.starts_with('o') && !is_marked(key));
    let plain = others().filter(|key| digits(&key[1..])).count();
    if plain > 0 && plain * 10 >= others().count() * 9 { marked } else { Vec::new() }
}

fn odd_quantities(rows: &mut [Row], max_quantity: f32) {
    // Who only looks takes no units, and some exports say so.
    let without = rows.iter_mut().filter(|row| is_look(row) && row.quantity <= 0.0);
    without.for_each(|row| row.quantity = 1.0);
    set_aside(rows, Cause::ZeroOrNegativeQuantity, |row| row.quantity <= 0.0);
    set_aside(rows, Cause::AbsurdQuantity, |row| {
        let crumbs = row.unit_price.told().is_some_and(|price| price > 0.0 && price < FRACTION);
        row.quantity > max_quantity || row.quantity > MANY_UNITS && crumbs
    });
}

/// Where at least half of a file's purchases that say a price say one above 0, the others are no sales,
/// unless a known customer got the item for nothing; where not, its prices mean nothing and count as
/// unknown.
fn unpriced(rows: &mut [Row]) {
    let (mut any, mut above) = (0_u64, 0_u64); // purchases with any price, and with one above 0
    for row in rows.iter().filter(|row| row.is_live() && row.kind == EventKind::Purchase) {
        if let Some(price) = row.unit_price.told() {
            any += 1;
            above += u64::from(price > 0.0);
        }
    }
    if above * 2 >= any {
        set_aside(rows, Cause::Unpriced, |row| {
            let is_unpriced = |price: f32| price < 0.0 || price == 0.0 && row.customer.is_none();
            row.kind == EventKind::Purchase && row.unit_price.told().is_some_and(is_unpriced)
        });
    }
    for row in rows.iter_mut().filter(|row| row.is_live()) {
        row.unit_price = row.unit_price.told().filter(|&price| price > 0.0).into();
    }
}

fn is_look(row: &Row) -> bool {
    !matches!(row.kind, EventKind::Purchase | EventKind::Return)
}

/// Whether most looks share their moment with one at something else in the same visit: a day is all that is told, or
/// when the visit began. Then the same look again is another one.
fn share_moments(rows: &[Row]) -> bool {
    let (mut looks, mut beside_others) = (0_u64, 0_u64);
    // Whose visit → the first thing they looked at, how many looks, and whether any was at something else.
    let mut visits: FxHashMap<_, (ItemId, u64, bool)> = FxHashMap::default();
    for moment in rows.chunk_by(|a, b| a.at == b.at) {
        visits.clear();
        visits.shrink_to(moment.len()); // as in `duplicates`
        for row in moment.iter().filter(|row| row.is_live() && is_look(row)) {
            looks += 1;
            let visit = visits.entry((row.customer, row.group)).or_insert((row.item, 0, false));
            visit.1 += 1;
            visit.2 |= visit.0 != row.item;
        }
        beside_others += visits.values().filter(|visit| visit.2).map(|visit| visit.1).sum::<u64>();
    }
    beside_others * 2 > looks
}

/// The same event again, in rows sorted by time. Without time only lines of the same order can be told to
/// be the same: a session may come back to an item, and a customer may buy again.
fn duplicates(rows: &mut [Row], is_told: impl Fn(&Row) -> bool + Sync) {
    let moments = rows.par_chunk_by_mut(|a, b| a.at == b.at).filter(|moment| moment.len() > 1);
    moments.for_each_init(FxHashSet::default, |seen, moment| {
        // To clear a set takes as long as it is large, and there are as many moments as orders.
        seen.clear();
        seen.shrink_to(moment.len());
        for row in moment.iter_mut().filter(|row| row.is_live()) {
            let event = (
                (row.kind, row.item, row.customer, row.group),
                (row.quantity.to_bits(), row.unit_price.told().map(f32::to_bits)),
            );
            if is_told(row) && !seen.insert(event) {
                row.fate = Some(Cause::Duplicate);
            }
        }
    });
}

/// A word on rows that came more than once, if they are more than a till's double clicks.
fn say_duplicates(account: &Account, notes: &mut Vec<String>) {
    let again = account.set_aside.get(&Cause::Duplicate).copied().unwrap_or(0);
    if again >= LEAST_SAID && again as f64 > SAID * account.read as f64 {
        notes.push(format!(
            "duplicates: {again} rows came more than once, and count once: was something delivered twice, or does each \
             unit have a row of its own (then events.keep_repeats = true counts each)?"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;
    use crate::time::Timestamp;

    /// Rows of a log of looks, timed as told: who, what, when.
    fn looks(told: &[(usize, usize, i64)]) -> Vec<Row> {
        let row = |&(who, item, at): &(usize, usize, i64)| Row {
            at: Timestamp(at),
            customer: Some(CustomerId::new(who)),
            item: ItemId::new(item),
            group: None,
            quantity: 1.0,
            unit_price: None.into(),
            kind: EventKind::View,
            discount_percent: 0,
            title: None,
            fate: None,
        };
        told.iter().map(row).collect()
    }

    #[test]
    fn rows_are_sorted_by_time_and_stay_in_order_within_a_moment() {
        let mut random = fastrand::Rng::with_seed(7);
        for moments in [1, 40, 2_000] {
            let looks: Vec<_> = (0..1_000).map(|n| (0, n, random.i64(0..moments))).collect();
            let mut rows = self::looks(&looks);
            let told = |rows: &[Row]| -> Vec<_> { rows.iter().map(|r| (r.at, r.item)).collect() };
            let mut expected = told(&rows);
            expected.sort_unstable();
            sort(&mut rows);
            assert_eq!(told(&rows), expected);
        }
    }

    /// Of visits that are dated by their day all that came back to a thing was lost.
    #[test]
    fn a_look_again_within_a_moment_is_one_of_a_day_and_none_of_a_second() {
        let of_days = looks(&[(1, 1, 0), (1, 2, 0), (1, 1, 0), (2, 7, 0), (2, 8, 0), (1, 5, 9)]);
        assert!(share_moments(&of_days));
        let of_seconds = looks(&[(1, 1, 0), (1, 1, 0), (2, 2, 0), (1, 3, 1), (1, 4, 2), (2, 5, 2)]);
        assert!(!share_moments(&of_seconds), "two people at once are not one visit");
        assert!(!share_moments(&[]));
    }

    #[test]
    fn a_star_at_either_end_of_a_pattern_stands_for_anything() {
        for (pattern, text, expected) in [
            ("POST", "POST", true),
            ("POST", "POSTER", false),
            ("GIFT*", "GIFT CARD 10", true),
            ("*FEE", "SERVICE FEE", true),
            ("*FEE", "FEES", false),
            ("*GIFT*", "A GIFT CARD", true),
            ("*", "X", true),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_order_is_cancelled_by_its_c_only_where_the_others_are_plain_numbers() {
        let orders = |keys: &[&str]| {
            let mut groups = Interner::new();
            keys.iter().for_each(|key| {
                groups.intern(key);
            });
            cancelled(&groups)
        };
        assert_eq!(orders(&["o536365", "oC536366", "s1", "sC1"]), [false, true, false, false]);
        assert!(orders(&["oC1", "oC2", "oD3"]).is_empty());
        assert!(orders(&["oC1", "oC2"]).is_empty());
    }
}
