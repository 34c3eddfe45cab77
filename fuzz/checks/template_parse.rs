//! A text is a template, or has an error with a position. The parameters that a template finds in a
//! path are parts of that path.

use tower_dispatch::{Pattern, Table};

/// A template, and after a newline a path for it.
pub(crate) fn template_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (template, path) = text.split_once('\n').unwrap_or((text, "/"));
    // A regex within a template may have a repetition of a repetition.
    if template.len() > 256 || template.matches('{').count() > 16 {
        return;
    }
    match Pattern::template(template) {
        Ok(pattern) => {
            let Ok(table) = Table::new(&[pattern]) else {
                return;
            };
            if let Some(found) = table.find(path) {
                assert_eq!(found.span(), 0..path.len());
                for span in found.spans().flatten() {
                    assert!(path.get(span).is_some());
                }
            }
            // Literal text matches itself.
            if !template.contains(['{', '}', '[', ']']) {
                assert!(table.find(template).is_some());
            }
        }
        Err(error) => {
            let end = template.chars().count() + 1;
            assert!((1..=end).contains(&error.column()), "{error}");
        }
    }
}
