//! The house: who may import whom, and which engine lives in which room. Read from the sources.

use std::fmt;
use std::path::{Path, PathBuf};

/// A room, and what it may import beside [`COMMON`]. A room with a star may import everything.
const ROOMS: &[(&str, &[&str])] = &[
    // The hall: files at the root.
    ("error", &[]),
    ("fault", &[]),
    ("ids", &[]),
    ("lists", &[]),
    ("special", &[]),
    ("time", &[]),
    ("torment", &[]), // of the tests
    ("config", &["*"]),
    ("lib", &["*"]),
    ("main", &["*"]),
    ("filter", &[]), // knows rows of fields, not what they mean
    // What comes in.
    ("tables", &[]),
    ("events", &["tables"]),
    ("catalog", &["tables", "filter"]),
    ("demo", &[]),
    // What is learnt: never one another.
    ("rules", &["events", "catalog"]),
    ("embed", &["events", "catalog"]),
    ("trends", &["events", "catalog"]),
    ("customers", &["events", "catalog", "filter"]),
    ("rank", &[]), // knows sheets of figures, not what they mean
    // The book, and what changed since.
    ("index", &["rank", "catalog", "rules", "embed", "trends", "customers"]),
    ("live", &["catalog", "index"]), // opens its database as an index does
    ("merchandising", &["filter"]),
    // Answers, and how good they are.
    (
        "recommend",
        &[
            "filter",
            "merchandising",
            "rank",
            "catalog",
            "rules",
            "embed",
            "trends",
            "customers",
            "index",
        ],
    ),
    (
        "evaluate",
        &[
            "rank",
            "events",
            "catalog",
            "rules",
            "embed",
            "trends",
            "customers",
            "recommend",
            "index",
            "audiences",
            "charts",
        ],
    ),
    // The line, and the counter.
    (
        "train",
        &[
            "rank",
            "events",
            "catalog",
            "rules",
            "embed",
            "trends",
            "customers",
            "recommend",
            "index",
            "evaluate",
            "tables",
        ],
    ),
    // Whom to talk to, and whether it worked; pages for people.
    ("audiences", &["customers", "catalog", "filter", "index"]),
    ("campaigns", &["tables", "customers"]),
    ("charts", &[]),
    ("report", &["charts", "customers", "evaluate"]),
    (
        "grpc",
        &[
            "recommend",
            "audiences",
            "campaigns",
            "customers",
            "catalog",
            "filter",
            "merchandising",
            "index",
            "live",
        ],
    ),
    ("bench", &["grpc", "customers", "index"]),
    ("cli", &["*"]),
];

/// Every room may import these. (`EventKind`, a word like an id, is let through by name above.)
const COMMON: &[&str] =
    &["error", "fault", "ids", "lists", "special", "time", "torment", "Error", "Result"];

/// A crate or name that only these rooms or files may say.
const ONLY: &[(&str, &[&str])] = &[
    ("sled::", &["index", "live"]),
    ("hnsw_rs::", &["embed"]),
    ("tonic", &["grpc", "cli/demo.rs"]),
    // The load is made of messages, and sent without tonic.
    ("prost", &["grpc", "bench"]),
    ("pb::", &["grpc", "bench", "cli"]),
    ("h2::", &["bench"]),
    ("hyper", &["bench", "grpc/door.rs", "grpc/metrics.rs"]),
    ("hdrhistogram::", &["bench"]),
    ("rustix::", &["bench", "fault"]),
    (
        "rayon::",
        &[
            "rank",
            "tables",
            "events",
            "catalog",
            "rules",
            "embed",
            "trends",
            "customers",
            "evaluate",
            "train",
        ],
    ),
    ("tokio::", &["grpc", "bench", "cli", "main"]),
    ("anyhow::", &["cli", "main"]),
    ("winnow::", &["filter"]),
    ("strsim::", &["filter"]),
];

/// What a room must never say.
const NEVER: &[(&str, &[&str])] = &[(
    "recommend",
    &[
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "fastrand::",
        "std::fs",
        "std::net",
    ],
)];

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source);
    assert!(files.len() > 50, "there are sources to check in {}", source.display());
    let mut offences = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a readable source");
        let name = path.strip_prefix(&source).expect("it was found below").to_owned();
        offences.extend(check(&name.to_string_lossy().replace('\\', "/"), &text));
    }
    let list: Vec<String> = offences.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "the house is out of order:\n{}", list.join("\n"));
}

#[test]
fn the_checker_goes_red_on_made_up_offences() {
    let offends = |file: &str, line: &str| check(file, line).len() == 1;
    for (file, line) in [
        ("rules/mod.rs", "use crate::embed::Vectors;"),
        ("rules/mod.rs", "use super::embed::Vectors;"),
        ("rules/count.rs", "use super::super::trends::Trends;"),
        ("rules/count.rs", "pub(crate) use crate::{ids::ItemId, trends::Trends};"),
        ("rules/count.rs", "    let now = crate::recommend::answer();"),
        ("grpc/convert.rs", "use crate::rules::Rule;"),
        ("grpc/convert.rs", "use crate::events::EventLog;"),
        ("events/read.rs", "use crate::config::Config;"),
        ("events/read.rs", "use crate::unheard_of::Thing;"),
        ("train/mod.rs", "fn open(db: &sled::Db) {}"),
        ("index/read.rs", "use hnsw_rs::prelude::*;"),
        ("train/mod.rs", "use tonic::Status;"),
        ("cli/ask.rs", "use tonic::Status;"),
        ("bench/connection.rs", "use tonic::Status;"),
        ("bench/load.rs", "use crate::recommend::answer;"),
        ("grpc/server.rs", "use hyper_util::rt::TokioIo;"),
        ("recommend/mod.rs", "use rayon::prelude::*;"),
        ("index/write.rs", "tokio::spawn(async {});"),
        ("events/read.rs", "fn read() -> anyhow::Result<()> {"),
        ("grpc/convert.rs", "use crate::events::EventKind;"),
        ("recommend/pool.rs", "let now = std::time::Instant::now();"),
        ("recommend/mod.rs", "let now = jiff::Timestamp::now();"),
        ("recommend/mod.rs", "fn reply() -> pb::Reason {"),
        ("filter/mod.rs", "use crate::catalog::Item;"),
        ("tables/mod.rs", "use winnow::Parser;"),
        ("attic/mod.rs", "//! A room that the table does not know."),
    ] {
        assert!(offends(file, line), "{file} may not say `{line}`: {:?}", check(file, line));
    }
    for (file, line) in [
        ("rules/mod.rs", "// use crate::embed::Vectors;"),
        ("rules/mod.rs", "/// As in [`crate::embed::Vectors`]."),
        ("rules/mod.rs", "let text = \"crate::embed::\";"),
        ("rules/mod.rs", "/* use crate::embed::Vectors;\n use crate::trends::T; */"),
        ("rules/count.rs", "use crate::{ids::{ItemId, CustomerId}, events::EventLog};"),
        ("events/read.rs", "use crate::tables::Table;"),
        ("index/read.rs", "fn open(db: &sled::Db) {}"),
        ("cli/demo.rs", "use tonic::transport::Channel;"),
        ("rules/mod.rs", "mod tests {\n    use super::count;\n}"),
        ("rules/mod.rs", "let longest: &'static str = \"a\"; let quote = '\"'; let t = '\\'';"),
    ] {
        assert!(check(file, line).is_empty(), "{file} may say `{line}`: {:?}", check(file, line));
    }
}

#[test]
fn the_checker_names_file_and_line() {
    let offences = check("rules/mod.rs", "//! Rules.\n\nuse crate::{\n    ids,\n    trends,\n};\n");
    assert_eq!(offences[0].to_string(), "src/rules/mod.rs:5: rules may not import trends");
}

/// What is wrong, and where.
#[derive(Debug)]
struct Offence {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.what)
    }
}

/// All offences of one file; `file` is relative to `src`.
fn check(file: &str, text: &str) -> Vec<Offence> {
    let room = room_of(file);
    let line_of = |code: &str, at: usize| code[..at].matches('\n').count() + 1;
    let offence = |line, what| Offence { file: file.to_owned(), line, what };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![offence(1, format!("the table knows no room {room}"))];
    };
    let code = without_comments_and_strings(text);
    let mut offences = Vec::new();
    for (at, path) in imports(file, &code) {
        let first = path.split("::").next().unwrap_or_default();
        let known = first == room || COMMON.contains(&first) || allowed.contains(&"*");
        let named = |entry: &str| {
            path == entry || first == entry || path.starts_with(&format!("{entry}::"))
        };
        if !known && !allowed.iter().any(|entry| named(entry)) {
            let line = line_of(&code, at);
            offences.push(offence(line, format!("{room} may not import {path}")));
        }
    }
    for (word, homes) in ONLY {
        let at_home = homes.iter().any(|home| *home == room || *home == file);
        if let (false, Some(at)) = (at_home, find_word(&code, word)) {
            offences.push(offence(line_of(&code, at), format!("`{word}` lives in {homes:?} only")));
        }
    }
    for (_, words) in NEVER.iter().filter(|(name, _)| *name == room) {
        for word in *words {
            if let Some(at) = find_word(&code, word) {
                offences.push(offence(line_of(&code, at), format!("{room} must not say `{word}`")));
            }
        }
    }
    offences
}

/// The folder right below `src`, or the name of a file that stands there itself.
fn room_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The place of `word` where it is not the end of a longer one.
fn find_word(code: &str, word: &str) -> Option<usize> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).find(|&at| !code[..at].ends_with(inside))
}

/// Every path that starts at the root of the crate, with its place and without its root. Groups in
/// braces are taken apart.
fn imports(file: &str, code: &str) -> Vec<(usize, String)> {
    // In `room/mod.rs` and files at the root, `super` of a whole file is the root; deeper, its `super`.
    let depth = file.matches('/').count() - usize::from(file.ends_with("/mod.rs"));
    let upwards = "super::".repeat(depth + 1);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("cartwright::")) {
        if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            let root = at + code[at..].find("::").expect("it was found") + 2;
            paths(code, root, "", &mut found);
        }
    }
    let mut start = 0;
    for line in code.split_inclusive('\n') {
        // At the margin only: further in, `super` may be a module of this very file.
        let is_use = line.starts_with("use ") || line.starts_with("pub");
        if let (true, Some(at)) = (is_use, line.find(&upwards))
            && line[..at].ends_with(' ')
            && !line.starts_with("pub(super")
        {
            paths(code, start + at + upwards.len(), "", &mut found);
        }
        start += line.len();
    }
    found
}

/// The paths of the use-tree at `at`, each with its place; returns where the tree ends.
fn paths(code: &str, at: usize, before: &str, found: &mut Vec<(usize, String)>) -> usize {
    let bytes = code.as_bytes();
    let mut here = at;
    if bytes.get(here) == Some(&b'{') {
        here += 1;
        loop {
            while here < bytes.len() && (bytes[here].is_ascii_whitespace() || bytes[here] == b',') {
                here += 1;
            }
            if here >= bytes.len() || bytes[here] == b'}' {
                return here + 1;
            }
            let end = paths(code, here, before, found);
            here = end.max(here + 1);
            while here < bytes.len() && bytes[here] != b',' && bytes[here] != b'}' {
                here += 1; // `as` something
            }
        }
    }
    while here < bytes.len() && (bytes[here].is_ascii_alphanumeric() || bytes[here] == b'_') {
        here += 1;
    }
    let path = format!("{before}{}", &code[at..here]);
    if before.matches("::").count() < 1 && code[here..].starts_with("::") {
        return paths(code, here + 2, &format!("{path}::"), found);
    }
    if !path.is_empty() {
        found.push((at, path));
    }
    here
}

/// The code with comments, strings and characters blanked out; lines stay where they are.
fn without_comments_and_strings(text: &str) -> String {
    let source: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let starts = |at: usize, what: &str| {
        what.chars().enumerate().all(|(n, c)| source.get(at + n) == Some(&c))
    };
    let mut at = 0;
    while at < source.len() {
        let end = if starts(at, "//") {
            (at..source.len()).find(|&n| source[n] == '\n').unwrap_or(source.len())
        } else if starts(at, "/*") {
            (at + 2..source.len()).find(|&n| starts(n, "*/")).map_or(source.len(), |n| n + 2)
        } else if starts(at, "r#\"") {
            (at + 3..source.len()).find(|&n| starts(n, "\"#")).map_or(source.len(), |n| n + 2)
        } else if source[at] == '"' {
            end_of_quoted(&source, at, '"')
        } else if source[at] == '\'' && (starts(at + 1, "\\") || source.get(at + 2) == Some(&'\''))
        {
            end_of_quoted(&source, at, '\'')
        } else {
            code.push(source[at]);
            at += 1;
            continue;
        };
        code.extend(source[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

/// Behind the closing quote of what opens at `at`.
fn end_of_quoted(source: &[char], at: usize, quote: char) -> usize {
    let mut here = at + 1;
    while here < source.len() && source[here] != quote {
        here += if source[here] == '\\' { 2 } else { 1 };
    }
    (here + 1).min(source.len())
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
