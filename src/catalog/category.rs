//! Category paths, as shops write them.

/// What parts the levels of a path within one column.
const SEPARATORS: [char; 3] = ['>', '|', '/'];

/// How the category columns of a file become a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// One column per level: "ICE - CRUSHED/CUBED" is one name.
    ByColumn,
    /// One column with a whole path.
    Within(char),
    /// One column with several whole paths, commas between them: `Camping > Tents, Sale`.
    Several,
}

impl Levels {
    /// Values with `>` are paths. Else several columns are levels; a single one holds paths if some value
    /// has `|`, or if half of
    /// them have `/` (which also stands in names) or, in words without spaces, `.`.
    pub fn of<'a>(columns: usize, values: impl Iterator<Item = &'a str>) -> Self {
        let values: Vec<&str> = values.collect();
        let with = |mark: char| values.iter().filter(|value| value.contains(mark)).count();
        let half = values.len().div_ceil(2);
        match () {
            () if values.is_empty() => Self::ByColumn,
            () if values
                .iter()
                .any(|value| whole_paths(value).filter(|path| path.contains('>')).count() > 1) =>
            {
                Self::Several
            }
            () if with('>') > 0 => Self::Within('>'),
            () if columns > 1 => Self::ByColumn,
            () if with('|') > 0 => Self::Within('|'),
            () if with('/') >= half => Self::Within('/'),
            () if with('.') >= half && with(' ') == 0 => Self::Within('.'),
            () => Self::ByColumn,
        }
    }

    /// The path that the values of the category columns say, widest first; a level that repeats the one
    /// above is left out.
    pub fn path<'a>(self, values: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut path: Vec<String> = Vec::new();
        for value in values {
            match self {
                Self::ByColumn => push(&mut path, value),
                Self::Within(mark) => value.split(mark).for_each(|level| push(&mut path, level)),
                Self::Several => {
                    let levels = |path: &&str| std::cmp::Reverse(path.split('>').count());
                    // The nearest says most; of several the first.
                    let nearest = whole_paths(value).min_by_key(levels).unwrap_or_default();
                    nearest.split('>').for_each(|level| push(&mut path, level));
                }
            }
        }
        path
    }
}

fn whole_paths(value: &str) -> impl Iterator<Item = &str> {
    value.split(", ")
}

fn push(path: &mut Vec<String>, level: &str) {
    let level = level.trim().trim_matches(SEPARATORS).trim();
    if !level.is_empty() && path.last().is_none_or(|above| above != level) {
        path.push(level.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(columns: usize, values: &[&str]) -> Vec<Vec<String>> {
        let levels = Levels::of(columns, values.iter().copied());
        values.iter().map(|value| levels.path(std::iter::once(*value))).collect()
    }

    #[test]
    fn a_single_column_may_hold_a_path_in_several_spellings() {
        let expected = [vec!["a".to_string(), "b c".into()]];
        for value in ["a > b c", "a>b c", "a | b c", "a/b c", "/a/b c/"] {
            assert_eq!(paths(1, &[value]), expected, "{value}");
        }
        assert_eq!(paths(1, &["electronics.phone"])[0], ["electronics", "phone"]);
    }

    #[test]
    fn of_several_paths_the_nearest_counts() {
        let values = ["Camping > Tents, Sale", "Sale, Camping > Pots", "A > B, C > D", "Sale"];
        let expected =
            [vec!["Camping", "Tents"], vec!["Camping", "Pots"], vec!["A", "B"], vec!["Sale"]];
        assert_eq!(paths(1, &values), expected);
        let names = ["Bags, Cases > Suitcases", "Bags, Cases"];
        assert_eq!(paths(1, &names), [vec!["Bags, Cases", "Suitcases"], vec!["Bags, Cases"]]);
    }

    #[test]
    fn a_slash_in_a_name_is_no_level() {
        assert_eq!(paths(1, &["Crushed/cubed ice", "Bread", "Milk"])[0], ["Crushed/cubed ice"]);
        assert_eq!(paths(2, &["ICE - CRUSHED/CUBED"])[0], ["ICE - CRUSHED/CUBED"]);
    }

    #[test]
    fn a_level_that_repeats_the_one_above_is_left_out() {
        let levels = Levels::ByColumn;
        assert_eq!(
            levels.path(["meat", "sausage", "sausage", ""].into_iter()),
            ["meat", "sausage"]
        );
    }
}
