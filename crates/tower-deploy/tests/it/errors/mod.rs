//! The full texts of errors: the file, the line, the section, the error, and what would be right.

mod headings;
mod mistakes;
mod reports;
mod sources;
