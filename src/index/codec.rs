//! Bytes of what is stored: fixed-size entries, little endian, in blocks of many rows.

use crate::customers::{Bought, Drawn, Due, EventKind, Foreseen, Glance, History, Profile};
use crate::embed::{UnitVectors, Word};
use crate::ids::{DenseId, ItemId};
use crate::lists::Lists;
use crate::time::Timestamp;
use crate::trends::{Riser, Seller};

/// Rows per stored value: values of some hundred kilobytes load fastest.
pub(super) const BLOCK: usize = 1024;
/// Numbers per stored value.
const NUMBERS: usize = 64 * BLOCK;

/// Reads from the front of a byte string; `None` as soon as there is not enough of it.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn count(&mut self) -> Option<usize> {
        self.u32().map(|n| n as usize)
    }
}

/// Something of fixed size.
pub(super) trait Entry: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn get(bytes: &mut Bytes<'_>) -> Option<Self>;
}

impl Entry for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        bytes.take().map(|[byte]| byte)
    }
}

impl Entry for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        bytes.u32()
    }
}

impl Entry for f32 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        bytes.take().map(f32::from_le_bytes)
    }
}

impl Entry for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_le_bytes());
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        bytes.take().map(|raw| Timestamp(i64::from_le_bytes(raw)))
    }
}

impl Entry for ItemId {
    fn put(&self, out: &mut Vec<u8>) {
        (DenseId::index(*self) as u32).put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        let index = bytes.count()?;
        (index < u32::MAX as usize).then(|| ItemId::new(index))
    }
}

impl Entry for Word {
    fn put(&self, out: &mut Vec<u8>) {
        self.number.put(out);
        self.weight.put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        Some(Self { number: Entry::get(bytes)?, weight: Entry::get(bytes)? })
    }
}

impl Entry for Bought {
    fn put(&self, out: &mut Vec<u8>) {
        self.item.put(out);
        self.times.put(out);
        self.first.put(out);
        self.last.put(out);
        self.strength.put(out);
        self.usual_days.put(out);
        self.orders_ago.put(out);
        self.orders_since_first.put(out);
        self.lately.put(out);
        self.units.put(out);
        self.last_units.put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            item: Entry::get(bytes)?,
            times: Entry::get(bytes)?,
            first: Entry::get(bytes)?,
            last: Entry::get(bytes)?,
            strength: Entry::get(bytes)?,
            usual_days: Entry::get(bytes)?,
            orders_ago: Entry::get(bytes)?,
            orders_since_first: Entry::get(bytes)?,
            lately: Entry::get(bytes)?,
            units: Entry::get(bytes)?,
            last_units: Entry::get(bytes)?,
        })
    }
}

impl Entry for Drawn {
    fn put(&self, out: &mut Vec<u8>) {
        self.item.put(out);
        self.weight.put(out);
        self.by.put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        let (item, weight, by) = (Entry::get(bytes)?, Entry::get(bytes)?, Entry::get(bytes)?);
        Some(Self { item, weight, by })
    }
}

impl Entry for Foreseen {
    fn put(&self, out: &mut Vec<u8>) {
        self.item.put(out);
        self.weight.put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        Some(Self { item: Entry::get(bytes)?, weight: Entry::get(bytes)? })
    }
}

impl Entry for Due {
    fn put(&self, out: &mut Vec<u8>) {
        self.item.put(out);
        [self.usual_days, self.days_since, self.in_days, self.chance]
            .iter()
            .for_each(|figure| figure.put(out));
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        let item = Entry::get(bytes)?;
        let mut figure = || Entry::get(bytes);
        let (usual_days, days_since, in_days, chance) =
            (figure()?, figure()?, figure()?, figure()?);
        Some(Self { item, usual_days, days_since, in_days, chance })
    }
}

impl Entry for Seller {
    fn put(&self, out: &mut Vec<u8>) {
        self.item.put(out);
        self.count.put(out);
        self.score.put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        let (item, count, score) = (Entry::get(bytes)?, Entry::get(bytes)?, Entry::get(bytes)?);
        Some(Self { item, count, score })
    }
}

impl Entry for Riser {
    fn put(&self, out: &mut Vec<u8>) {
        self.item.put(out);
        self.count.put(out);
        self.expected.put(out);
        self.at_least.put(out);
        u32::from(self.sure).put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            item: Entry::get(bytes)?,
            count: Entry::get(bytes)?,
            expected: Entry::get(bytes)?,
            at_least: Entry::get(bytes)?,
            sure: bytes.u32()? != 0,
        })
    }
}

impl Entry for Glance {
    fn put(&self, out: &mut Vec<u8>) {
        self.item.put(out);
        out.push(self.kind as u8);
        self.at.put(out);
    }
    fn get(bytes: &mut Bytes<'_>) -> Option<Self> {
        let item = Entry::get(bytes)?;
        let [kind] = bytes.take()?;
        let kind = [EventKind::View, EventKind::Cart, EventKind::Favorite]
            .into_iter()
            .find(|&known| known as u8 == kind)?;
        Some(Self { item, kind, at: Entry::get(bytes)? })
    }
}

/// `values` in blocks of [`NUMBERS`].
pub(super) fn vector_blocks<T: Entry>(values: &[T]) -> impl Iterator<Item = Vec<u8>> {
    values.chunks(NUMBERS).map(encode_row)
}

/// The values of one block, appended.
pub(super) fn read_vector_block<T: Entry>(block: &[u8], values: &mut Vec<T>) -> Option<()> {
    let mut bytes = Bytes(block);
    let count = bytes.count()?;
    for _ in 0..count {
        values.push(T::get(&mut bytes)?);
    }
    bytes.0.is_empty().then_some(())
}

/// Rows in blocks of [`BLOCK`]: how many rows, the length of each, then all their entries.
pub(super) fn list_blocks<T: Entry>(lists: &Lists<T>) -> impl Iterator<Item = Vec<u8>> {
    (0..lists.len()).step_by(BLOCK).map(|start| {
        let rows: Vec<&[T]> =
            (start..lists.len().min(start + BLOCK)).map(|row| lists.row(row)).collect();
        let mut out = Vec::new();
        (rows.len() as u32).put(&mut out);
        rows.iter().for_each(|row| (row.len() as u32).put(&mut out));
        rows.into_iter().flatten().for_each(|entry| entry.put(&mut out));
        out
    })
}

/// The rows of one block, appended.
pub(super) fn read_list_block<T: Entry>(block: &[u8], lists: &mut Lists<T>) -> Option<()> {
    let mut bytes = Bytes(block);
    let rows = bytes.count()?;
    let mut lengths = Vec::with_capacity(rows.min(BLOCK));
    for _ in 0..rows {
        lengths.push(bytes.count()?);
    }
    let mut row = Vec::new();
    for length in lengths {
        row.clear();
        for _ in 0..length {
            row.push(T::get(&mut bytes)?);
        }
        lists.push(row.drain(..));
    }
    bytes.0.is_empty().then_some(())
}

/// Directions in blocks of [`BLOCK`] items: how many numbers each has, then all their steps.
pub(super) fn direction_blocks(vectors: &UnitVectors) -> impl Iterator<Item = Vec<u8>> {
    let dim = vectors.dim();
    vectors.steps().chunks((BLOCK * dim).max(1)).map(move |steps| {
        let mut out = Vec::with_capacity(4 + steps.len());
        (dim as u32).put(&mut out);
        out.extend(steps.iter().map(|step| step.to_le_bytes()[0]));
        out
    })
}

/// The steps of one block, appended, and how many of them are a vector: in all blocks the same.
pub(super) fn read_direction_block(
    block: &[u8],
    (dim, steps): &mut (usize, Vec<i8>),
) -> Option<()> {
    let mut bytes = Bytes(block);
    let of_block = bytes.count()?;
    if !steps.is_empty() && *dim != of_block {
        return None;
    }
    *dim = of_block;
    steps.extend(bytes.0.iter().map(|byte| i8::from_le_bytes([*byte])));
    Some(())
}

fn encode_row<T: Entry>(row: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    (row.len() as u32).put(&mut out);
    row.iter().for_each(|entry| entry.put(&mut out));
    out
}

/// A customer's past, with a checksum at its end: these values are read one by one, long after the
/// generation was verified.
pub(super) fn encode_history(history: &History) -> Vec<u8> {
    let mut out = encode_row(&history.bought);
    out.extend(encode_row(&history.glances));
    out.extend(encode_row(&history.drawn));
    out.extend(encode_row(&history.foreseen));
    out.extend(encode_row(&history.due));
    history.orders.put(&mut out);
    with_checksum(out)
}

/// A customer's profile, with a checksum at its end.
pub(super) fn encode_profile(profile: &Profile) -> Vec<u8> {
    with_checksum(postcard::to_stdvec(profile).expect("a profile's lists have lengths"))
}

/// `None` if the bytes are not what was written.
pub(super) fn decode_profile(value: &[u8]) -> Option<Profile> {
    match postcard::take_from_bytes(checked(value)?) {
        Ok((profile, [])) => Some(profile),
        _ => None,
    }
}

/// The bytes with a checksum at their end.
pub(super) fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    checksum(&bytes).put(&mut bytes);
    bytes
}

/// The bytes without their checksum; `None` if they are not what was written.
pub(super) fn checked(value: &[u8]) -> Option<&[u8]> {
    let (body, sum) = value.split_last_chunk::<4>()?;
    (u32::from_le_bytes(*sum) == checksum(body)).then_some(body)
}

/// `None` if the bytes are not what was written.
pub(super) fn decode_history(value: &[u8]) -> Option<History> {
    let mut bytes = Bytes(checked(value)?);
    let mut history = History::default();
    for _ in 0..bytes.count()? {
        history.bought.push(Entry::get(&mut bytes)?);
    }
    for _ in 0..bytes.count()? {
        history.glances.push(Entry::get(&mut bytes)?);
    }
    for _ in 0..bytes.count()? {
        history.drawn.push(Entry::get(&mut bytes)?);
    }
    for _ in 0..bytes.count()? {
        history.foreseen.push(Entry::get(&mut bytes)?);
    }
    for _ in 0..bytes.count()? {
        history.due.push(Entry::get(&mut bytes)?);
    }
    history.orders = Entry::get(&mut bytes)?;
    bytes.0.is_empty().then_some(history)
}

fn checksum(bytes: &[u8]) -> u32 {
    twox_hash::XxHash3_128::oneshot(bytes) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn history() -> impl Strategy<Value = History> {
        let bought = (0usize..1000, 0u32..50, any::<i64>(), 0f32..9.0, 0f32..90.0).prop_map(
            |(item, times, last, strength, usual_days)| Bought {
                item: ItemId::new(item),
                times,
                first: Timestamp(last / 2),
                last: Timestamp(last),
                strength,
                usual_days,
                orders_ago: times,
                orders_since_first: times * 3,
                lately: strength / 2.0,
                units: usual_days * 2.0,
                last_units: usual_days / 2.0,
            },
        );
        let drawn = (0usize..1000, 0f32..9.0, 0usize..1000).prop_map(|(item, weight, by)| Drawn {
            item: ItemId::new(item),
            weight,
            by: ItemId::new(by),
        });
        let foreseen = (0usize..1000, 0f32..9.0)
            .prop_map(|(item, weight)| Foreseen { item: ItemId::new(item), weight });
        let kinds =
            prop_oneof![Just(EventKind::View), Just(EventKind::Cart), Just(EventKind::Favorite)];
        let glance = (0usize..1000, kinds, any::<i64>()).prop_map(|(item, kind, at)| Glance {
            item: ItemId::new(item),
            kind,
            at: Timestamp(at),
        });
        let due = (0usize..1000, 0f32..90.0, 0f32..90.0, 0f32..1.0).prop_map(
            |(item, usual_days, days_since, chance)| Due {
                item: ItemId::new(item),
                usual_days,
                days_since,
                in_days: usual_days / 3.0,
                chance,
            },
        );
        let lists = (
            prop::collection::vec(bought, 0..20),
            prop::collection::vec(glance, 0..20),
            prop::collection::vec(drawn, 0..20),
            prop::collection::vec(foreseen, 0..20),
            prop::collection::vec(due, 0..20),
        );
        (lists, any::<u32>()).prop_map(|((bought, glances, drawn, foreseen, due), orders)| {
            History { bought, glances, drawn, foreseen, orders, due }
        })
    }

    fn profile(numbers: &[u32], name: &str, share: f32, at: i64) -> Profile {
        use crate::customers::{Buyer, Churn, Paid, Preferences, Rfm};
        let number = |n: usize| numbers.get(n).copied().unwrap_or(0);
        let at = Timestamp(at);
        let rfm = Rfm {
            first_order: at,
            last_order: at,
            recency_days: number(0),
            orders: number(1),
            total: share * 1e6,
            average: share,
            returned: share,
            r: 1,
            f: 2,
            m: 3,
        };
        let preferences = Preferences {
            brands: vec![(name.to_owned(), share)],
            price_level: share,
            ..Preferences::default()
        };
        let latest_orders = numbers.iter().map(|&n| Paid { at, value: n as f32 }).collect();
        let buyer = Buyer {
            rfm,
            quadrant: Default::default(),
            worth: number(2).is_multiple_of(2).then(Default::default),
            aspects: Default::default(),
            churn: Churn { probability: share, lost: share, value_at_risk: share },
            preferences,
            segment: number(3).is_multiple_of(2).then_some(number(4)),
            latest_orders,
        };
        Profile {
            lifecycle: Default::default(),
            buyer: (!numbers.is_empty()).then_some(buyer),
            attributes: [(name.to_owned(), name.to_owned())].into(),
        }
    }

    /// Every decoder of the index, on the same bytes: each says what they mean, or that they mean nothing.
    #[test]
    fn any_bytes_are_refused_or_read() {
        use crate::torment::torment;
        let seller = Seller { item: ItemId::new(3), count: 7, score: 0.5 };
        let sellers: Lists<Seller> = [vec![seller; 2], Vec::new()].into_iter().collect();
        let blocks: Vec<Vec<u8>> = list_blocks(&sellers).collect();
        let history = encode_history(&History::default());
        let profile = encode_profile(&profile(&[1, 2, 3, 4, 5], "brand", 0.5, 7));
        let samples = [
            &blocks[0][..],
            checked(&history).expect("just written"),
            checked(&profile).expect("just written"),
        ];
        let understood = torment("codec", &samples, |bytes| {
            let summed = with_checksum(bytes.to_vec());
            let read = decode_history(&summed);
            if let Some(history) = &read {
                // What was understood is what would be written, but where a number is none.
                assert_eq!(encode_history(history).len(), summed.len());
            }
            let mut lists = Lists::new();
            let block = read_list_block::<Seller>(bytes, &mut lists);
            assert!(lists.entries().len() <= bytes.len());
            let mut directions = (0, Vec::new());
            let of_directions = read_direction_block(bytes, &mut directions);
            let vector = read_vector_block::<f32>(bytes, &mut Vec::new());
            let _ = decode_history(bytes); // its checksum is not right, most likely
            let _ = read_list_block::<Riser>(bytes, &mut Lists::new());
            let _ = read_list_block::<Word>(bytes, &mut Lists::new());
            let _ = read_list_block::<u32>(bytes, &mut Lists::new());
            let of_profile = decode_profile(&summed).is_some();
            let _ = (of_directions, vector);
            read.is_some() || block.is_some() || of_profile
        });
        assert!(understood > 0);
    }

    proptest! {
        #[test]
        fn a_history_comes_back_as_it_was_written(history in history()) {
            prop_assert_eq!(decode_history(&encode_history(&history)), Some(history));
        }

        #[test]
        fn one_flipped_bit_in_a_history_is_noticed(history in history(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut value = encode_history(&history);
            let at = at.index(value.len());
            value[at] ^= 1 << bit;
            prop_assert_eq!(decode_history(&value), None);
        }

        #[test]
        fn a_profile_comes_back_as_it_was_written(
            numbers in prop::collection::vec(any::<u32>(), 0..70),
            (name, share, at) in (".{0,20}", 0f32..1.0, any::<i64>()),
            bit in any::<prop::sample::Index>(),
        ) {
            let profile = profile(&numbers, &name, share, at);
            let value = encode_profile(&profile);
            prop_assert_eq!(decode_profile(&value), Some(profile));
            let (mut broken, bit) = (value.clone(), bit.index(8 * value.len()));
            broken[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode_profile(&broken), None);
        }

        #[test]
        fn lists_come_back_as_they_were_written(rows in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..5), 0..3000)) {
            let lists: Lists<u32> = rows.into_iter().collect();
            let mut back = Lists::new();
            for block in list_blocks(&lists) {
                read_list_block(&block, &mut back).expect("a whole block");
            }
            prop_assert_eq!(back, lists);
        }

        #[test]
        fn directions_come_back_as_they_were_written(steps in prop::collection::vec(any::<i8>(), 0..9000), dim in 1usize..4) {
            let whole = steps.len() / dim * dim;
            let vectors = UnitVectors::from_steps(dim, steps[..whole].to_vec()).expect("whole");
            let mut back = (dim, Vec::new());
            for block in direction_blocks(&vectors) {
                read_direction_block(&block, &mut back).expect("a whole block");
            }
            prop_assert_eq!(UnitVectors::from_steps(back.0, back.1), Some(vectors));
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_history(&bytes);
            let _ = decode_profile(&with_checksum(bytes.clone()));
            let _ = read_list_block::<Seller>(&bytes, &mut Lists::new());
            let _ = read_vector_block::<u8>(&bytes, &mut Vec::new());
            let mut directions = (3, vec![1, 2, 3]);
            if read_direction_block(&bytes, &mut directions).is_some() {
                prop_assert_eq!(directions.0, 3);
            }
        }
    }
}
