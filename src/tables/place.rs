//! What the folders of a file say of all its rows, as Hive, Spark and Athena lay them out:
//! `events/dt=2026-03-01/event_type=view/part-0.parquet`.

use std::path::{Component, Path};

use percent_encoding::percent_decode_str;

/// How Hive writes a value that is not there.
const ABSENT: &str = "__HIVE_DEFAULT_PARTITION__";

/// Name and value of each column that the folders of `path` tell and the file itself does not have.
pub(super) fn columns(path: &Path, in_file: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut columns: Vec<(String, Vec<u8>)> = Vec::new();
    let folders = path.parent().into_iter().flat_map(Path::components);
    for folder in folders {
        let Component::Normal(folder) = folder else { continue };
        let Some((name, value)) = folder.to_str().and_then(|folder| folder.split_once('=')) else {
            continue;
        };
        let is_known = |known: &String| known.eq_ignore_ascii_case(name);
        if name.is_empty() || in_file.iter().any(is_known) {
            continue;
        }
        let value = if value == ABSENT { "" } else { value };
        // Of two folders of the same name the inner one is nearer.
        columns.retain(|(other, _)| !is_known(other));
        columns.push((name.to_owned(), percent_decode_str(value).collect()));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_tell_what_the_file_does_not() {
        let of = |path: &str| {
            let columns = columns(Path::new(path), &["Item_Id".to_owned()]);
            let text = |(name, value)| format!("{name}={}", String::from_utf8(value).unwrap());
            columns.into_iter().map(text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("in/dt=2026-03-01/event_type=view/a=b.csv"), "dt=2026-03-01 event_type=view");
        assert_eq!(of("/in/at=2026-03-01 10%3A00/x.csv"), "at=2026-03-01 10:00");
        assert_eq!(
            of("a=1/item_id=7/A=2/=3/x.csv"),
            "A=2",
            "the inner one; never what the file has"
        );
        assert_eq!(of("dt=__HIVE_DEFAULT_PARTITION__/x.csv"), "dt=");
        assert_eq!(of("x.csv"), "");
    }
}
