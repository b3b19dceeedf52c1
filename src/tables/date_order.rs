//! Which of the two numbers of a date like `1/2/2024` is the day.

use super::moment::Cursor;

/// What the values of a column say of dates like `1/2/2024`: is the first number the month or the day?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateOrder {
    either: u64,
    day_first: u64,
    month_first: u64,
    year_first: u64,
}

impl DateOrder {
    /// What `values` say.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut order = Self::default();
        values.for_each(|value| order.see(value));
        order
    }

    /// What the shop says itself.
    pub fn told(day_first: bool) -> Self {
        Self {
            day_first: u64::from(day_first),
            month_first: u64::from(!day_first),
            ..Self::default()
        }
    }

    /// What both say.
    pub fn and(self, other: Self) -> Self {
        Self {
            either: self.either + other.either,
            day_first: self.day_first + other.day_first,
            month_first: self.month_first + other.month_first,
            year_first: self.year_first + other.year_first,
        }
    }

    /// Takes one more value into account.
    pub fn see(&mut self, text: &[u8]) {
        let mut cursor = Cursor(text);
        let Some((first, digits)) = cursor.number() else { return };
        if !cursor.take(b'/') && !cursor.take(b'-') {
            return;
        }
        if digits > 2 {
            self.year_first += u64::from(digits == 4);
            return;
        }
        let Some((second, _)) = cursor.number() else { return };
        match (first > 12, second > 12) {
            (true, false) => self.day_first += 1,
            (false, true) => self.month_first += 1,
            _ => self.either += 1,
        }
    }

    /// True if there are such dates, and none says which number is the month.
    pub fn is_unclear(self) -> bool {
        self.either > 0 && self.day_first == 0 && self.month_first == 0
    }

    /// True if some have the year first and others last.
    pub fn is_mixed(self) -> bool {
        self.year_first > 0 && self.either + self.day_first + self.month_first > 0
    }

    /// True if some say that the day comes first and others that the month does.
    pub fn is_divided(self) -> bool {
        self.day_first > 0 && self.month_first > 0
    }

    /// Where nothing says so, the month comes first.
    pub fn day_first(self) -> bool {
        self.day_first > self.month_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(values: &[&'static str]) -> DateOrder {
        DateOrder::of(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn a_day_over_twelve_tells_and_a_year_in_front_leaves_nothing_to_tell() {
        assert!(order(&["1/2/2024"]).is_unclear());
        assert!(!order(&["2024-01-02"]).is_unclear());
        assert!(order(&["2024-01-02", "1/13/2024"]).is_mixed());
        assert!(!order(&["2024-01-02"]).is_mixed() && !order(&["1/13/2024"]).is_mixed());
        assert!(order(&["13/1/2024"]).day_first() && !order(&["1/13/2024"]).day_first());
    }

    #[test]
    fn what_two_columns_say_is_told_together() {
        let [either, day, month] = [["1/2/2024"], ["13/2/2024"], ["2/13/2024"]].map(|v| order(&v));
        assert!(either.and(day).day_first() && !either.and(day).is_unclear());
        assert!(day.and(month).is_divided() && !day.and(either).is_divided());
        assert!(DateOrder::told(true).day_first() && !DateOrder::told(false).day_first());
        assert!(!DateOrder::told(true).is_unclear() && !DateOrder::told(false).is_unclear());
    }
}
