//! Which files a list of paths means.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use crate::{Error, Result};

/// Endings that a folder is searched for.
const ENDINGS: [&str; 6] = ["csv", "tsv", "jsonl", "ndjson", "json", "parquet"];
const PACKINGS: [&str; 3] = ["", ".gz", ".zst"];

/// The files that `paths` mean: files as they are, folders searched recursively, patterns expanded.
///
/// Folders and patterns give their files sorted; a file that is reached twice counts once.
///
/// Errors: a path that does not exist, a folder or pattern without a readable file.
pub fn list_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Err(Error::Input(
            "no input: name a file, a folder or a pattern like data/*.csv".into(),
        ));
    }
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for path in paths {
        for file in expand(path)? {
            let canonical = std::fs::canonicalize(&file).map_err(Error::io("read", &file))?;
            if seen.insert(canonical) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

fn expand(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        let found = walk(path, &|file| is_table(file))?;
        return nothing_is_an_error(found, || {
            format!(
                "folder {}: no file ends in .{} (or these with .gz, .zst)",
                path.display(),
                ENDINGS.join(", .")
            )
        });
    }
    if path.exists() {
        return Ok(vec![path.to_path_buf()]);
    }
    match path.to_str() {
        Some(pattern) if pattern.contains(['*', '?', '[', '{']) => {
            let found = matching(pattern)?;
            nothing_is_an_error(found, || format!("pattern {pattern}: no file matches"))
        }
        _ => Err(Error::io("read", path)(std::io::ErrorKind::NotFound.into())),
    }
}

fn nothing_is_an_error(found: Vec<PathBuf>, message: impl Fn() -> String) -> Result<Vec<PathBuf>> {
    if found.is_empty() { Err(Error::Input(message())) } else { Ok(found) }
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| Error::Input(format!("pattern {pattern}: {error}")))?
        .compile_matcher();
    let fixed = &pattern[..pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len())];
    let base = match fixed.rfind('/') {
        Some(slash) => Path::new(&fixed[..=slash]),
        None => Path::new("."),
    };
    if !base.is_dir() {
        return Ok(Vec::new());
    }
    let bare = |file: &Path| file.strip_prefix("./").unwrap_or(file).to_path_buf();
    let keep = |file: &Path| glob.is_match(file) || glob.is_match(bare(file));
    walk(base, &keep)
}

/// Files below `folder` that `keep` wants, sorted; nothing hidden (`.x`, `_SUCCESS`), no links to folders.
fn walk(folder: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(walk(&path, keep)?);
        } else if path.is_file() && keep(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_table(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase())
    else {
        return false;
    };
    ENDINGS
        .iter()
        .any(|ending| PACKINGS.iter().any(|packing| name.ends_with(&format!(".{ending}{packing}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("2024/05")).unwrap();
        for file in
            ["b.csv", "a.TSV", "notes.txt", ".hidden.csv", "2024/05/c.jsonl.gz", "2024/d.parquet"]
        {
            std::fs::write(folder.path().join(file), "x").unwrap();
        }
        folder
    }

    fn names(paths: &[PathBuf], base: &Path) -> Vec<String> {
        let files = list_files(paths).unwrap();
        files.iter().map(|file| file.strip_prefix(base).unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_folder_gives_its_tables_sorted_and_a_file_named_twice_counts_once() {
        let shop = shop();
        let base = shop.path();
        assert_eq!(
            names(&[base.join("b.csv"), base.to_path_buf(), base.join("2024/../b.csv")], base),
            ["b.csv", "2024/05/c.jsonl.gz", "2024/d.parquet", "a.TSV"]
        );
    }

    #[test]
    fn a_pattern_stays_in_its_folder_unless_it_says_otherwise() {
        let shop = shop();
        let base = shop.path();
        assert_eq!(names(&[base.join("*.csv")], base), ["b.csv"]);
        assert_eq!(names(&[base.join("**/*.gz")], base), ["2024/05/c.jsonl.gz"]);
        assert_eq!(names(&[base.join("2024/{d,e}.parquet")], base), ["2024/d.parquet"]);
    }

    #[test]
    fn a_path_that_means_nothing_says_so() {
        let shop = shop();
        for (path, expected) in [
            ("no.csv", "cannot read"),
            ("*.xlsx", "no file matches"),
            ("no/*.csv", "no file matches"),
        ] {
            let error = list_files(&[shop.path().join(path)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let empty = tempfile::tempdir().unwrap();
        let error = list_files(&[empty.path().to_path_buf()]).unwrap_err().to_string();
        assert!(error.contains("no file ends in .csv"), "{error}");
    }
}
