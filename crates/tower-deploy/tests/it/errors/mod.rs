//! The full texts of errors: the file, the line, the section, the error and the correction.

mod headings;
mod mistakes;
mod reports;
mod sources;
