//! Texts in the bytes of a file: UTF-8, or what Excel writes in western Europe.

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use encoding_rs::WINDOWS_1252;

/// The text of a field: UTF-8, or else Windows-1252, in which every byte is a letter. For words only: a key that is
/// no UTF-8 is no key.
pub fn decoded(field: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(field)
        .map_or_else(|_| WINDOWS_1252.decode_without_bom_handling(field).0, Cow::Borrowed)
}

/// Reads the texts of one file, by as many threads as there are, and keeps in mind whether one was no UTF-8.
#[derive(Debug, Default)]
pub struct Decoder {
    is_old: AtomicBool,
}

impl Decoder {
    /// See [`decoded`].
    pub fn text<'a>(&self, field: &'a [u8]) -> Cow<'a, str> {
        let text = decoded(field);
        if matches!(text, Cow::Owned(_)) {
            self.is_old.store(true, Ordering::Relaxed);
        }
        text
    }

    /// What the user should know of the file, once it is read.
    pub fn note(&self, path: &Path) -> Option<String> {
        self.is_old.load(Ordering::Relaxed).then(|| {
            format!(
                "{}: texts that are not UTF-8 are read as Windows-1252, as Excel writes them",
                path.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf8_is_read_as_excel_writes_it_and_noted() {
        let decoder = Decoder::default();
        let path = Path::new("a.csv");
        assert_eq!(decoder.text("Käse".as_bytes()), "Käse");
        assert_eq!(decoder.note(path), None);
        assert_eq!(decoder.text(b"K\xe4se f\xfcr 3 \x80"), "Käse für 3 €");
        assert!(decoder.note(path).unwrap().starts_with("a.csv: "));
    }
}
